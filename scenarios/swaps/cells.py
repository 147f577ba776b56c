"""The recorded outcomes of AgentDojo, from its runs or from an index of them."""

from __future__ import annotations

import csv
import gzip
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from ifonly.agents.environments.agentdojo_ref import defence_of
from ifonly.agents.errors import InputError
from ifonly.agents.reading import stream
from ifonly.sim.swaps.cells import Cell, cell_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from ifonly.agents.records import Trajectory
    from ifonly.scm.item_response.facets import Floats, Ints

__all__ = ["BRING", "MAIN_ATTACK", "Table", "recorded", "tables"]

BRING: Final = "`ifonly data get agentdojo` brings the runs, and prints the folder to name."
"""What to do where there are none."""

_INDEX: Final = "index.csv.gz"

MAIN_ATTACK = "important_instructions"
"""The attack under which every model was run."""

_OF_SERVICE = "dos"
"""How the names of attacks end that only keep the task from being solved: their security says nothing more."""

_PARTIAL = ("claude-3-sonnet-20240229", "agentdojo/repeat_user_prompt")
"""The one pipeline that met only part of the tasks."""


@dataclass(frozen=True, eq=False)
class Table:
    """Recorded outcomes of one score.

    Attributes:
        score: its name.
        ids: of the runs.
        cells: of the runs.
        outcomes: 0 or 1, shape (runs,).
        targets: index of the runs that are predicted: of pipelines that met every task, clean or under the main attack.
    """

    score: str
    ids: tuple[str, ...]
    cells: tuple[Cell, ...]
    outcomes: Floats
    targets: Ints

    def attacked(self, chosen: Ints) -> list[bool]:
        """Which of these runs were attacked."""
        return [self.cells[n].attack is not None for n in chosen]


class _Row(NamedTuple):
    """A run that was recorded whole: what it met, and its scores."""

    id: str
    cell: Cell
    utility: float
    security: float


def tables(folder: Path) -> dict[str, Table]:
    """Utility (clean and attacked runs) and security (attacked runs) of all user tasks.

    Empty runs and those with an API error are left out.

    Args:
        folder: of the runs. If it has ``index.csv.gz``, one row a run, that alone is read; else all runs, as `recorded`
            finds them.

    Raises:
        InputError: there are no runs, or one cannot be read.
    """
    index = folder / _INDEX
    found = _indexed(index) if index.is_file() else _read(folder)
    rows = [row for row in found if row.cell.task.startswith(f"{row.cell.suite}/user_task")]
    attacked = [row for row in rows if row.cell.attack is not None and not row.cell.attack.endswith(_OF_SERVICE)]
    return {
        "utility": _table("utility", [(row, row.utility) for row in rows]),
        "security": _table("security", [(row, row.security) for row in attacked]),
    }


def recorded(folder: Path, files: str = "") -> Iterator[Trajectory]:
    """Yield recorded runs.

    Args:
        folder: that holds the runs, or a folder ``runs`` of them: what ``ifonly data get agentdojo`` brings.
        files: pattern of the files to read; all if empty.

    Raises:
        InputError: there are no such files, or one cannot be read.
    """
    inside = folder / "runs" if (folder / "runs").is_dir() else folder
    for found in stream(inside.glob(files) if files else inside, "agentdojo"):
        if isinstance(found, InputError):
            raise InputError(found.file, found.found, f"{found.fix} {BRING}", record=found.record) from found
        yield found


def _read(folder: Path) -> Iterator[_Row]:
    for run in recorded(folder):
        if run.steps and run.outcome.error is None:
            scores = run.outcome.scores
            yield _Row(run.id, cell_of(run), float(scores["utility"]), float(scores.get("security", 0)))


def _indexed(index: Path) -> Iterator[_Row]:
    with gzip.open(index, "rt", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["empty"] == row["api_error"] == "0":
                yield _Row(row["run_id"], _cell(row), float(row["utility"]), float(row["security"]))


def _table(score: str, scored: list[tuple[_Row, float]]) -> Table:
    cells = tuple(row.cell for row, _ in scored)
    targets = [n for n, c in enumerate(cells) if c.attack in (None, MAIN_ATTACK) and (c.model, c.agent) != _PARTIAL]
    outcomes = np.array([outcome for _, outcome in scored])
    return Table(score, tuple(row.id for row, _ in scored), cells, outcomes, np.array(targets, dtype=np.intp))


def _cell(row: Mapping[str, str]) -> Cell:
    """As `ifonly.sim.swaps.cells.cell_of` gives it for the run itself."""
    pipeline, attack = row["pipeline"], row["attack"] if row["attack"] not in ("", "none") else None
    defence = defence_of(pipeline)
    return Cell(
        model=pipeline.removesuffix(f"-{defence}") if defence else pipeline,
        agent=f"agentdojo/{defence}" if defence else "agentdojo",
        task=row["task_id"],
        suite=row["suite"],
        attack=attack,
        injection=(row["injection_task"] or None) if attack else None,
    )
