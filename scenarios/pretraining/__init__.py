"""What a model is trained on: a world whose truth is known, and runs whose mixture was randomised."""

from __future__ import annotations

__all__: list[str] = []
