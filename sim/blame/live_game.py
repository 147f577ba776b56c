"""The credit of model steps by live rollouts.

The game: players are the model steps of the failed run. v(S) = P(the run fails | the steps of S say what they said,
wherever the run comes to them, and all other model steps are asked anew). It is interventional: do(reply) at S, fresh
noise elsewhere, tools executed. v of all steps is 1, for the recorded run failed; v of none is the failure rate of the
run asked again. So the shares sum to the failure beyond luck, 1 - v(none), and a step gets what insisting on its reply
adds, in the mean over all orders. A free text that stands in later prompts and does nothing gets none, since later
steps of S keep their replies whatever they read.

A world is a seed: particle n of every coalition draws the same replies to equal requests.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ifonly.agents.errors import BudgetSpent
from ifonly.scm.draw import Draw
from ifonly.scm.games import DrawnGame
from ifonly.scm.shapley import world_coalitions
from ifonly.sim.blame.arms import keeping, model_sites
from ifonly.sim.blame.credit import credit

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from ifonly.scm.estimate import Estimate
    from ifonly.sim.blame.arms import Arms, Doing
    from ifonly.sim.blame.failure import Failure

__all__ = ["live_credit", "live_game"]


def live_game(arms: Arms, failure: Failure) -> DrawnGame:
    """The set function, read off the re-runs that `arms` holds.

    A re-run that could not go on, or cannot be judged, counts as not failed.

    Args:
        arms: of the failed run.
        failure: what it is credited with.
    """
    sites = model_sites(arms.run)

    def value(members: NDArray[np.bool_], worlds: NDArray[np.int64]) -> list[float]:
        return [_fails(arms, failure, _doing(arms, sites, row), int(w)) for row, w in zip(members, worlds, strict=True)]

    return DrawnGame(value, len(sites), rung="interventional", span=(0.0, 1.0))


async def live_credit(
    arms: Arms,
    failure: Failure,
    *,
    worlds: int,
    batch: int,
    seed: int,
    level: float,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> tuple[dict[str, Estimate], int, str | None]:
    """The shares of the model steps, by world after world, as far as the budget goes.

    Long because its arguments are many, and each is told.

    Args:
        arms: opened.
        failure: what is shared.
        worlds: how many are asked for.
        batch: worlds at a time; one in which the budget ends is left out whole.
        seed: of the orders.
        level: coverage of the intervals.
        progress: told the worlds done, and of how many.

    Returns:
        The shares by site (none if no world was had), the number of worlds, and why there are not all.
    """
    sites, draw, made, why = model_sites(arms.run), Draw(seed), 0, None
    for start in range(0, worlds if sites else 0, batch):
        numbers = range(start, min(start + batch, worlds))
        try:
            for number in numbers:
                rows = world_coalitions(len(sites), number, draw)
                asked = [_doing(arms, sites, row) for row in rows if not row.all()]
                await arms.fill([("independent", doing) for doing in asked], [number])
        except BudgetSpent as error:
            why = f"budget spent: {error.found}"
            break
        made = numbers.stop
        progress(made, worlds)
    if not made:
        return {}, 0, why
    shares, _ = credit(live_game(arms, failure), sites, effort=made, seed=seed, level=level)
    return shares, made, why


def _doing(arms: Arms, sites: tuple[str, ...], row: NDArray[np.bool_]) -> Doing:
    return keeping(arms.run, [site for site, kept in zip(sites, row, strict=True) if kept], sites)


def _fails(arms: Arms, failure: Failure, doing: Doing, world: int) -> float:
    if doing.key == "recorded":
        return 1.0
    (particle,) = arms.particles("independent", doing, [world])
    return float(failure.holds(particle.walk.scores.get(failure.score)) or False)
