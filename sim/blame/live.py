"""Asking models what the log leaves open: each what-if beside its control, batch by batch, until it is decided.

All what-ifs take the same particles, so that a control is paid once for all that part at its site, and equal requests
once for all arms. What is decided early is asked no more: its p-value survives the correction for all questions
whatever the others say, or the failure is plainly not averted. Intervals and p-values are by betting, valid at any
such stop (`ifonly.scm.sequential`). Where the budget ends, what was asked stands, and the rest stays open.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from time import monotonic
from typing import TYPE_CHECKING

from ifonly.agents.errors import BudgetSpent, IfonlyError
from ifonly.scm.estimate import Estimate
from ifonly.scm.sequential import betting_p_value
from ifonly.sim.blame.answers import Attempt
from ifonly.sim.blame.attempts import Asked
from ifonly.sim.blame.live_answers import LiveBlame, Sensitivity
from ifonly.sim.blame.numbers import averted
from ifonly.sim.live import Live
from ifonly.sim.live_answer import arm_estimate, change_estimate, live_outcome
from ifonly.sim.rollout import Arm, Effort, Particle

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ifonly.sim.blame.arms import Arms, Doing, Voice
    from ifonly.sim.blame.attempts import Asking
    from ifonly.sim.blame.questions import Question
    from ifonly.sim.live import Counted, Noise, Replies
    from ifonly.sim.live_answer import Values

__all__ = ["LiveAsk", "ask_live", "risk_of"]

_SAME = "A model that is asked now answers as the one that was recorded would have."
_UNIT = (0.0, 1.0)


@dataclass(frozen=True, slots=True)
class LiveAsk:
    """How blame asks models now.

    Args:
        voices: where replies come from: ``independent`` (fresh noise) always; the couplings to the recorded noise
            where that is abducted.
        counted: the model that they ask, which counts its calls; behind `ifonly.sim.live.Once`.
        noise: as the user names it.
        effort: particles in each arm, calls at a time, steps of a re-run, and an interval that is narrow enough.
        seed: of all draws, for the report.
        models: other models that are to answer.
        prompts: other prompts.
        sites: only steps of these sites are asked; all, if empty.
        worlds: in how many worlds the credit of model steps is asked; as many as particles if None.
        progress: told the particles done, and of how many.
    """

    voices: Mapping[Voice, Replies]
    counted: Counted
    noise: Noise = "fresh"
    effort: Effort = field(default_factory=Effort)
    seed: int = 0
    models: tuple[str, ...] = ()
    prompts: tuple[str, ...] = ()
    sites: tuple[str, ...] = ()
    worlds: int | None = None
    progress: Callable[[int, int], None] = lambda done, of: None

    @property
    def assumptions(self) -> tuple[str, ...]:
        """What asking assumes, a sentence each."""
        return (_SAME, *dict.fromkeys(voice.assumption for voice in self.voices.values()))


@dataclass
class _State:
    """A question and how far it is asked."""

    question: Question
    numbers: range = range(0)
    done: bool = False
    early: bool = False
    error: IfonlyError | None = None


async def ask_live(asking: Asking, questions: Sequence[Question], ask: LiveAsk, arms: Arms) -> LiveBlame:
    """Ask each question until it is decided or has all its particles, and give the answers to `asking`.

    Args:
        asking: takes the answers.
        questions: what is open.
        ask: how to ask.
        arms: opened; keep the re-runs.

    Raises:
        IfonlyError: nothing at all could be had, for another reason than the budget; the first reason.
    """
    began, states = monotonic(), [_State(one) for one in questions]
    stopped = await _fill(asking, [state for state in states if state.question.parted is not None], ask, arms)
    failed = [state.error for state in states if state.error is not None]
    if failed and len(failed) == len(states):
        raise failed[0]
    for state in states:
        asking.take(_answered(asking, state, ask, arms, stopped))
    return LiveBlame(
        noise=ask.noise,
        seed=ask.seed,
        asked=len(states),
        runs=arms.made,
        particles=max((len(state.numbers) for state in states), default=0),
        early=sum(state.early for state in states),
        recorded=ask.counted.recorded,
        seconds=monotonic() - began,
        stopped=stopped,
    )


def risk_of(asking: Asking, arms: Arms, doing: Doing, ask: LiveAsk) -> Estimate | None:
    """The probability of the failure in an arm under fresh noise; None where it was not asked."""
    particles = arms.all("independent", doing)
    effort = replace(ask.effort, width=0.0, level=asking.level)
    return _arm(_failed(asking, particles), effort, "independent") if particles else None


async def _fill(asking: Asking, states: Sequence[_State], ask: LiveAsk, arms: Arms) -> str | None:
    """Batch after batch of all that is undecided; why it stopped before all was asked."""
    effort, batch = ask.effort, max(1, ask.effort.workers // 2)
    total, done = effort.particles * len(states), 0
    for start in range(0, effort.particles, batch):
        numbers = range(start, min(start + batch, effort.particles))
        for state in (state for state in states if not state.done):
            try:
                await arms.fill(_wanted(state.question, ask), numbers)
            except BudgetSpent as error:
                return f"budget spent: {error.found}"
            state.numbers = range(numbers.stop)
            done += len(numbers)
            _look(asking, state, ask, arms, len(states))
            if state.done:
                done += effort.particles - numbers.stop
            ask.progress(done, total)
    return None


def _wanted(question: Question, ask: LiveAsk) -> list[tuple[Voice, Doing]]:
    """The arms of a question: changed under each noise, the control under fresh noise alone."""
    arms: list[tuple[Voice, Doing]] = [(voice, question.doing) for voice in ask.voices]
    return arms if question.control is None else [*arms, ("independent", question.control)]


def _look(asking: Asking, state: _State, ask: LiveAsk, arms: Arms, tests: int) -> None:
    """Whether a question needs no more particles."""
    first = arms.particles("independent", state.question.doing, state.numbers)
    if all(particle.failed for particle in first):
        state.done, state.error = True, first[0].failed
        return
    read = _read(asking, state, ask, arms)
    sure = (1 - asking.level) / (tests * sum(1 / (k + 1) for k in range(tests)))
    width = ask.effort.width
    narrow = width is not None and read.change.high - read.change.low <= width
    plain = read.effect.high < 1 / 2 or read.change.high < 0
    state.done = read.p <= sure or plain or narrow
    state.early = state.done and len(state.numbers) < ask.effort.particles


@dataclass(frozen=True, slots=True)
class _Read:
    """What the particles of a question say: P(averted) under the noise that is asked about, and the fresh change."""

    effect: Estimate
    control: Estimate
    change: Estimate
    p: float
    pair: tuple[Estimate, Estimate] | None


def _read(asking: Asking, state: _State, ask: LiveAsk, arms: Arms) -> _Read:
    effort = replace(ask.effort, width=ask.effort.width or 0.0, level=asking.level)
    wide = replace(effort, level=(1 + asking.level) / 2)
    question = state.question
    fresh = _failed(asking, arms.particles("independent", question.doing, state.numbers))
    kept: Values = [1.0] * len(fresh)
    if question.control is not None:
        kept = _failed(asking, arms.particles("independent", question.control, state.numbers))
    voice = _head(ask)
    own = fresh if voice == "independent" else _failed(asking, arms.particles(voice, question.doing, state.numbers))
    # What is not settled counts against the claim.
    gained = [(a or 0.0) - (1.0 if b is None else b) for a, b in zip(kept, fresh, strict=True)]
    good = [0.0 if x is None else 1 - x for x in own]
    p = betting_p_value(good, *_UNIT, 1 / 2, planned=effort.particles)
    if voice == "independent" and question.control is not None:
        # Of two claims at once the weaker proof counts (Berger 1982): more often than not, and more than by luck.
        p = max(p, betting_p_value(gained, -1.0, 1.0, 0.0, planned=effort.particles))
    exact = Estimate.settled(1.0, "interventional")
    both = [exact if question.control is None else arm_estimate(kept, _UNIT, one, "fresh") for one in (effort, wide)]
    return _Read(
        averted(_arm(own, effort, voice)),
        both[0],
        change_estimate(kept, fresh, _UNIT, effort),
        p,
        (both[1], arm_estimate(fresh, _UNIT, wide, "fresh")) if voice == "independent" else None,
    )


def _head(ask: LiveAsk) -> Voice:
    """The noise that is asked about."""
    return "gumbel-max" if "gumbel-max" in ask.voices else "independent"


def _arm(failed: Values, effort: Effort, voice: Voice) -> Estimate:
    made = arm_estimate(failed, _UNIT, effort, "fresh" if voice == "independent" else "choice")
    named = voice if made.noise is not None else None
    return made.model_copy(update={"noise": named})


def _failed(asking: Asking, particles: Sequence[Particle]) -> Values:
    """1 where the failure came about, by particle; None where that is not settled."""
    holds = [asking.failure.holds(particle.walk.scores.get(asking.failure.score)) for particle in particles]
    return [None if one is None else float(one) for one in holds]


def _answered(asking: Asking, state: _State, ask: LiveAsk, arms: Arms, stopped: str | None) -> Asked:
    """The answer to one question, with what there is."""
    question = state.question
    one = question.alternative
    blank = Attempt(
        action=one.action,
        source=one.source,
        continuation="live",
        estimand="total",
        failure=_open(),
        particles=0,
        verdict="needs live or fitted",
        reason=stopped if state.error is None else str(state.error),
    )
    if question.parted is None:
        return Asked(one, blank.model_copy(update=_settled(asking, question, arms)))
    if not state.numbers or state.error is not None:
        return Asked(one, blank)
    read, changed = _read(asking, state, ask, arms), arms.particles(_head(ask), question.doing, state.numbers)
    reasons = dict.fromkeys(str(particle.failed) for particle in changed if particle.failed is not None)
    found = {
        "failure": averted(read.effect),
        "others": _others(asking, state, ask, arms),
        "control": read.control,
        "change": read.change,
        "particles": len(state.numbers),
        "sensitivity": _sensitivity(asking, state, ask, arms),
        "verdict": "partly answered" if reasons or read.effect.value is None else "answered",
        "reason": next(iter(reasons), None),
    }
    return Asked(one, blank.model_copy(update=found), read.p, read.pair)


def _settled(asking: Asking, question: Question, arms: Arms) -> dict[str, object]:
    """What the changed run came to, where the recording settles all of it."""
    walk = Arm(asking.run, question.doing.do, asking.rerun, arms.max_steps).walk(Live("recorded", arms.max_steps))
    (value,) = _failed(asking, [Particle(0, walk, {})])
    if value is None:
        return {"verdict": "undetermined", "reason": "its outcome cannot be judged"}
    return {"failure": Estimate.settled(value, "counterfactual"), "verdict": "answered", "reason": None}


def _others(asking: Asking, state: _State, ask: LiveAsk, arms: Arms) -> dict[str, Estimate]:
    """The other scores in the changed arm."""
    question, effort = state.question, replace(ask.effort, width=0.0, level=asking.level)
    changed = arms.particles(_head(ask), question.doing, state.numbers)
    return {
        name: live_outcome(name, score, changed, [], effort, ask.noise).counterfactual
        for name, score in asking.run.outcome.scores.items()
        if name != asking.failure.score
    }


def _sensitivity(asking: Asking, state: _State, ask: LiveAsk, arms: Arms) -> Sensitivity | None:
    """P(averted) under each noise, where there are several."""
    if len(ask.voices) == 1:
        return None
    effort = replace(ask.effort, width=0.0, level=asking.level)
    made = {
        voice: averted(_arm(_failed(asking, arms.particles(voice, state.question.doing, state.numbers)), effort, voice))
        for voice in ask.voices
    }
    points = [one.value for one in made.values() if one.value is not None]
    return Sensitivity(averted=made, spread=max(points, default=0.0) - min(points, default=0.0))


def _open() -> Estimate:
    return Estimate.bounded(0.0, 1.0, "counterfactual")
