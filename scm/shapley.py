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
from ifonly.scm.games import Game, gains, sampled, settled
from ifonly.scm.sequential import betting_interval

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ifonly.scm.estimate import Estimate

__all__ = ["exact_shapley", "interactions", "sampled_shapley", "shapley"]


def shapley(game: Game, *, pairs: int = 500, draw: Draw | None = None, level: float = 0.95) -> tuple[Estimate, ...]:
    """Return the Shapley value of each player: exact to 16 players, sampled beyond.

    Of k baseline worlds it is the mean over them, as of k independent draws, with a t interval; one world, or a
    vector of values, is taken as it is.

    Args:
        game: the set function.
        pairs: number of orders drawn beyond 16 players, each with its reverse.
        draw: source of the orders; seed 0 if None.
        level: coverage of each interval.
    """
    if game.players > MOST_PLAYERS:
        return sampled_shapley(game, pairs=pairs, draw=draw, level=level)
    return settled(game, exact_shapley(game), level)


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
