"""What a command may load. Help and `show` must feel instant."""

import subprocess
import sys

import pytest

PROBE = """
import contextlib, io, sys
from ifonly.cli import main
sys.argv = ["ifonly", *sys.argv[1:]]
with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
    main()
heavy = {"torch", "pyro", "litellm", "jinja2", "numpy", "scipy", "agentdojo"}
sys.stdout.write(",".join(sorted(heavy & sys.modules.keys())))
"""


def loaded(*arguments):
    command = [sys.executable, "-P", "-c", PROBE, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize(
    "arguments", [("--help",), ("--version",), ("show", "--help"), ("data", "list"), ("nonsense",)]
)
def test_help_loads_nothing_heavy(arguments):
    assert loaded(*arguments) == ""


def test_show_loads_nothing_heavy_and_jinja_only_for_a_page(run, tmp_path):
    assert loaded("show", run) == ""
    assert loaded("show", run, "--json", "--full") == ""
    assert loaded("show", run, "--html", tmp_path / "page.html") == "jinja2"
