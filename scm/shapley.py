"""Shapley credit of any set function: exact to 16 players, by antithetic permutations beyond.

phi_i is the mean, over all orders of the players, of what i adds to those before it (Shapley 1953). A set function is
anything that gives values to coalitions: what a fitted world says when those sites keep their factual values, or live
rollouts (`games.Game`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ifonly.scm.coalitions import MOST_PLAYERS, coalitions, interaction_values, shapley_values
from ifonly.scm.draw import Draw
from ifonly.scm.errors import NotApplicable
from ifonly.scm.estimate import Estimate
from ifonly.scm.games import DrawnGame, Game, gains, sampled, settled
from ifonly.scm.sequential import betting_interval

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["drawn_shapley", "exact_shapley", "interactions", "sampled_shapley", "shapley", "world_coalitions"]

_WHOLE = 3
"""Players up to which a world is asked for all coalitions: a pair of orders would ask for nearly as many."""


def shapley(game: Game, *, pairs: int = 500, draw: Draw | None = None, level: float = 0.95) -> tuple[Estimate, ...]:
    """Return the Shapley value of each player: exact to 16 players, sampled beyond.

    Of k baseline worlds it is the mean over them, as of k independent draws, with the interval of
    `settled`; one world, or a vector of values, is taken as it is.

    Args:
        game: the set function.
        pairs: number of orders drawn beyond 16 players, each with its reverse.
        draw: source of the orders; seed 0 if None.
        level: coverage of each interval.
    """
    if game.players > MOST_PLAYERS:
        return sampled_shapley(game, pairs=pairs, draw=draw, level=level)
    table = game.ask(coalitions(game.players))
    return settled(game, shapley_values(table), level, float(np.ptp(table)))


def exact_shapley(game: Game) -> NDArray[np.float64]:
    """Return Shapley values by enumeration of all coalitions, shape (players,) or (players, k).

    Raises:
        NotApplicable: if there are more than 16 players.
    """
    return shapley_values(game.ask(coalitions(game.players)))


def interactions(game: Game) -> NDArray[np.float64]:
    """Return pairwise Shapley interaction indices, shape (players, players) or (players, players, k).

    Raises:
        NotApplicable: if there are more than 16 players, or one.
    """
    return interaction_values(game.ask(coalitions(game.players)))


def sampled_shapley(
    game: Game, *, pairs: int = 500, draw: Draw | None = None, level: float = 0.95
) -> tuple[Estimate, ...]:
    """Return Shapley values from random orders, each taken with its reverse (Mitchell et al. 2022, JMLR 23:43).

    The two orders of a pair are dependent, so a pair is one draw: t interval over pairs, or, if the game says its
    span, the betting interval of pairs in [-range, range], which covers at any number of pairs. Values of k baseline
    worlds are averaged first: the interval is for the error of the orders alone.

    Args:
        game: the set function.
        pairs: number of pairs of orders, at least 2; costs 2 pairs (players - 1) + 2 values.
        draw: source of the orders, the stream "shapley"; seed 0 if None.
        level: coverage of each interval.

    Raises:
        NotApplicable: if there are fewer than two pairs.
    """
    if pairs <= 1:
        raise NotApplicable(f"{pairs} pair(s) of orders give no interval: draw two or more")
    generator = (draw or Draw()).generator("shapley")
    orders = generator.permuted(np.tile(np.arange(game.players), (pairs, 1)), axis=1)
    added = gains(game, np.concatenate([orders, orders[:, ::-1]]))
    draws = (added[:pairs] + added[pairs:]) / 2
    made = [sampled(game, one, np.ones(pairs), level) for one in draws.T]
    if game.span is None:
        return tuple(made)
    reach = game.span[1] - game.span[0]
    for player, one in enumerate(draws.T):
        low, high = betting_interval(np.clip(one, -reach, reach), -reach, reach, level, planned=pairs)
        value = float(one.mean())
        made[player] = made[player].model_copy(
            update={"value": value, "low": min(low, value), "high": max(high, value)}
        )
    return tuple(made)


def drawn_shapley(
    game: DrawnGame, worlds: Sequence[int], *, planned: int | None = None, draw: Draw | None = None, level: float = 0.95
) -> tuple[Estimate, ...]:
    """Return the Shapley value of each player in a game that is a mean over worlds, from some of them.

    The value is linear in the game, so it is the mean over worlds of each world's own value. That is had exactly from
    all coalitions of up to 3 players, and else, without bias, from one random order and its reverse, drawn for this
    world. Worlds are independent draws in [-range, range]: betting intervals, which hold the error of worlds and of
    orders alike and are valid at any number of worlds.

    Args:
        game: the set function.
        worlds: their numbers, at least one.
        planned: for how many worlds the bets are tuned; as many as there are if None.
        draw: source of the orders, one stream a world; seed 0 if None.
        level: coverage of each interval.

    Raises:
        NotApplicable: if there is no world.
    """
    if not worlds:
        raise NotApplicable("no world was drawn: nothing is known of the game")
    drawn = np.array([_own(game.at(world), world, draw or Draw()) for world in worlds])
    reach = game.span[1] - game.span[0]
    return tuple(
        _bet(game, np.clip(one, -reach, reach), reach, level, planned or len(worlds)) for one in np.transpose(drawn)
    )


def world_coalitions(players: int, world: int, draw: Draw) -> NDArray[np.bool_]:
    """Return the coalitions that `drawn_shapley` asks of one world, shape (m, players), each once."""
    asked: list[NDArray[np.bool_]] = []

    def listen(members: NDArray[np.bool_]) -> NDArray[np.float64]:
        asked.append(members)
        return np.zeros(len(members))

    _own(Game(listen, players), world, draw)
    return np.unique(np.concatenate(asked), axis=0)


def _own(game: Game, world: int, draw: Draw) -> NDArray[np.float64]:
    """What each player adds in one world: exact, or by an order and its reverse."""
    if game.players <= _WHOLE:
        return exact_shapley(game)
    order = draw.generator(f"shapley/{world}").permutation(game.players)
    added: NDArray[np.float64] = gains(game, np.stack([order, order[::-1]])).mean(0)
    return added


def _bet(game: DrawnGame, values: NDArray[np.float64], reach: float, level: float, planned: int) -> Estimate:
    low, high = betting_interval(values, -reach, reach, level, planned=planned)
    value = float(values.mean())
    return Estimate(
        value=value,
        low=min(low, value),
        high=max(high, value),
        level=level,
        effective=float(len(values)),
        rung=game.rung,
        identified="point" if game.noise is None else "assumed",
        noise=game.noise,
    )
