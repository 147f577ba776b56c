"""The facets of runs: which latents the chance of a score is made of. Imports no torch."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from ifonly.scm.item_response.facets import Facets

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping, Sequence

    from ifonly.sim.swaps.cells import Cell

__all__ = ["facets_of", "met_by"]

_TWICE = frozenset({"task attacked", "unit", "unit x suite", "unit x task"})
"""Facets that say the same as others where every run was attacked."""


def facets_of(cells: Sequence[Cell], more: Callable[[Cell], Mapping[str, Hashable]] = lambda cell: {}) -> Facets:
    """Facets of runs, by the convention of this table; a cell that lacks a part of a level has no level.

    | facet | level | what it stands for |
    |---|---|---|
    | suite, task, task attacked | task | easiness, and what an attack on the task changes |
    | injection, pair | injection, task with it | how easily it is obeyed, and distracts |
    | family, model, unit | unit = model in its agent | skill |
    | attack, unit attacked | attack, unit with it | its strength, and the unit's resistance |
    | unit x suite, also attacked | | skill by suite |
    | unit x task, also attacked; family x task | | what they do of this task in all its runs |
    | unit x injection attacked, family x injection | | what they do of this injection in all its tasks |
    | family x pair | | what is left |

    Discrimination is by task. Where every run was attacked, the facets that set attacked runs apart stand alone. A
    level that one cell alone has bears on no other, and is left out.

    Args:
        cells: all of them, also those to be predicted.
        more: levels of a cell in facets beside these.
    """
    rows = [{**_levels(cell), **more(cell)} for cell in cells]
    always = all(cell.attack is not None for cell in cells)
    names = [name for name in (rows[0] if rows else {}) if not (always and name in _TWICE)]
    columns = {name: _shared([row[name] for row in rows]) for name in names}
    kept = {name: column for name, column in columns.items() if any(level is not None for level in column)}
    return Facets.of(kept or {"task": [cell.task for cell in cells]}, [cell.task for cell in cells])


def met_by(cells: Sequence[Cell]) -> Callable[[Cell], Mapping[str, Hashable]]:
    """Facets that say of a task, for each model, whether it met it: of models that met some tasks and not others.

    Where models were sent to tasks by how hard they are, tasks are not alike: those that a model met may be harder on
    average (correlated effects, Mundlak 1978, Econometrica 46:69). Without these facets what few runs of a task leave
    open is taken to be the same for all tasks, and skill is mistaken for it.

    Args:
        cells: that were observed.
    """
    tasks: dict[str, set[str]] = {}
    for cell in cells:
        tasks.setdefault(cell.model, set()).add(cell.task)
    everything = {cell.task for cell in cells}
    partly = sorted(model for model, met in tasks.items() if met != everything)
    return lambda cell: {f"met by {model}": cell.task in tasks[model] for model in partly}


def _shared(column: Sequence[Hashable]) -> list[Hashable]:
    """The column, None where no other cell has the level."""
    counts = Counter(column)
    return [level if counts[level] > 1 else None for level in column]


def _levels(cell: Cell) -> dict[str, Hashable]:
    """The level of each facet."""
    unit, task, injection = (cell.model, cell.agent), cell.task, cell.injection
    # Injections are named within their suite.
    goal = injection and (cell.suite, injection)
    return {
        "suite": cell.suite,
        "task": task,
        "task attacked": cell.attack and task,
        "injection": goal,
        "pair": injection and (task, injection),
        "family": cell.family,
        "model": cell.model,
        "unit": unit,
        "attack": cell.attack,
        "unit attacked": cell.attack and (unit, cell.attack),
        "unit x suite": cell.suite and (unit, cell.suite),
        "unit x suite attacked": cell.attack and cell.suite and (unit, cell.attack, cell.suite),
        "unit x task": (unit, task),
        "unit x task attacked": cell.attack and (unit, cell.attack, task),
        "family x task": (cell.family, task),
        "unit x injection attacked": goal and (unit, cell.attack, goal),
        "family x injection": goal and (cell.family, goal),
        "family x pair": injection and (cell.family, task, injection),
    }
