"""Predictions out of sample: hide outcomes, fit the rest, predict the hidden ones."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from ifonly.scenarios.swaps.baselines import baselines
from ifonly.scm.draw import Draw
from ifonly.scm.item_response.abduct import abduct
from ifonly.scm.item_response.fit import fit
from ifonly.scm.item_response.predict import count_interval
from ifonly.sim.swaps.layout import facets_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from ifonly.scenarios.swaps.cells import Table
    from ifonly.scm.item_response.facets import Facets, Floats, Ints
    from ifonly.scm.item_response.posterior import Posterior

__all__ = [
    "ABDUCTION",
    "COVERED",
    "INTERVENTIONAL",
    "WORLD",
    "Kind",
    "Predicted",
    "across_cells",
    "across_tasks",
    "few_seen",
    "only_a_seen",
]

WORLD = "item response"
"""Name of the world's predictions."""

INTERVENTIONAL = "interventional"
"""Name of the world's predictions of a task of which no run was seen."""

ABDUCTION = "abduction"
"""Name of those with A's run alone seen."""

COVERED = 0.9
"""Level of the intervals whose coverage is counted."""

_T = TypeVar("_T", bound=np.generic)

Kind = tuple[str, bool]
"""What is predicted: a score, and whether of attacked runs."""


@dataclass
class Predicted:
    """Predictions of one kind, gathered over folds.

    Attributes:
        outcomes: what was hidden.
        tasks: the task of each.
        by: predictions by estimator.
        covered: of groups of cells, whether the predictive interval holds the recorded count.
    """

    outcomes: list[float] = field(default_factory=list)
    tasks: list[str] = field(default_factory=list)
    by: dict[str, list[float]] = field(default_factory=dict)
    covered: list[bool] = field(default_factory=list)

    def add(self, outcomes: Floats, tasks: Sequence[str], by: dict[str, Floats]) -> None:
        """More predictions, of every estimator."""
        self.outcomes.extend(outcomes)
        self.tasks.extend(tasks)
        for name, values in by.items():
            self.by.setdefault(name, []).extend(values)


def across_cells(
    table: Table,
    seed: int,
    told: Callable[[int, int], None],
    *,
    folds: int = 10,
    each: Callable[[Posterior, Facets, Ints], None] | None = None,
) -> dict[Kind, Predicted]:
    """Hide a tenth of the cells at a time; every other outcome is known, also of the same task and the same model.

    Args:
        table: the outcomes.
        seed: of the folds and fits.
        told: of progress.
        folds: how many.
        each: what else to do with each fit: gets the posterior, the facets of all cells, and the hidden cells.
    """
    return _across(table, list(_split(table.targets, folds, seed)), seed, told, each)


def across_tasks(
    table: Table,
    seed: int,
    told: Callable[[int, int], None],
    *,
    folds: int = 5,
    each: Callable[[Posterior, Facets, Ints], None] | None = None,
) -> dict[Kind, Predicted]:
    """Hide all runs of a fifth of the tasks at a time."""
    of = np.array([cell.task for cell in table.cells])
    parts = _split(np.unique(of), folds, seed)
    return _across(table, [np.flatnonzero(np.isin(of, part)) for part in parts], seed, told, each)


def _across(
    table: Table,
    parts: Sequence[Ints],
    seed: int,
    told: Callable[[int, int], None],
    each: Callable[[Posterior, Facets, Ints], None] | None,
) -> dict[Kind, Predicted]:
    """Hide each part of the cells in turn, fit the rest, and predict the targets that are hidden."""
    facets, found = facets_of(table.cells), dict[Kind, Predicted]()
    for n, hidden in enumerate(parts):
        told(n + 1, len(parts))
        posterior = _fit(table, facets, hidden, seed)
        _gather(found, table, facets, np.intersect1d(hidden, table.targets), posterior, seed=seed, hidden=hidden)
        if each:
            each(posterior, facets, hidden)
    return found


def few_seen(table: Table, model: str, seen: int, seed: int) -> dict[Kind, Predicted]:
    """Hide all runs of one model, in every agent, but for a few of its runs in the plain agent.

    The few are clean ones where there are such (the cheap ones to make), drawn with the seed.
    """
    facets, found = facets_of(table.cells), dict[Kind, Predicted]()
    mine = np.array([n for n, cell in enumerate(table.cells) if cell.model == model])
    plain = [n for n in np.intersect1d(mine, table.targets) if table.cells[n].agent == "agentdojo"]
    first = [n for n in plain if table.cells[n].attack is None] or plain
    known = Draw(seed).generator(f"seen/{model}").permutation(np.array(first))[:seen]
    hidden = np.setdiff1d(mine, known)
    posterior = _fit(table, facets, hidden, seed)
    _gather(found, table, facets, np.setdiff1d(plain, known), posterior, seed=seed, hidden=hidden)
    return found


def only_a_seen(table: Table, seed: int, found: dict[Kind, Predicted]) -> Callable[[Posterior, Facets, Ints], None]:
    """For each hidden item and each pair (A, B): B's outcome, with A's run of that item alone being seen.

    Gathers three predictions into `found`: the interventional answer (A's run not seen), abduction (seen), and B's
    average among other tasks where A's outcome was the same. To be passed as `each` to `across_tasks`.
    """

    def gather(posterior: Posterior, facets: Facets, hidden: Ints) -> None:
        before = np.setdiff1d(table.targets, hidden)
        alike = {attacked: _given(table, [n for n in before if (table.cells[n].attack is not None) == attacked])
                 for attacked in (False, True)}  # fmt: skip
        for item, places in _items(table, np.intersect1d(hidden, table.targets)).items():
            met = abduct(
                posterior, facets.rows(places), np.array([], dtype=np.intp), np.array([]), Draw(seed), copies=5
            )
            outcomes, attacked = table.outcomes[places], item[1] is not None
            chances = met.chances
            likelihood = np.where(outcomes == 1, chances, 1 - chances)
            posteriors = (likelihood / likelihood.sum(axis=0)).T @ chances
            units = [(table.cells[n].model, table.cells[n].agent) for n in places]
            table_says = np.array(
                [[alike[attacked](b, a, y) for b in units] for a, y in zip(units, outcomes, strict=True)]
            )
            others = ~np.eye(len(places), dtype=bool)
            whole = np.broadcast_to(outcomes, others.shape)
            by = {
                INTERVENTIONAL: np.broadcast_to(met.means, others.shape),
                ABDUCTION: posteriors,
                _ALIKE: table_says,
            }
            kind = found.setdefault((table.score, attacked), Predicted())
            kind.add(
                whole[others], [item[0]] * int(others.sum()), {name: values[others] for name, values in by.items()}
            )

    return gather


_ALIKE = "B's average, A alike"


def _given(table: Table, known: Sequence[int]) -> Callable[[tuple[str, str], tuple[str, str], float], float]:
    """B's average where A's outcome was y, shrunk by two runs' worth to B's own."""
    of: dict[tuple[str, str], dict[object, float]] = {}
    for n in known:
        cell = table.cells[n]
        of.setdefault((cell.model, cell.agent), {})[cell.item] = table.outcomes[n]
    memory: dict[object, float] = {}

    def given(b: tuple[str, str], a: tuple[str, str], y: float) -> float:
        if (b, a, y) not in memory:
            own = float(np.mean(list(of[b].values())))
            same = [of[b][item] for item, outcome in of[a].items() if outcome == y and item in of[b]]
            memory[b, a, y] = (sum(same) + 2 * own) / (len(same) + 2)
        return memory[b, a, y]

    return given


def _items(table: Table, chosen: Ints) -> dict[tuple[str, str | None, str | None], list[int]]:
    found: dict[tuple[str, str | None, str | None], list[int]] = {}
    for n in chosen:
        found.setdefault(table.cells[n].item, []).append(int(n))
    return found


def _split(places: NDArray[_T], folds: int, seed: int) -> Iterator[NDArray[_T]]:
    """The places, or names, in random parts of about one size."""
    order = Draw(seed).generator("folds").permutation(places)
    yield from (np.sort(part) for part in np.array_split(order, folds))


def _fit(table: Table, facets: Facets, hidden: Ints, seed: int) -> Posterior:
    seen = np.setdiff1d(np.arange(len(table.cells)), hidden)
    return fit(facets, seen, table.outcomes[seen], seed=seed)


def _gather(
    found: dict[Kind, Predicted],
    table: Table,
    facets: Facets,
    asked: Ints,
    posterior: Posterior,
    *,
    seed: int,
    hidden: Ints,
) -> None:
    """The world's predictions of the asked cells, and the baselines', who know the targets that were not hidden."""
    known = np.setdiff1d(table.targets, hidden)
    chances, attacked = posterior.chances(facets.rows(asked)), np.array(table.attacked(asked))
    known_attacked = np.array(table.attacked(known))
    for kind in np.unique(attacked):
        mine, seen = asked[attacked == kind], known[known_attacked == kind]
        cells = [table.cells[n] for n in mine]
        by = {WORLD: chances[:, attacked == kind].mean(axis=0)}
        by |= baselines([table.cells[n] for n in seen], table.outcomes[seen], cells)
        into = found.setdefault((table.score, bool(kind)), Predicted())
        into.add(table.outcomes[mine], [cell.task for cell in cells], by)
        units = np.array([f"{cell.model}/{cell.agent}" for cell in cells])
        for unit in np.unique(units):
            joint = chances[:, attacked == kind][:, units == unit]
            low, high = count_interval(joint, COVERED, Draw(seed))
            into.covered.append(bool(low <= table.outcomes[mine][units == unit].sum() <= high))
