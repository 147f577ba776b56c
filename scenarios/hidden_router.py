"""An agent of two steps, whose router knew what its log does not: how hard the task was.

    hard, draft/0 ---> model/0 ---> draft/1 ---> model/1 ---> solved/1
    hard ---> draft/1, hard ---> solved/1, draft/1 ---> solved/1

Tasks are hard with probability .5; hard ones go to the large model four times in five, easy ones to the small one. The
draft is good with a probability that hangs on task and model; whose turn it is then is drawn, and the task is solved
with a probability that hangs on task, draft and model. The log shows models, draft and success.

Naive and wrong: weighting by propensities that are fitted to what the log shows, for hardness moved both choice and
success. Right: replaying each run in this world, whose law of the router is part of it (`ifonly.sim.policy.stated`).
"""

from __future__ import annotations

from math import fsum
from typing import TYPE_CHECKING, Final

from ifonly.agents.tables import Table
from ifonly.scm.discrete import Threshold, look_up
from ifonly.scm.finite import choice
from ifonly.scm.fixed import given
from ifonly.scm.kernel import endogenous
from ifonly.scm.queries import observe

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ARMS", "sample", "truth", "world"]

ARMS: Final = ("large", "small")
"""Arm 0 and arm 1."""

_FIRST: Final = ((0.8,), (0.2,))
"""P(small) for an easy task, and for a hard one; there is no draft yet."""
_GOOD: Final = ((0.9, 0.7), (0.6, 0.2))
"""P(good draft), by task and model."""
_SOLVED: Final = (((0.6, 0.3), (0.95, 0.9)), ((0.3, 0.05), (0.8, 0.7)))
"""P(solved), by task, draft and model."""


def world() -> None:
    """Run it once."""
    hard = endogenous("hard", choice((0, 1)))
    nothing = given("draft/0", 0)
    first = endogenous("model/0", Threshold(look_up(_FIRST)), hard, nothing)
    draft = endogenous("draft/1", Threshold(look_up(_GOOD)), hard, first)
    second = endogenous("model/1", Threshold(look_up((0.5, 0.5))), draft)
    endogenous("solved/1", Threshold(look_up(_SOLVED)), hard, draft, second)


def sample(runs: int, seed: int = 0) -> Table:
    """The log of so many runs, a decision a row: `run`, `model`, `draft` (0 before there is one), `solved`.

    Args:
        runs: how many.
        seed: of the noise.
    """
    found = observe(world, rows=runs, seed=seed)
    columns: dict[str, list[str | float]] = {"run": [], "model": [], "draft": [], "solved": []}
    for run in range(runs):
        for step in (0, 1):
            columns["run"].append(str(run))
            columns["model"].append(ARMS[int(found[f"model/{step}"][run])])
            columns["draft"].append(float(found["draft/1"][run]) * step)
            columns["solved"].append(float(found["solved/1"][run]) * step)
    return Table("hidden router", columns)


def truth(policy: Callable[[int, int], int]) -> float:
    """V(pi), by enumeration.

    Args:
        policy: arm of a step, given the draft (0 before there is one).
    """
    first = policy(0, 0)
    return fsum(
        0.5 * (good if draft else 1 - good) * _SOLVED[hard][draft][policy(1, draft)]
        for hard, good in enumerate(row[first] for row in _GOOD)
        for draft in (0, 1)
    )
