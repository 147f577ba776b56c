"""What is installed: one namespace, nothing at the top level that is another's name."""

import itertools
import json
import os
import shutil
import subprocess
import sys
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

TOPS = ("agents", "scm", "sim", "scenarios")
# constraints.txt pins the newest release that resolves beside litellm<1.102, which needs openai 2; from 0.21
# on the SDK needs openai 3.
SDK = "openai-agents"


def run(*command, **options):
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(root, tmp_path_factory):
    """A wheel of a copy that lacks the symlinks, as some clones do (Windows, archives)."""
    folder = tmp_path_factory.mktemp("wheel")
    clone = folder / "clone"
    clone.mkdir()
    for name in ("pyproject.toml", "setup.py", "LICENSE"):
        shutil.copy(root / name, clone)
    (clone / "README.md").touch()
    leave_out = shutil.ignore_patterns("__pycache__")
    for top in TOPS:
        if (root / top).is_dir():
            shutil.copytree(root / top, clone / top, ignore=leave_out)
    shutil.copytree(root / "src", clone / "src", ignore=shutil.ignore_patterns("__pycache__", *TOPS))
    pip = [sys.executable, "-P", "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    run(*pip, "--wheel-dir", str(folder), str(clone))
    return next(folder.glob("*.whl"))


def test_the_wheel_holds_one_namespace(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == {"ifonly"}


def test_the_wheel_holds_every_file(root, wheel):
    places = [(root / top, Path("ifonly", top)) for top in TOPS] + [(root / "src" / "ifonly", Path("ifonly"))]
    expected = {
        (place / path.relative_to(folder)).as_posix()
        for folder, place in places
        for path in folder.rglob("*")
        if path.suffix in {".py", ".typed", ".html", ".jinja", ".css", ".js", ".yaml"}
    }
    held = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert held == expected


def test_pins_cover_every_requirement_and_name_no_place(root):
    pins = (root / "constraints.txt").read_text(encoding="utf-8").splitlines()
    assert not [line for line in pins if "/" in line or "--" in line or "@" in line]
    pinned = {line.partition("==")[0].lower().replace("_", "-") for line in pins}
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"], *itertools.chain(*project["optional-dependencies"].values())]
    names = {line.split("[")[0].split("=")[0].split(">")[0].strip().lower() for line in wanted} - {"ifonly"}
    assert names | {SDK} <= pinned


@pytest.mark.slow
def test_stands_beside_the_openai_agents_sdk(root, wheel, tmp_path):
    """The SDK imports as `agents`, as our folder is called; both work in one process."""
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv" / ("Scripts" if os.name == "nt" else "bin") / "python"
    pip = [
        str(python),
        "-P",
        "-m",
        "pip",
        "install",
        "--quiet",
        "--constraint",
        str(root / "constraints.txt"),
    ]
    run(*pip, "--no-deps", str(wheel))
    run(*pip, SDK, "pydantic", "platformdirs")
    act = (
        "import json, agents, ifonly.agents, ifonly.agents.records;"
        "print(json.dumps([agents.__file__, ifonly.agents.__file__, agents.Agent(name='a').name]))"
    )
    theirs, ours, name = json.loads(run(str(python), "-c", act, cwd=tmp_path))
    assert Path(theirs).parent.name == Path(ours).parent.name == "agents"
    assert Path(ours).parent.parent.name == "ifonly"
    assert theirs != ours
    assert name == "a"
    run(*pip[:4], "uninstall", "--quiet", "--yes", "ifonly")
    run(str(python), "-c", "import agents; agents.Agent(name='a')", cwd=tmp_path)
