"""The game that a known world plays: credit of its sites, by exact enumeration."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ifonly.scm.actions import Put
from ifonly.scm.coalitions import on_sets
from ifonly.scm.enumeration import enumerate_world
from ifonly.scm.games import Game

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ifonly.scm.answers import Twin
    from ifonly.scm.steps import Facts, World

__all__ = ["known_game"]


def known_game(world: World, facts: Facts, players: Sequence[str], outcome: str | Callable[[Twin], Any]) -> Game:
    """Return v(S) = E[outcome | do(the sites of S have their factual values)], all other noise drawn anew.

    The world may be written down or fitted; live rollouts estimate the same game where it is neither. Each coalition
    is one enumeration.

    Args:
        world: whose noise has finite support.
        facts: at least the values of the players.
        players: sites, in the order of the game.
        outcome: a site, or a function of the twin, whose mean is shared.
    """

    def value(members: frozenset[int]) -> float:
        return enumerate_world(world, None, {players[i]: Put(facts[players[i]]) for i in members}).mean(outcome)

    return Game(on_sets(value), len(players), rung="interventional")
