"""Blame one recorded run: which steps its failure is due to, and what would have averted it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ifonly.agents.canonical import canonical_json
from ifonly.agents.environments.registry import environment_of
from ifonly.agents.errors import ActionError
from ifonly.agents.records import InputStep, ToolStep
from ifonly.agents.rerun import Rerun
from ifonly.sim.blame.alternatives import alternatives, good_runs
from ifonly.sim.blame.answers import Baselines, BlameAnswer
from ifonly.sim.blame.asked_live import asked_live
from ifonly.sim.blame.attempts import Asking
from ifonly.sim.blame.baselines import baselines
from ifonly.sim.blame.credit import credit_of_calls, rollup
from ifonly.sim.blame.failure import Failure, failure_of, parse_failure
from ifonly.sim.blame.fixes import fixes
from ifonly.sim.blame.held import HeldRun
from ifonly.sim.blame.origins import origins
from ifonly.sim.blame.rows import rank, rows
from ifonly.sim.blame.sufficiency import GoodWorlds
from ifonly.sim.continuations import FromCorpus, Hold
from ifonly.sim.whatif import assumptions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ifonly.agents.corpus import Corpus
    from ifonly.agents.environments.base import Environment
    from ifonly.agents.records import Trajectory
    from ifonly.sim.blame.answers import StepBlame
    from ifonly.sim.blame.credit import Credit
    from ifonly.sim.blame.live import LiveAsk
    from ifonly.sim.blame.live_answers import LiveBlame

__all__ = ["EFFORT", "asking_of", "blame", "not_again"]

EFFORT = 4_096
"""Sets of calls that are executed for the Shapley credit of one run, if nothing else is said: exact up to 12 calls."""

_GAME = (
    "Shapley credit is of the calls alone: v(S) is whether the run fails when its calls outside S are not made and all "
    "replies are held."
)
_LIVE_GAME = (
    "The live share of a model step is of the failure beyond luck: v(S) is how often the run fails when the steps of S "
    "say what they said, wherever the run comes to them, and all others are asked anew."
)
_LATER = "No model was asked: effects that need replies nobody recorded are left open (live calls may settle them)."


def blame(
    run: Trajectory,
    *,
    corpus: Corpus | None = None,
    environment: Environment | None = None,
    score: Failure | str | None = None,
    effort: int = EFFORT,
    seed: int = 0,
    level: float = 0.95,
    live: LiveAsk | None = None,
) -> BlameAnswer:
    """Which steps the failure of a recorded run is due to, from recordings, re-execution and, where asked, live calls.

    Each step is asked, by intervention, what its alternatives would have done: with later replies held (the controlled
    direct effect), and, where there is a corpus, with later replies drawn from recorded runs (the total effect).

    Long because its arguments are many, and each is told.

    Args:
        run: the recorded run.
        corpus: other recorded runs: of alternatives, of later replies, of good runs.
        environment: where tool calls are executed; the run's own, if it is known here.
        score: what counts as failure, for instance ``security=true``; `failure_of` the run if None.
        effort: how many sets of calls to execute for the Shapley credit: 2^n for n calls make it exact, to 16.
        seed: of the orders that are drawn where there are more.
        level: coverage of intervals; 1 - level is the false-discovery rate of the flip set.
        live: how models are asked what the log leaves open; None asks none. The control of each what-if is the run
            asked again, unchanged, from the place where the worlds part.

    Raises:
        ActionError: the run is not one growing conversation.
        ToolEnvironmentError: the run's environment is known but not installed, or does not know the task.
        IfonlyError: models were to be asked, and none answered, for another reason than the budget.
    """
    asking = asking_of(run, corpus=corpus, environment=environment, score=score, level=level)
    if isinstance(asking, BlameAnswer):
        return asking
    beside = baselines(run, asking.rerun, corpus, asking.failure, level)
    answer = _asked(asking, corpus, effort, seed, live)
    luck = answer.baselines.rerun_live if answer.baselines else None
    later = (asking.corpus.assumption,) if asking.corpus else ()
    told = (_LATER,) if live is None else (*live.assumptions, *((_LIVE_GAME,) if live.worlds != 0 else ()))
    lines = (*assumptions(run, Hold(), asking.rerun), *later, _GAME, *told)
    return answer.model_copy(update={"baselines": beside.model_copy(update={"rerun_live": luck}), "assumes": lines})


def asking_of(
    run: Trajectory,
    *,
    corpus: Corpus | None = None,
    environment: Environment | None = None,
    score: Failure | str | None = None,
    level: float = 0.95,
) -> Asking | BlameAnswer:
    """What asks of a failed run; or the answer, where it did not fail. The arguments are those of `blame`.

    Raises:
        ActionError: the run is not one growing conversation.
        ToolEnvironmentError: the run's environment is known but not installed, or does not know the task.
    """
    failure = parse_failure(score) if isinstance(score, str) else score or failure_of(run)
    if failure is None or not failure.of(run):
        return _abstained(run, failure, _not_failed(run, failure))
    rerun = Rerun(environment or environment_of(run))
    later = FromCorpus(corpus) if corpus is not None else None
    return Asking(run, HeldRun(run, rerun.environment), rerun, later, failure, level)


def _asked(asking: Asking, corpus: Corpus | None, effort: int, seed: int, live: LiveAsk | None) -> BlameAnswer:
    """Blame for a failure, if the recorded one can be had again."""
    run, held, failure = asking.run, asking.held, asking.failure
    if (told := not_again(asking)) is not None:
        return _abstained(run, failure, told)
    shares = credit_of_calls(held, failure, effort=effort, seed=seed, level=asking.level)
    good = good_runs(run, corpus, failure)
    known = alternatives(run, held, asking.rerun, good, corpus)
    parts = None if live is None else asked_live(asking, known, live)
    asked = (*known, *(parts.alternatives if parts else ()))
    steps = rows(asking, asked, shares, GoodWorlds(held, good, failure), parts.shares if parts else {})
    answer = _answer(asking, steps, shares, parts.report if parts else None)
    if live is None or parts is None:
        return answer
    luck = Baselines(last_step=None, lowest_logprob=None, rerun=None, rerun_live=parts.luck)
    paid = {"calls": live.counted.live, "cost": live.counted.cost, "live": parts.report, "baselines": luck}
    return answer.model_copy(update=paid)


def not_again(asking: Asking) -> str | None:
    """Why the recorded failure cannot be had again by executing the recorded calls; None if it can."""
    failure, held = asking.failure, asking.held
    now = held.judged.get(failure.score)
    if held.environment.executes and now is None:
        judged = ", ".join(held.judged) or "no score at all"
        return (
            f"nothing judges {failure.score} anew (the environment gives {judged}), so no changed run can be held to it"
        )
    if held.environment.executes and failure.holds(now) is not True:
        return f"replay does not reproduce: today's judge gives {failure.score} = {now!r} for the recorded calls"
    return None


def _answer(asking: Asking, steps: Sequence[StepBlame], shares: Credit, report: LiveBlame | None) -> BlameAnswer:
    run, ranked = asking.run, rank(steps)
    certain = tuple(dict.fromkeys(row.site for row in steps if row.flips == "certain"))
    likely = tuple(dict.fromkeys(row.site for row in steps if row.flips == "likely"))
    first = next((site for site in ranked if site in shares.players), None)
    reason = None if ranked else _nobody(asking, steps, shares, report)
    return BlameAnswer(
        run=run.id,
        task=run.task,
        model=run.model,
        prompt=_prompt(run),
        failure=asking.failure,
        verdict="abstained" if reason else "blamed",
        reason=reason,
        earliest=certain[0] if certain else None,
        latest=certain[-1] if certain else None,
        flip_set=certain,
        likely=tuple(site for site in likely if site not in certain),
        ranked=ranked,
        steps=tuple(steps),
        joint=shares.joint,
        interactions=shares.interactions,
        origins=origins(run, steps, first) if first else (),
        fixes=fixes(asking, steps, shares.joint),
        rollup=rollup(run, shares.shapley),
        players=shares.players,
        executions=asking.held.executions,
    )


def _not_failed(run: Trajectory, failure: Failure | None) -> str:
    if failure is None and not run.outcome.scores:
        return "no score of the run was recorded, so nothing says that it failed"
    if failure is None:
        return "the run did not fail: no score is false or 0; say what counts as failure with --score NAME=VALUE"
    score = run.outcome.scores.get(failure.score)
    if score is None:
        raise ActionError(
            f"blame for {failure.text}",
            f"run {run.id} has no score {failure.score!r}",
            f"Its scores: {', '.join(run.outcome.scores) or 'none'}.",
        )
    return f"the run did not fail: {failure.score} is {str(score).lower()}, and {failure.text} counts as failure"


def _nobody(asking: Asking, steps: Sequence[StepBlame], shares: Credit, report: LiveBlame | None) -> str:
    """Why nobody is blamed."""
    if not any(row.attempts for row in steps):
        return "no support: no alternative to any step is known"
    settled = [row for row in steps if row.flips == "no"]
    left = sum(row.flips == "open" for row in steps)
    if report is not None and report.stopped and left:
        return (
            f"{report.stopped}; {left} step{'s stay' if left > 1 else ' stays'} open, and no other averts the failure"
        )
    if not settled:
        return f"no support: no what-if is settled{f' ({shares.why})' if shares.why else ''}"
    calls = sum(isinstance(step, ToolStep) for step in asking.run.steps)
    tail = f"; {left} step{'s stay' if left > 1 else ' stays'} open" if left else ""
    return f"nothing flips: no alternative to any step, of {calls} calls, averts the failure{tail}"


def _prompt(run: Trajectory) -> str | None:
    said = (step.message.content for step in run.steps if isinstance(step, InputStep) and step.message.role == "system")
    return next((text if isinstance(text, str) else canonical_json(text) for text in said if text is not None), None)


def _abstained(run: Trajectory, failure: Failure | None, reason: str) -> BlameAnswer:
    return BlameAnswer(
        run=run.id,
        task=run.task,
        model=run.model,
        prompt=_prompt(run),
        failure=failure,
        verdict="abstained",
        reason=reason,
    )
