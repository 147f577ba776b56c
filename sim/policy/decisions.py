"""From tables to the arrays of a log: what was seen, chosen, paid, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from ifonly.agents.errors import InputError
from ifonly.scm.errors import NotApplicable
from ifonly.scm.policy.logged import Logged
from ifonly.sim.policy.features import Encoding, encoding_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ifonly.agents.tables import Table
    from ifonly.scm.policy.logged import Floats

__all__ = ["Columns", "Decisions", "decisions_of"]


@dataclass(frozen=True)
class Columns:
    """Which column of a table says what.

    Attributes:
        action: the arm that was taken.
        reward: what came of it.
        context: what was known before it was taken: columns of numbers, names or prose.
        propensity: the probability with which the arm was taken; None: not logged.
        declared: that probability for each arm, the same in every round; None: not declared.
        cost: what the round cost; None: not logged.
        prices: what each arm costs a round, where that is known beforehand.
        seconds: how long it took; None: not logged.
        cluster: rounds with the same value are dependent, for instance of one task; None: each is its own.
        time: when the round was; None: not logged.
    """

    action: str
    reward: str
    context: tuple[str, ...] = ()
    propensity: str | None = None
    declared: Mapping[str, float] | None = None
    cost: str | None = None
    prices: Mapping[str, float] = field(default_factory=dict)
    seconds: str | None = None
    cluster: str | None = None
    time: str | None = None


@dataclass(frozen=True, eq=False)
class Decisions:
    """A log with all that a policy is judged by.

    Attributes:
        log: rewards, actions, propensities, features, clusters.
        encoding: how the features were read off the table.
        costs: logged cost of each round, shape (n,); or, where prices are known, of each arm, shape (n, K); None where
            neither is.
        seconds: logged duration of each round, shape (n,); None where it is not known.
    """

    log: Logged
    encoding: Encoding
    costs: Floats | None = None
    seconds: Floats | None = None

    @property
    def features(self) -> Floats:
        """Of each round, shape (n, d)."""
        contexts = self.log.contexts
        return np.zeros((len(self.log), 0)) if contexts is None else contexts


def decisions_of(table: Table, columns: Columns, encoding: Encoding | None = None) -> Decisions:
    """The log of a table.

    Args:
        table: one row a decision.
        columns: which say what.
        encoding: of the context, for instance of a saved rule; made to fit, if left out.

    Raises:
        UnknownName: the table lacks a column.
        InputError: a cell is not what its column must hold, an arm has no price, or there is one arm alone.
    """
    taken = table.texts(columns.action)
    arms = tuple(sorted({*taken, *columns.prices}))
    if "" in arms:
        rows = [row for row, arm in enumerate(taken, 1) if not arm][:3]
        raise InputError(
            table.name, f"column {columns.action!r} is empty in rows {rows}", "Drop rows without a choice."
        )
    if len(arms) == 1:
        found = f"column {columns.action!r} holds one arm only, {arms[0]!r}: such a log tells nothing of another"
        raise InputError(table.name, found, "Add decisions in which something else was chosen, best at random.")
    encoding = encoding or encoding_of(table, columns.context)
    optional = {name: _optional(table, name) for name in (columns.propensity, columns.time)}
    try:
        log = Logged(
            actions=np.searchsorted(arms, taken),
            rewards=np.array(table.numbers(columns.reward)),
            arms=arms,
            propensities=optional[columns.propensity],
            behaviour=_declared(columns.declared, arms, len(taken)),
            contexts=encoding.features(table),
            clusters=None if columns.cluster is None else _numbered(table.texts(columns.cluster)),
            times=optional[columns.time],
        )
    except NotApplicable as error:
        raise InputError(table.name, str(error), "Correct the rows, or name other columns.") from error
    return Decisions(log, encoding, _costs(table, columns, arms), _optional(table, columns.seconds))


def _optional(table: Table, name: str | None) -> Floats | None:
    return None if name is None else np.array(table.numbers(name))


def _declared(declared: Mapping[str, float] | None, arms: Sequence[str], rounds: int) -> Floats | None:
    if declared is None:
        return None
    missing = [arm for arm in arms if arm not in declared]
    if missing:
        found = f"no probability was declared for {', '.join(missing)}"
        raise InputError("--propensity", found, f"Declare one for each of {', '.join(arms)}.")
    return np.broadcast_to(np.array([declared[arm] for arm in arms]), (rounds, len(arms)))


def _costs(table: Table, columns: Columns, arms: Sequence[str]) -> Floats | None:
    if not columns.prices:
        return _optional(table, columns.cost)
    missing = [arm for arm in arms if arm not in columns.prices]
    if missing:
        raise InputError("--price", f"none for {', '.join(missing)}", f"Give one for each of {', '.join(arms)}.")
    return np.broadcast_to(np.array([columns.prices[arm] for arm in arms]), (len(table), len(arms)))


def _numbered(names: Sequence[str]) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    return np.unique(names, return_inverse=True)[1].astype(np.intp)
