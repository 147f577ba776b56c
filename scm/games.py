"""Set functions, what their numbers are, and what players add to them in given orders."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import stdtrit

from ifonly.scm.errors import NotApplicable
from ifonly.scm.estimate import Estimate, Rung
from ifonly.scm.intervals import effective_size, guarded_mean
from ifonly.scm.sequential import betting_interval

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, NDArray

__all__ = ["DrawnGame", "Game", "gains", "sampled", "settled"]

_ROWS = 2**15
"""Coalitions asked for at once, at most."""


@dataclass(frozen=True)
class Game:
    """A set function and what its numbers are.

    Attributes:
        value: from coalitions, a boolean array of shape (m, players), to their values, shape (m,) or, for k baseline
            worlds, (m, k).
        players: number of players.
        rung: rung of the ladder that its values stand on.
        noise: the noise models that they rest on, or None.
        span: the smallest and largest value that it can have, if that is known.
    """

    value: Callable[[NDArray[np.bool_]], ArrayLike]
    players: int
    rung: Rung = "counterfactual"
    noise: str | None = None
    span: tuple[float, float] | None = None

    def ask(self, members: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Return the values of coalitions, shape (m,) or (m, k).

        Raises:
            NotApplicable: if the set function gives another shape, or numbers that are not finite.
        """
        values = np.asarray(self.value(members), dtype=float)
        if values.ndim not in (1, 2) or len(values) != len(members) or not np.isfinite(values).all():
            raise NotApplicable(
                f"a set function gives {len(members)} coalitions as many finite values, or rows of k of them: "
                f"got shape {values.shape}"
            )
        return values


@dataclass(frozen=True)
class DrawnGame:
    """A set function that is a mean over worlds which can be drawn one by one: v(S) = E over w of value(S, w).

    Live rollouts are one: a world is the seed of all that is asked, and equal for all coalitions.

    Attributes:
        value: from coalitions, a boolean array of shape (m, players), and a world of each, shape (m,), to their values,
            shape (m,).
        players: number of players.
        rung: rung of the ladder that its values stand on.
        noise: the noise models that they rest on, or None.
        span: the smallest and largest value that it can have.
    """

    value: Callable[[NDArray[np.bool_], NDArray[np.int64]], ArrayLike]
    players: int
    rung: Rung = "interventional"
    noise: str | None = None
    span: tuple[float, float] = (0.0, 1.0)

    def at(self, world: int) -> Game:
        """Return the set function of one world."""

        def value(members: NDArray[np.bool_]) -> ArrayLike:
            return self.value(members, np.full(len(members), world, dtype=np.int64))

        return Game(value, self.players, self.rung, self.noise, self.span)


def gains(game: Game, orders: NDArray[np.integer]) -> NDArray[np.float64]:
    """Return what each player adds to those before it in each order, shape (orders, players).

    Args:
        game: the set function; values of k baseline worlds are averaged.
        orders: permutations of the players, shape (orders, players).
    """
    count, players = orders.shape
    place = np.argsort(orders, axis=1)
    ends = _means(game.ask(np.stack([np.zeros(players, dtype=bool), np.ones(players, dtype=bool)])))
    running = np.empty((count, players + 1))
    running[:, 0], running[:, -1] = ends
    block = max(1, _ROWS // max(players - 1, 1))
    for first in range(0, count if players > 1 else 0, block):
        some = place[first : first + block]
        members = some[:, None, :] < np.arange(1, players)[:, None]
        values = _means(game.ask(members.reshape(-1, players)))
        running[first : first + block, 1:-1] = values.reshape(len(some), players - 1)
    return np.take_along_axis(np.diff(running, axis=1), place, 1)


def settled(game: Game, credit: NDArray[np.float64], level: float, reach: float | None = None) -> tuple[Estimate, ...]:
    """Return exact credit as estimates: as it is, or of k baseline worlds the mean of k draws.

    The interval is the betting one if the game says its span, which covers at least so often; else `guarded_mean`, if
    it is known how far apart values lie; else the t interval, too narrow for a player who seldom adds anything.

    Args:
        game: the set function that it is of.
        credit: shape (players,), or (players, k).
        level: coverage of each interval.
        reach: how far apart two values of the game can be, as far as is known.
    """
    if credit.ndim == 1 or credit.shape[1] == 1:
        return tuple(Estimate.settled(float(value), game.rung, game.noise) for value in credit.reshape(len(credit)))
    return tuple(_of_draws(game, one, level, reach) for one in credit)


def sampled(game: Game, values: ArrayLike, weights: ArrayLike, level: float) -> Estimate:
    """Return the weighted mean of draws with its t interval (Owen, Monte Carlo theory, eq. 9.9).

    Unlike in `weighted_mean`, values that are all 0 or 1 are no proportion: what a player adds may be negative.

    Args:
        game: the set function that they are of.
        values: shape (n,).
        weights: shape (n,), non-negative, not all zero.
        level: coverage in (0, 1).

    Raises:
        NotApplicable: if fewer than two draws are effective.
    """
    x, w = np.asarray(values, dtype=float), np.asarray(weights, dtype=float)
    size = effective_size(w)
    if size < 2 - 1e-9:
        raise NotApplicable(f"{size:.3g} effective draws give no interval: ask for more")
    w = w / w.sum()
    mean = float(w @ x)
    half = float(stdtrit(size - 1, (1 + level) / 2)) * float(np.sqrt(np.square(w * (x - mean)).sum()))
    return Estimate(
        value=mean,
        low=mean - half,
        high=mean + half,
        level=level,
        effective=size,
        rung=game.rung,
        identified="point" if game.noise is None else "assumed",
        noise=game.noise,
    )


def _of_draws(game: Game, values: NDArray[np.float64], level: float, reach: float | None) -> Estimate:
    made = sampled(game, values, np.ones(len(values)), level)
    if made.value is None or (game.span is None and reach is None):
        return made
    if game.span is None:
        _, (low, high) = guarded_mean(values, reach or 0.0, level)
    else:
        most = game.span[1] - game.span[0]
        low, high = betting_interval(np.clip(values, -most, most), -most, most, level, planned=len(values))
    return made.model_copy(update={"low": min(low, made.value), "high": max(high, made.value)})


def _means(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return values if values.ndim == 1 else values.mean(1)
