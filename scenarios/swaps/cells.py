"""The recorded outcomes of AgentDojo, from the index of its runs."""

from __future__ import annotations

import csv
import gzip
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ifonly.agents.environments.agentdojo_ref import defence_of
from ifonly.agents.errors import InputError
from ifonly.sim.swaps.cells import Cell

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ifonly.scm.item_response.facets import Floats, Ints

__all__ = ["MAIN_ATTACK", "Table", "tables"]

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


def tables(index: Path) -> dict[str, Table]:
    """Utility (clean and attacked runs) and security (attacked runs) of all user tasks.

    Args:
        index: ``index.csv.gz``, one row a run. Empty runs and those with an API error are left out.

    Raises:
        InputError: there is no such file.
    """
    if not index.is_file():
        raise InputError(str(index), "no such file", "Name the folder of agentdojo_runs, which has index.csv.gz.")
    with gzip.open(index, "rt", encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["empty"] == row["api_error"] == "0"]
    rows = [row for row in rows if row["user_task"].startswith("user_task")]
    cells = [_cell(row) for row in rows]
    secure = [cell.attack is not None and not cell.attack.endswith(_OF_SERVICE) for cell in cells]
    return {
        "utility": _table("utility", rows, cells, [True] * len(rows)),
        "security": _table("security", rows, cells, secure),
    }


def _table(score: str, rows: list[dict[str, str]], cells: list[Cell], kept: list[bool]) -> Table:
    places = [n for n, keep in enumerate(kept) if keep]
    mine = tuple(cells[n] for n in places)
    targets = [n for n, c in enumerate(mine) if c.attack in (None, MAIN_ATTACK) and (c.model, c.agent) != _PARTIAL]
    outcomes = np.array([float(rows[n][score]) for n in places])
    return Table(score, tuple(rows[n]["run_id"] for n in places), mine, outcomes, np.array(targets))


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
