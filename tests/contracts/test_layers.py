"""The house of DESIGN.md: imports go down only, and every module has a place in pyproject.toml."""

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

TOOL = Path(sysconfig.get_path("scripts"), "lint-imports")


def lint(clone):
    # The copy's own tree is looked at, wherever ifonly is installed from.
    environment = {**os.environ, "PYTHONPATH": str(clone / "src")}
    return subprocess.run(
        [sys.executable, TOOL, "--no-cache"],
        cwd=clone,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def copy(root, tmp_path):
    for name in ("src", "agents", "scm", "sim", "scenarios"):
        shutil.copytree(root / name, tmp_path / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(root / "pyproject.toml", tmp_path)
    return tmp_path


def test_contracts_are_kept(root):
    done = lint(root)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("module", "text", "why"),
    [
        ("agents/stranger.py", '"""New."""\n', "stranger"),
        ("src/ifonly/stranger.py", '"""New."""\n', "stranger"),
        ("agents/errors.py", "import ifonly.sim\n", "ifonly.agents.errors -> ifonly.sim"),
        (
            "agents/errors.py",
            "import ifonly.agents.records\n",
            "ifonly.agents.errors -> ifonly.agents.records",
        ),
        ("agents/errors.py", "import torch\n", "ifonly.agents.errors -> torch"),
        ("agents/errors.py", "def f():\n    import litellm\n", "ifonly.agents.errors -> litellm"),
    ],
)
def test_a_breach_is_seen(copy, module, text, why):
    with (copy / module).open("a", encoding="utf-8") as file:
        file.write("\n" + text)
    done = lint(copy)
    assert done.returncode == 1
    assert why in done.stdout
