"""Asymmetric Shapley credit: only orders in which causes come before their effects count.

phi_i is the mean, over the linear extensions of a partial order, of what i adds to those before it (Frye, Rowat and
Feige 2020, "Asymmetric Shapley values", NeurIPS, sec. 3.1, with the uniform law on the extensions). The earlier of two
sites gets the credit for what it does through the later one. Efficiency and the null player hold, symmetry does not.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ifonly.scm.draw import Draw
from ifonly.scm.errors import NotApplicable
from ifonly.scm.games import Game, gains, sampled, settled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ifonly.scm.estimate import Estimate

__all__ = ["Before", "asymmetric_shapley", "exact_asymmetric", "linear_extensions", "sampled_asymmetric"]

Before = Iterable[tuple[int, int]]
"""Pairs (i, j) of players: i comes before j."""

_MOST_DOWNSETS = 2**16
"""Sets of players closed towards the past beyond which they are not gone through."""
_MOST_BITS = 62


@dataclass(frozen=True)
class _Lattice:
    """The downsets of a partial order (bit i: player i), layer by layer, and the steps between them.

    Attributes:
        masks: the downsets, the empty one first and the full one last.
        steps: for each added player (player, index of the smaller downset, index of the larger).
        ways: number of orders of each downset's players that respect the partial order.
        rest: the same of the players that are left.
    """

    masks: NDArray[np.int64]
    steps: NDArray[np.int64]
    ways: NDArray[np.float64]
    rest: NDArray[np.float64]


def asymmetric_shapley(
    game: Game, before: Before, *, orders: int = 1_000, draw: Draw | None = None, level: float = 0.95
) -> tuple[Estimate, ...]:
    """Return the asymmetric Shapley value of each player: exact where that can be, else sampled.

    Exact if the partial order has at most 65,536 downsets: always to 16 players, and for longer runs whose steps are
    mostly in line.

    Args:
        game: the set function; of k baseline worlds the mean is taken, as in `shapley`.
        before: pairs (i, j), i before j: the causal order, transitive pairs may be left out.
        orders: number of orders drawn where sampling is needed.
        draw: source of the orders; seed 0 if None.
        level: coverage of each interval.

    Raises:
        NotApplicable: if the pairs contain a cycle or name no player.
    """
    pairs = list(before)
    lattice = _lattice(game.players, pairs)
    if lattice is None:
        return sampled_asymmetric(game, pairs, orders=orders, draw=draw, level=level)
    return settled(game, _credit(game, lattice), level)


def exact_asymmetric(game: Game, before: Before) -> NDArray[np.float64]:
    """Return asymmetric Shapley values by dynamic programming over downsets, shape (players,) or (players, k).

    phi_i = sum over downsets S that i may join of e(S) e'(S + i) / e (v(S + i) - v(S)), where e(S) counts the orders of
    S that respect the partial order, e' those of the players outside, and e those of all.

    Raises:
        NotApplicable: if the pairs contain a cycle or name no player, or there are more than 65,536 downsets.
    """
    lattice = _lattice(game.players, list(before))
    if lattice is None:
        raise NotApplicable(f"more than {_MOST_DOWNSETS} sets respect the order: sample, or state more of the order")
    return _credit(game, lattice)


def linear_extensions(players: int, before: Before) -> float:
    """Return the number of orders that respect a partial order, of at most 65,536 downsets.

    Raises:
        NotApplicable: if the pairs contain a cycle or name no player, or there are more downsets.
    """
    lattice = _lattice(players, list(before))
    if lattice is None:
        raise NotApplicable(f"more than {_MOST_DOWNSETS} sets respect the order: they are not counted")
    return float(lattice.ways[-1])


def sampled_asymmetric(
    game: Game, before: Before, *, orders: int = 1_000, draw: Draw | None = None, level: float = 0.95
) -> tuple[Estimate, ...]:
    """Return asymmetric Shapley values estimated from random orders.

    An order is drawn by choosing uniformly among the players whose causes have all come, which is not uniform on the
    linear extensions: its probability is the product of 1 / (number of choices). Each order therefore weighs the
    product of its numbers of choices, and the self-normalised mean is consistent for the uniform law; `effective` says
    how many equal draws the weights are worth. A reversed order breaks the partial order, so there are no pairs.

    Args:
        game: the set function; values of k baseline worlds are averaged first.
        before: pairs (i, j), i before j.
        orders: number of orders; costs orders (players - 1) + 2 values.
        draw: source of the orders, the stream "asymmetric"; seed 0 if None.
        level: coverage of each interval.

    Raises:
        NotApplicable: if the pairs contain a cycle or name no player, or fewer than two draws are effective.
    """
    needs = _needs(game.players, list(before))
    drawn, log_weights = _draw_orders(needs, orders, (draw or Draw()).generator("asymmetric"))
    added, weights = gains(game, drawn), np.exp(log_weights - log_weights.max())
    return tuple(sampled(game, one, weights, level) for one in added.T)


def _draw_orders(
    needs: NDArray[np.bool_], orders: int, generator: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Orders, shape (orders, players), and the log of the product of their numbers of choices."""
    players = len(needs)
    placed = np.zeros((orders, players), dtype=bool)
    drawn, log_weights = np.empty((orders, players), dtype=np.int64), np.zeros(orders)
    rows = np.arange(orders)
    for place in range(players):
        lacking = (~placed).astype(np.float32) @ needs.T.astype(np.float32)
        free = ~placed & (lacking == 0)
        choices = free.sum(1)
        drawn[:, place] = np.where(free, generator.random(free.shape), -1.0).argmax(1)
        placed[rows, drawn[:, place]] = True
        log_weights += np.log(choices)
    return drawn, log_weights


def _needs(players: int, before: list[tuple[int, int]]) -> NDArray[np.bool_]:
    """Whether player j needs i before it, shape (players, players): rows j, columns i."""
    needs = np.zeros((players, players), dtype=bool)
    for first, then in before:
        if not (0 <= first < players and 0 <= then < players):
            raise NotApplicable(f"pair ({first}, {then}) names no player of 0 to {players - 1}")
        needs[then, first] = True
    left = np.ones(players, dtype=bool)
    while (free := left & ~needs[:, left].any(1)).any():
        left &= ~free
    if left.any():
        raise NotApplicable(f"players {np.flatnonzero(left).tolist()} come before themselves: the order has a cycle")
    return needs


def _lattice(players: int, before: list[tuple[int, int]]) -> _Lattice | None:
    """The downsets, or None if there are too many."""
    needs = _needs(players, before)
    if players > _MOST_BITS:
        return None
    bits = np.int64(1) << np.arange(players, dtype=np.int64)
    required = needs @ bits
    layers, steps, total = [np.zeros(1, dtype=np.int64)], [], 1
    for _ in range(players):
        layer, start = layers[-1], total - len(layers[-1])
        free = (layer[:, None] & bits == 0) & (layer[:, None] & required == required)
        small, player = np.nonzero(free)
        larger, index = np.unique(layer[small] | bits[player], return_inverse=True)
        steps.append(np.stack([player, small + start, index.reshape(-1) + total]))
        layers.append(larger)
        total += len(larger)
        if total > _MOST_DOWNSETS + 1:
            return None
    ways, rest = np.zeros(total), np.zeros(total)
    ways[0] = rest[-1] = 1.0
    for _, small, large in steps:
        np.add.at(ways, large, ways[small])
    for _, small, large in reversed(steps):
        np.add.at(rest, small, rest[large])
    return _Lattice(np.concatenate(layers), np.concatenate(steps, axis=1), ways, rest)


def _credit(game: Game, lattice: _Lattice) -> NDArray[np.float64]:
    members = (lattice.masks[:, None] >> np.arange(game.players)) & 1 == 1
    values = game.ask(members)
    player, small, large = lattice.steps
    share = lattice.ways[small] * lattice.rest[large] / lattice.ways[-1]
    gain = (values[large] - values[small]) * share.reshape(-1, *(1,) * (values.ndim - 1))
    credit = np.zeros((game.players, *values.shape[1:]))
    np.add.at(credit, player, gain)
    return credit
