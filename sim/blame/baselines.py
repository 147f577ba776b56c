"""What simpler rules say of a failure, to be printed beside every answer."""

from __future__ import annotations

from math import fsum
from typing import TYPE_CHECKING

from ifonly.agents.records import InputStep, ModelStep
from ifonly.scm.shares import share_of
from ifonly.sim.blame.answers import Baselines

if TYPE_CHECKING:
    from ifonly.agents.corpus import Corpus
    from ifonly.agents.records import Trajectory
    from ifonly.agents.rerun import Rerun
    from ifonly.scm.estimate import Estimate
    from ifonly.sim.blame.failure import Failure

__all__ = ["baselines"]


def baselines(run: Trajectory, rerun: Rerun, corpus: Corpus | None, failure: Failure, level: float) -> Baselines:
    """The last step, the least probable one, and luck.

    Args:
        run: the failed run.
        rerun: its tools, which tell whether another run started alike.
        corpus: other recorded runs, if there are any.
        failure: what they must not do.
        level: coverage of the interval.
    """
    acts = [step for step in run.steps if not isinstance(step, InputStep)]
    told = [step for step in acts if isinstance(step, ModelStep) and step.logprobs]
    least = min(told, key=_mean_logprob, default=None)
    rate, why = _luck(run, rerun, corpus, failure, level)
    return Baselines(
        last_step=acts[-1].site if acts else None,
        lowest_logprob=least.site if least else None,
        rerun=rate,
        why_not_rerun=why,
    )


def _mean_logprob(step: ModelStep) -> float:
    tokens = step.logprobs or ()
    return fsum(token.logprob for token in tokens) / max(len(tokens), 1)


def _luck(
    run: Trajectory, rerun: Rerun, corpus: Corpus | None, failure: Failure, level: float
) -> tuple[Estimate | None, str | None]:
    if corpus is None:
        return None, "no corpus of other runs was named"
    verdicts = [failure.of(one) for one in corpus.runs if _repeats(one, run, rerun)]
    known = [verdict for verdict in verdicts if verdict is not None]
    if not known:
        return None, "the corpus holds no other run of this model and task from the same state"
    return share_of(known.count(False), len(known), "interventional", level), None


def _repeats(other: Trajectory, run: Trajectory, rerun: Rerun) -> bool:
    """Whether another run is the same experiment once more."""
    same = (other.task, other.model, other.agent) == (run.task, run.model, run.agent)
    if not same or other.id == run.id or not other.steps:
        return False
    if run.environment is None or other.environment is None or run.environment.name != other.environment.name:
        return run.environment is other.environment
    start = rerun.environment.start
    return start(run.environment) == start(other.environment)
