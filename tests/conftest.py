"""What all tests share: one thread, float64 where torch is used, and the place of the real data."""

from __future__ import annotations

import importlib
import os
import socket
from pathlib import Path

import pytest

from ifonly.agents import datasets

ROOT = Path(__file__).resolve().parents[1]
TORCH_FREE = frozenset({"agents", "contracts"})

# Before anything loads a numerical library, and inherited by child processes.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"


def pytest_pycollect_makemodule(module_path: Path) -> None:
    """Sets float64 before a module that may use torch is imported; the other folders take torch as a user has it."""
    if module_path.relative_to(ROOT / "tests").parts[0] not in TORCH_FREE:
        torch = importlib.import_module("torch")
        torch.set_num_threads(1)
        torch.set_default_dtype(torch.float64)


@pytest.fixture(scope="session")
def root() -> Path:
    """The root of the clone."""
    return ROOT


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of real data beside the clone; the test is skipped where there is none."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no real data: {folder} does not exist")
    return folder


@pytest.fixture(scope="session")
def agentdojo_runs() -> Path:
    """Recorded AgentDojo runs: beside the clone, else in the user's cache, else the test is skipped."""
    beside = ROOT.parent / "shared" / "data" / "agentdojo_runs" / "runs"
    if beside.is_dir():
        return beside
    kept = datasets.cached("agentdojo")
    if kept is None:
        pytest.skip(f"no AgentDojo runs: neither {beside} nor the cache; `ifonly data get agentdojo` brings them")
    return kept


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any socket of the internet families that is made raises."""

    class Forbidden(socket.socket):
        def __init__(self, family: int = socket.AF_INET, *rest: object, **named: object) -> None:
            if family in (socket.AF_INET, socket.AF_INET6, -1):
                raise AssertionError("a test that must not use the network opened a socket")
            super().__init__(family, *rest, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "socket", Forbidden)
