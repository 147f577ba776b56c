"""The face: what `import ifonly` offers, and what it must not cost."""

import importlib.util
import subprocess
import sys

import pytest

import ifonly

HEAVY = ("torch", "litellm", "pyro", "simpy", "agentdojo", "scipy", "networkx")
PROBE = """
import contextlib, io, sys
with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
    {act}
print(",".join(sorted(set({heavy!r}) & sys.modules.keys())))
"""
CLI = importlib.util.find_spec("ifonly.cli")
needs_cli = pytest.mark.skipif(CLI is None or CLI.origin is None, reason="the command line does not exist yet")


def loaded(act, *arguments):
    """The heavy packages that a new process has loaded after an act."""
    probe = PROBE.format(act=act, heavy=HEAVY)
    done = subprocess.run([sys.executable, "-P", "-c", probe, *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_every_name_loads():
    assert ifonly.__all__ == sorted(ifonly.__all__)
    assert set(ifonly.__all__) >= {"__version__", "agents", "scenarios", "scm", "sim"}
    assert all(getattr(ifonly, name) is not None for name in ifonly.__all__)
    assert set(ifonly.__all__) <= set(dir(ifonly))


def test_lazy_names_are_all_public():
    assert set(ifonly._HOME) <= set(ifonly.__all__)


def test_an_unknown_name_is_told():
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = ifonly.nonsense


def test_import_is_light():
    assert loaded("import ifonly") == ""


@needs_cli
def test_help_is_light():
    assert loaded("from ifonly.cli import main; main()", "--help") == ""


@needs_cli
def test_show_is_light(agentdojo_runs):
    run = next(path for path in sorted(agentdojo_runs.rglob("*.json*")) if path.is_file())
    assert loaded("from ifonly.cli import main; main()", "show", str(run)) == ""
