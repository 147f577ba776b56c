"""Every Python block of the README and of docs runs and prints what is said; every command in the README exists."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

README = Path(__file__).parents[2] / "README.md"
BLOCKS = re.findall(r"```python\n(.*?)```.*?```text\n(.*?)```", README.read_text(), re.DOTALL)
COMMANDS = sorted(set(re.findall(r"^    ifonly ([\w-]+)", README.read_text(), re.MULTILINE)))
BENCHES = sorted(set(re.findall(r"^    ifonly bench ([\w-]+)", README.read_text(), re.MULTILINE)))
FLAGS = sorted(set(re.findall(r"(?<=[ `])--[a-z-]+", README.read_text())))


@pytest.mark.parametrize(("code", "printed"), BLOCKS, ids=range(len(BLOCKS)))
def test_python_blocks_print_what_is_shown(code, printed):
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert run.stdout == printed


def test_there_are_blocks_to_run():
    assert len(BLOCKS) == 2


@pytest.mark.slow
@pytest.mark.parametrize("page", sorted((README.parent / "docs").glob("*.md")), ids=lambda page: page.name)
def test_pages_print_what_is_shown(page):
    """The blocks of a page follow each other in one program."""
    text = page.read_text()
    code, printed = ("".join(re.findall(rf"```{kind}\n(.*?)```", text, re.DOTALL)) for kind in ("python", "text"))
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=300)
    assert run.stdout == printed


# Every help in one process: each command alone would import its libraries anew, 2 s a command.
HELPS = """
import contextlib, io, json, sys
from ifonly.cli import main
told = {}
for name in sys.argv[1:]:
    sys.argv = ["ifonly", *name.split(), "--help"]
    with contextlib.redirect_stdout(io.StringIO()) as text:
        try:
            main()
        except SystemExit as ended:
            assert not ended.code, name
    told[name] = text.getvalue()
print(json.dumps(told))
"""


@pytest.fixture(scope="module")
def helps():
    run = [sys.executable, "-c", HELPS, *COMMANDS, *(f"bench {bench}" for bench in BENCHES)]
    wide = {**os.environ, "COLUMNS": "200"}
    return json.loads(subprocess.run(run, capture_output=True, text=True, check=True, env=wide).stdout)


def test_every_command_and_flag_exists(helps):
    assert helps.keys() >= {"data", "show", "verify", "corpus", "whatif", "blame", "run", "record", "serve-model"}
    shown = " ".join(helps.values())
    assert [flag for flag in FLAGS if flag not in shown] == []
