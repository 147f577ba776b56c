"""What-ifs of failed runs of drawn workflows, whose answers are exact: abduction beside asking the model again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from ifonly.scenarios.bench.contest import LEVEL, Answer, Contest, Entry, answer_of, timed
from ifonly.scenarios.coverage.intervals import drawn_what_if
from ifonly.sim.blame.numbers import difference
from ifonly.sim.live_answer import arm_estimate, change_estimate
from ifonly.sim.rollout import Effort

if TYPE_CHECKING:
    from ifonly.sim.live_answer import Values

__all__ = ["workflow_contest"]

_PARTICLES: Final = 20
_UNIT: Final = (0.0, 1.0)
_SAME_RUN = "P(this run succeeds | its log, do(option))"
_CHANGE = "effect of the option, later noise fresh"

_ENTRIES: Final = (
    Entry(query=_SAME_RUN, estimator="abducted noise", right=True, why="Gumbel-max choices", conservative=True),
    Entry(
        query=_SAME_RUN,
        estimator="asked again",
        right=False,
        why="re-runs what follows with fresh noise, which answers about another run",
        conservative=True,
    ),
    Entry(query=_CHANGE, estimator="paired arms", right=True, why="arms share their noise", conservative=True),
    Entry(query=_CHANGE, estimator="arms apart", right=True, why="arms have noise of their own", conservative=True),
    Entry(
        query=_CHANGE,
        estimator="no control",
        right=False,
        why="takes the failure for certain: whatever succeeds now is laid to the option",
        conservative=True,
    ),
)


def workflow_contest(particles: int = _PARTICLES) -> Contest:
    """The contest: in each round a workflow of its own, one failed run of it, and an option at one step.

    Args:
        particles: re-runs in each arm.
    """
    question = "Had a step of this failed run taken another option: would the run have succeeded?"
    return Contest("drawn workflows", "agents", question, _ENTRIES, lambda seed: _play(seed, particles))


def _play(seed: int, particles: int) -> tuple[Answer, ...]:
    generator = np.random.default_rng(seed)
    asked, own = drawn_what_if(generator), int(generator.integers(2**31))
    rows, more = (generator.random((particles, asked.workflow.steps)) for _ in range(2))
    calls = particles * (asked.workflow.steps - asked.k - 1)
    exact = asked.posterior
    this_run = exact.counterfactual(asked.put)
    with_it, without = (exact.fresh(asked.k, put) for put in (asked.put, asked.again))
    effort, wide = Effort(particles, level=LEVEL), Effort(particles, level=(1 + LEVEL) / 2)
    same, own_seconds = timed(lambda: asked.abducted(own, particles))
    option, seconds = timed(lambda: asked.fresh(asked.put, rows))
    paired, apart = asked.fresh(asked.again, rows), asked.fresh(asked.again, more)
    before, after = (arm_estimate(_failures(arm), _UNIT, wide, "fresh") for arm in (apart, option))
    fresh = arm_estimate(option, _UNIT, effort, "fresh")
    return (
        answer_of(arm_estimate(same, _UNIT, effort, "choice"), this_run, own_seconds, calls),
        answer_of(fresh, this_run, seconds, calls),
        answer_of(change_estimate(option, paired, _UNIT, effort), with_it - without, 2 * seconds, 2 * calls),
        answer_of(difference(before, after, LEVEL), with_it - without, 2 * seconds, 2 * calls),
        answer_of(fresh, with_it - without, seconds, calls),
    )


def _failures(arm: Values) -> list[float | None]:
    return [None if value is None else 1.0 - value for value in arm]
