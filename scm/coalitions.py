"""Set functions as tables: the value of every coalition of players, and credit read off it by matrix products.

Coalitions of n players are numbered 0 to 2^n - 1; the first player is the most significant bit, so that coalitions that
agree on the first players stand together and a world can be run over all of them as a prefix tree (`grow`). A table has
shape (2^n,), or (2^n, k) for k baseline worlds, each with its own set function.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import comb
from typing import TYPE_CHECKING, Any

import numpy as np

from ifonly.scm.errors import NotApplicable

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["MOST_PLAYERS", "Equation", "coalitions", "grow", "interaction_values", "on_sets", "shapley_values"]

MOST_PLAYERS = 16
"""Number of players up to which all coalitions are gone through."""

Equation = Callable[[Sequence["NDArray[Any]"]], "ArrayLike"]
"""A structural equation over a prefix tree: from the values of all sites before it to its own."""


def coalitions(players: int) -> NDArray[np.bool_]:
    """Return who is in each coalition, shape (2^players, players).

    Raises:
        NotApplicable: if there are more than 16 players, or none.
    """
    if not 1 <= players <= MOST_PLAYERS:
        raise NotApplicable(
            f"{players} players have 2^{players} coalitions: from 1 to {MOST_PLAYERS} can be gone through. Sample "
            "orders instead, or let several sites be one player"
        )
    numbers = np.arange(2**players, dtype=np.int64)[:, None]
    members: NDArray[np.bool_] = (numbers >> np.arange(players - 1, -1, -1)) & 1 == 1
    return members


def on_sets(function: Callable[[frozenset[int]], float]) -> Callable[[NDArray[np.bool_]], NDArray[np.float64]]:
    """Return the vectorised form of a function of one set of players.

    Args:
        function: from the indices of the players in a coalition to its value.
    """

    def value(members: NDArray[np.bool_]) -> NDArray[np.float64]:
        return np.array([function(frozenset(np.flatnonzero(row).tolist())) for row in members], dtype=float)

    return value


def grow(equations: Sequence[Equation], puts: Sequence[ArrayLike], worlds: int) -> NDArray[Any]:
    """Return the table of an outcome over all coalitions of sites that are put, shape (2^n, worlds).

    Site i takes puts[i] in the coalitions that it is in, else what its equation says. The tree branches once a site,
    so n sites cost 2 + 4 + ... + 2^n runs of one equation instead of n 2^n; and values keep an axis of length 1 for
    each site that they do not depend on, so that a site costs only 2 to the number of its ancestors.

    Args:
        equations: n + 1 of them, in causal order, the last that of the outcome. Each gets the values of the sites
            before it, of shapes that broadcast against each other, with the worlds as last axis; and is to work
            elementwise. What an equation gives keeps its type: flags and small integers are much the cheapest.
        puts: the value that each of the n sites takes when it is put: a number, or shape (worlds,).
        worlds: number of baseline worlds.

    Raises:
        NotApplicable: if there are not n + 1 equations for n puts, or n is above 16.
    """
    if len(equations) != len(puts) + 1 or not 1 <= len(puts) <= MOST_PLAYERS:
        raise NotApplicable(
            f"n sites, 1 to {MOST_PLAYERS}, have n puts and n + 1 equations: got {len(puts)} and {len(equations)}"
        )
    sites = len(puts)
    values: list[NDArray[Any]] = []
    for i, (equation, put) in enumerate(zip(equations, puts, strict=False)):
        # Axes: one of length 1 or 2 for each site so far, then worlds; leading axes align, so pad on the right.
        own = np.asarray(equation(tuple(_padded(value, i) for value in values)))
        shape = np.broadcast_shapes(own.shape, (1,) * i + (worlds,))
        both = np.empty((*shape[:-1], 2, worlds), dtype=np.result_type(own, np.asarray(put)))
        both[..., 0, :], both[..., 1, :] = own, put
        values.append(both)
    outcome = np.asarray(equations[-1](tuple(_padded(value, sites) for value in values)))
    return np.broadcast_to(outcome, (2,) * sites + (worlds,)).reshape(2**sites, worlds)


def _padded(value: NDArray[Any], sites: int) -> NDArray[Any]:
    own = value.ndim - 1
    return value.reshape(*value.shape[:own], *(1,) * (sites - own), value.shape[-1])


def shapley_values(table: ArrayLike) -> NDArray[np.float64]:
    """Return Shapley values, shape (n,) or (n, k).

    phi_i = sum over S without i of |S|! (n - |S| - 1)! / n! (v(S + i) - v(S)) (Shapley 1953): one matrix product.

    Args:
        table: shape (2^n,) or (2^n, k).

    Raises:
        NotApplicable: if the length is no power of 2.
    """
    values, members = _read(table)
    players = members.shape[1]
    size = members.sum(1)
    # s! (n - s - 1)! / n! = 1 / (n C(n - 1, s)), of a coalition of s that the player joins.
    joined = np.array([1 / (players * comb(players - 1, s)) for s in range(players)])
    gain, loss = joined[np.maximum(size - 1, 0)], joined[np.minimum(size, players - 1)]
    weights = np.where(members.T, gain, -loss)
    credit: NDArray[np.float64] = weights @ values
    return credit


def interaction_values(table: ArrayLike) -> NDArray[np.float64]:
    """Return pairwise Shapley interaction indices, shape (n, n) or (n, n, k), symmetric, NaN on the diagonal.

    I_ij = sum over S without i, j of |S|! (n - |S| - 2)! / (n - 1)! (v(S + ij) - v(S + i) - v(S + j) + v(S)) (Grabisch
    and Roubens 1999, International Journal of Game Theory 28:547). Negative where one of the two suffices, positive
    where both are needed.

    Args:
        table: shape (2^n,) or (2^n, k), n >= 2.

    Raises:
        NotApplicable: if the length is no power of 2, or there is one player.
    """
    values, members = _read(table)
    players = members.shape[1]
    if players == 1:
        raise NotApplicable("one player has nobody to interact with")
    size = members.sum(1)
    weights = np.array([1 / ((players - 1) * comb(players - 2, s)) for s in range(players - 1)])
    index = np.full((players, players, *values.shape[1:]), np.nan)
    for i in range(players - 1):
        mine, others = members[:, i, None], members[:, i + 1 :]
        both = mine.astype(int) + others
        coefficients = np.where(both == 1, -1.0, 1.0) * weights[np.clip(size[:, None] - both, 0, players - 2)]
        index[i, i + 1 :] = coefficients.T @ values
        index[i + 1 :, i] = index[i, i + 1 :]
    return index


def _read(table: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    values = np.asarray(table, dtype=float)
    players = len(values).bit_length() - 1 if values.ndim in (1, 2) else 0
    if players < 1 or len(values) != 2**players:
        raise NotApplicable(f"a table has shape (2^n,) or (2^n, k), n >= 1: got {values.shape}")
    return values, coalitions(players)
