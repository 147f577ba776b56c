"""Every Python block of the README runs and prints what the README says; every command in it exists."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

README = Path(__file__).parents[2] / "README.md"
BLOCKS = re.findall(r"```python\n(.*?)```.*?```text\n(.*?)```", README.read_text(), re.DOTALL)
COMMANDS = sorted(set(re.findall(r"^    ifonly ([\w-]+)", README.read_text(), re.MULTILINE)))
FLAGS = sorted(set(re.findall(r"(?<=[ `])--[a-z-]+", README.read_text())))


@pytest.mark.parametrize(("code", "printed"), BLOCKS, ids=range(len(BLOCKS)))
def test_python_blocks_print_what_is_shown(code, printed):
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert run.stdout == printed


def test_there_are_blocks_to_run():
    assert len(BLOCKS) == 2


@pytest.fixture(scope="module")
def helps():
    def text(*command):
        run = [Path(sys.executable).with_name("ifonly"), *command, "--help"]
        return subprocess.run(
            run, capture_output=True, text=True, check=True, env={**os.environ, "COLUMNS": "200"}
        ).stdout

    return {command: text(command) for command in COMMANDS}


def test_every_command_and_flag_exists(helps):
    assert helps.keys() >= {"data", "show", "verify", "corpus", "whatif", "blame", "run", "record", "serve-model"}
    shown = " ".join(helps.values())
    assert [flag for flag in FLAGS if flag not in shown] == []
