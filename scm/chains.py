"""Counterfactual trajectories of a Gumbel-max Markov chain over finitely many states.

A record s_0, s_1, ..., s_T was made by P(s_{t+1} | s_t). Had some states been put, or the transition law been
another, step t would have gone from s' to j with probability transition(P[s_t], P'[s'])[s_{t+1}, j]: the
noise of different steps is independent, so given the record the counterfactual trajectory is a Markov chain
with these laws.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ifonly.scm.errors import ImpossibleEvidence
from ifonly.scm.gumbel import Floats, transition

if TYPE_CHECKING:
    from ifonly.scm.draw import Draw

__all__ = ["GumbelChain", "Held", "States", "alias_table"]

States = NDArray[np.integer]
"""Integer states."""

Held = Mapping[int, int]
"""do(): states put, by time."""

_CACHED = 20_000


@dataclass(frozen=True, eq=False)
class GumbelChain:
    """A Markov chain under the Gumbel-max coupling, beside its changed version.

    Attributes:
        factual: transition probabilities P[s, j], shape (S, S): row = state, column = next state.
        changed: those of the counterfactual world, same shape.
    """

    factual: Floats
    changed: Floats

    @cached_property
    def table(self) -> Floats:
        """P(j | record went s to i, counterfactual is in s'), shape (S * S, S, S) with axes ((s, i), s', j).

        Zero where the move s to i is impossible.
        """
        states = len(self.factual)
        matrices = transition(self.factual[:, None], self.changed[None, :])
        return np.nan_to_num(matrices).transpose(0, 2, 1, 3).reshape(states * states, states, states)

    def marginals(self, record: States, held: Held) -> Floats:
        """Return the exact P(counterfactual state at t = j | record), shape (n, T + 1, S).

        Args:
            record: states, shape (n, T + 1).
            held: do(): states by time; an empty mapping leaves only the change of law.

        Raises:
            ImpossibleEvidence: if a record makes a transition of probability 0.
        """
        moves, one_hot = self._moves(record), np.eye(len(self.factual))
        result = np.empty((record.shape[1], len(record), len(one_hot)))
        result[0] = one_hot[held[0]] if 0 in held else one_hot[record[:, 0]]
        for t in range(1, record.shape[1]):
            result[t] = one_hot[held[t]] if t in held else self._advance(result[t - 1], moves[t - 1])
        return result.transpose(1, 0, 2)

    def _advance(self, marginal: Floats, moves: States) -> Floats:
        """Return the next step's marginals: records that made the same move share one matrix product."""
        order = np.argsort(moves, kind="stable")
        ends = np.searchsorted(moves[order], np.arange(len(self.table) + 1))
        marginal = marginal[order]
        advanced, result = np.empty_like(marginal), np.empty_like(marginal)
        for move, (first, last) in enumerate(pairwise(ends.tolist())):
            np.matmul(marginal[first:last], self.table[move], out=advanced[first:last])
        result[order] = advanced
        return result

    def sample(self, record: States, held: Held, draws: int, draw: Draw) -> NDArray[np.int16]:
        """Return draws of the whole counterfactual trajectory given the record, shape (draws, n, T + 1).

        The law is that of drawing each step's Gumbel noise top-down and running the chain again; only the
        steps' outcomes are drawn, by the alias method (Walker 1977), one uniform a step.

        Args:
            record: states, shape (n, T + 1).
            held: do(): states by time.
            draws: number of trajectories for each record.
            draw: source of uniforms, one stream for each time.

        Raises:
            ImpossibleEvidence: if a record makes a transition of probability 0.
        """
        moves, states = self._moves(record).astype(np.int32) * len(self.factual) ** 2, len(self.factual)
        result = np.empty((record.shape[1], draws, len(record)), dtype=np.int16)
        result[0] = held.get(0, record[:, 0])
        # Blocks that stay in the processor's cache halve the time.
        block = max(1, _CACHED // len(record))
        for t in range(1, record.shape[1]):
            generator = draw.generator(f"chain/{t}")
            for first in range(0, draws, block) if t not in held else ():
                before, after = result[t - 1 : t + 1, first : first + block]
                slot = generator.random(before.shape)
                slot *= states
                self._take(slot, before * np.int32(states) + moves[t - 1], after)
            if t in held:
                result[t] = held[t]
        return result.transpose(1, 2, 0)

    def _take(self, slot: Floats, row: NDArray[np.int32], out: NDArray[np.int16]) -> None:
        """Read the alias tables at a row's offset and a slot in [0, S)."""
        keep, outcome = self._aliases
        option = slot.astype(np.int32)
        slot -= option
        row += option
        kept = slot < keep.take(row)
        row *= 2
        row += kept
        # Taking from pairs (alias, option) is 4 times cheaper than choosing by a mask.
        outcome.take(row, out=out, mode="clip")

    @cached_property
    def _aliases(self) -> tuple[Floats, NDArray[np.int16]]:
        keep, alias = alias_table(self.table.reshape(-1, len(self.factual)))
        own = np.broadcast_to(np.arange(len(self.factual), dtype=np.int16), alias.shape)
        return keep.ravel(), np.stack([alias, own], -1).ravel()

    def _moves(self, record: States) -> States:
        """Return the code s * S + i of each recorded transition, shape (T, n)."""
        before, after = record[:, :-1], record[:, 1:]
        if (wrong := np.argwhere(self.factual[before, after] <= 0)).size:
            n, t = wrong[0]
            raise ImpossibleEvidence(
                f"record {n}, time {t + 1}", f"the move {before[n, t]} -> {after[n, t]} has probability 0"
            )
        return np.ascontiguousarray(
            (before * len(self.factual) + after).T.astype(np.min_scalar_type(self.table.shape[0]))
        )


def alias_table(rows: Floats) -> tuple[Floats, NDArray[np.int16]]:
    """Return Walker's alias tables (keep, alias) of many laws on K options at once, each of shape (rows, K).

    A uniform slot k is kept with probability keep[k] and else replaced by alias[k]. Each round settles in
    every row the option with the least mass left and tops up its slot from the one with the most.

    Args:
        rows: probabilities, shape (rows, K); a row of zeros gives a table that must not be used.
    """
    left, row = rows * rows.shape[1], np.arange(len(rows))
    keep = np.ones(rows.shape)
    alias = np.tile(np.arange(rows.shape[1], dtype=np.int16), (len(rows), 1))
    for _ in range(rows.shape[1] - 1):
        low = left.argmin(1)
        high = np.where(np.isinf(left), -np.inf, left).argmax(1)
        keep[row, low] = np.minimum(left[row, low], 1.0)
        alias[row, low] = high
        left[row, high] -= 1 - keep[row, low]
        left[row, low] = np.inf
    return keep, alias
