"""How steps share a failure: Shapley credit, interactions, and the name of what calls did together.

`credit` takes any set function: of calls left out (`credit_of_calls`), of model steps asked anew by live rollouts
(`ifonly.sim.blame.live_game`), or of sites of a world that is known (`ifonly.scm.known_game`).

The game of calls: v(S) = whether the run fails when its calls outside S are not made, its replies held. Players are the
tool calls; where the failure is in what is said and not in what is done (it is averted when no reply without calls is
said), those replies, too.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from itertools import combinations
from math import comb
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ifonly.agents.records import ModelStep
from ifonly.scm.coalitions import MOST_PLAYERS, coalitions, interaction_values, shapley_values
from ifonly.scm.draw import Draw
from ifonly.scm.estimate import Estimate
from ifonly.scm.games import DrawnGame, Game, settled
from ifonly.scm.joint_causes import joint_causes
from ifonly.scm.shapley import drawn_shapley, sampled_shapley
from ifonly.sim.blame.answers import Interaction, JointBlame

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from ifonly.agents.records import Trajectory
    from ifonly.scm.joint_causes import Question
    from ifonly.sim.blame.failure import Failure
    from ifonly.sim.blame.held import HeldRun

__all__ = ["Credit", "credit", "credit_of_calls", "rollup"]

_ROUNDING = 1e-9
_SHOWN = 10
"""Interactions that are told, at most."""
_TRIPLES = 500
"""Triples of calls that are gone through, where no pair averts the failure."""
_MANY = 8
"""Calls of a set that is found by sparing one after another, at most: all its parts are gone through."""
_STILL = " (what it did)"


@dataclass(frozen=True)
class Credit:
    """The shares of the players.

    Args:
        players: their sites.
        shapley: by player; empty where some set is not settled.
        interactions: pairs that share the work, the strongest first; only where all sets were gone through.
        joint: the smallest sets that avert the failure together.
        why: why there is no credit, if there is none.
    """

    players: tuple[str, ...]
    shapley: Mapping[str, Estimate]
    interactions: tuple[Interaction, ...] = ()
    joint: tuple[JointBlame, ...] = ()
    why: str | None = None


class _NotSettled(Exception):
    """Some set of calls has an outcome that cannot be told."""


def credit(
    game: Game | DrawnGame, players: Sequence[str], *, effort: int, seed: int, level: float
) -> tuple[dict[str, Estimate], tuple[Interaction, ...]]:
    """The shares of players in a set function, and the pairs that share the work.

    Args:
        game: the set function.
        players: their names, in its order.
        effort: how many coalitions may be asked: all of n players where 2^n are no more, else as many orders as they
            make up. Of a game that is drawn, the number of worlds: 0 to this, less one; its pairs are not told.
        seed: of the orders.
        level: coverage of intervals.
    """
    if isinstance(game, DrawnGame):
        drawn = drawn_shapley(game, range(effort), draw=Draw(seed), level=level)
        return dict(zip(players, drawn, strict=True)), ()
    shares, pairs = _shares(game, players, effort, seed, level)
    return dict(zip(players, shares, strict=True)), pairs


def credit_of_calls(held: HeldRun, failure: Failure, *, effort: int, seed: int, level: float) -> Credit:
    """The credit of the calls of a failed run.

    Args:
        held: the run.
        failure: what it is credited with.
        effort: how many sets of calls may be executed: all of n calls where 2^n are no more, else as many orders as
            they make up.
        seed: of the orders.
        level: coverage of intervals.
    """
    players = _players(held, failure)
    if not players:
        return Credit((), {}, why="the run made no call")

    def fails(dropped: frozenset[str]) -> bool:
        holds = failure.holds(held.scores(dropped).get(failure.score))
        if holds is None:
            raise _NotSettled
        return holds

    def value(members: NDArray[np.bool_]) -> list[float]:
        return [float(fails(frozenset(p for p, kept in zip(players, row, strict=True) if not kept))) for row in members]

    game = Game(value, len(players), span=(0.0, 1.0))
    try:
        shares, pairs = credit(game, players, effort=effort, seed=seed, level=level)
    except _NotSettled:
        return Credit(players, {}, why="what the run does without some of its calls is not settled")
    return Credit(players, shares, pairs, _joint(held, failure, players))


def rollup(
    run: Trajectory, shapley: Mapping[str, Estimate]
) -> dict[Literal["tool", "model", "agent"], dict[str, float]]:
    """The credit summed by tool, by the model that made the call, and by agent."""
    by: dict[Literal["tool", "model", "agent"], defaultdict[str, float]] = {
        "tool": defaultdict(float),
        "model": defaultdict(float),
        "agent": defaultdict(float),
    }
    asked = {step.site: step for step in run.steps if isinstance(step, ModelStep)}
    for step in run.steps:
        share = shapley.get(step.site)
        if share is None or share.value is None or step.kind == "input":
            continue
        caller = step if isinstance(step, ModelStep) else next((asked[s] for s in step.reads if s in asked), None)
        by["tool"]["(says)" if isinstance(step, ModelStep) else step.call.name] += share.value
        by["model"][caller.request.model if caller else run.model] += share.value
        by["agent"][caller.site.rpartition("/")[0] if caller else run.agent] += share.value
    return {name: dict(sums) for name, sums in by.items()}


def _players(held: HeldRun, failure: Failure) -> tuple[str, ...]:
    said = [step.site for step in held.run.steps if isinstance(step, ModelStep) and not step.reply.tool_calls]
    silent = failure.holds(held.scores(said).get(failure.score)) is False
    return tuple(site for site in held.run.sites if site in held.tools or (silent and site in said))


def _shares(
    game: Game, players: Sequence[str], effort: int, seed: int, level: float
) -> tuple[Sequence[Estimate], tuple[Interaction, ...]]:
    if game.players > MOST_PLAYERS or 2**game.players > effort:
        pairs = max(2, effort // (2 * (game.players - 1)))
        return sampled_shapley(game, pairs=pairs, draw=Draw(seed), level=level), ()
    table = game.ask(coalitions(game.players))
    values = shapley_values(table)
    shares = settled(game, np.where(np.abs(values) < _ROUNDING, 0.0, values), level)
    if game.players == 1:
        return shares, ()
    index = interaction_values(table)
    pairs_ = sorted(combinations(range(game.players), 2), key=lambda pair: (-abs(index[pair]), pair))
    shown = [pair for pair in pairs_ if abs(index[pair]) > _ROUNDING][:_SHOWN]
    return shares, tuple(
        Interaction(sites=(players[i], players[j]), value=Estimate.settled(float(index[i, j]), "counterfactual"))
        for i, j in shown
    )


def _joint(held: HeldRun, failure: Failure, players: Sequence[str]) -> tuple[JointBlame, ...]:
    """The smallest sets whose omission averts the failure, each with how its calls share the work.

    A backup that comes in only because another call was left out is seen by its result, which is then another one; it
    is held at what it did by leaving it out as well.
    """

    def happens(put: Mapping[str, Any]) -> bool:
        dropped = {site for site, value in put.items() if value is None}
        still = {site.removesuffix(_STILL) for site in put if site.endswith(_STILL)}
        return failure.holds(held.scores(dropped, still).get(failure.score)) is not False

    pool = [f"{site}{_STILL}" for site in players if site in held.tools]
    actual = dict.fromkeys([*players, *pool], "as it was")
    others = dict.fromkeys(players, (None,))
    found = joint_causes(happens, actual, others, size=2, witness=1, pool=pool)
    if not found and comb(len(players), 3) <= _TRIPLES:
        found = joint_causes(happens, actual, others, size=3, witness=1, pool=pool)
    if not found and 3 < len(least := _least(happens, players)) <= _MANY:  # noqa: PLR2004 -- smaller sets were tried
        found = joint_causes(happens, actual, dict.fromkeys(least, (None,)), size=len(least), witness=1, pool=pool)
    return tuple(
        JointBlame(sites=one.sites, kind=one.kind, causes=tuple(flip.sites[0] for flip in one.causes)) for one in found
    )


def _least(happens: Question, players: Sequence[str]) -> tuple[str, ...]:
    """A minimal set whose omission averts the failure, found by sparing one call after another; none if all do not."""
    dropped = list(players)
    if happens(dict.fromkeys(dropped)):
        return ()
    for site in players:
        fewer = [other for other in dropped if other != site]
        if not happens(dict.fromkeys(fewer)):
            dropped = fewer
    return tuple(dropped)
