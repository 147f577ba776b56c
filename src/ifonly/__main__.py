"""`python -m ifonly` is the command `ifonly`."""

from __future__ import annotations

from ifonly.cli import main

if __name__ == "__main__":
    main()
