"""Asking what-ifs of one run: the risk of its failure under each alternative, and under fresh noise."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import fsum, isclose
from typing import TYPE_CHECKING

from ifonly.agents.actions import ENVIRONMENT
from ifonly.agents.environments.base import Undetermined
from ifonly.agents.errors import ActionError
from ifonly.agents.records import AssistantMessage, ModelStep, ToolStep
from ifonly.scm.estimate import Estimate
from ifonly.sim.blame.answers import Attempt
from ifonly.sim.blame.numbers import averted, beats_luck, difference, necessity, p_value, risk, sufficiency_bounds
from ifonly.sim.continuations import Hold, Place
from ifonly.sim.intervention import Intervention, compile_actions, redrawing
from ifonly.sim.outcomes import score_estimate
from ifonly.sim.whatif import paths_under

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ifonly.agents.actions import Action
    from ifonly.agents.records import Message, Trajectory
    from ifonly.agents.rerun import Rerun
    from ifonly.scm.estimate import Rung
    from ifonly.sim.answers import Verdict
    from ifonly.sim.blame.alternatives import Alternative
    from ifonly.sim.blame.failure import Failure
    from ifonly.sim.blame.held import HeldRun
    from ifonly.sim.continuations import Continuation
    from ifonly.sim.outcomes import Path

__all__ = ["Asked", "Asking"]

_OPEN = Estimate.bounded(0.0, 1.0, "counterfactual")


@dataclass(frozen=True, slots=True)
class Asked:
    """A what-if and its answer.

    Args:
        alternative: what was done.
        attempt: its answer.
        live_p: where models were asked now: the p-value of "it averts the failure at most as often as not, or no more
            often than asking again", valid whenever asking ended.
        pair: where models were asked now with fresh noise: the risks as it was and under the action, each at
            (1 + level) / 2.
    """

    alternative: Alternative
    attempt: Attempt
    live_p: float | None = None
    pair: tuple[Estimate, Estimate] | None = None

    @property
    def open(self) -> bool:
        """Whether it may avert the failure more often than not, or not: nobody knows."""
        effect = self.effect
        return effect.value is None and effect.low <= 1 / 2 < effect.high

    @property
    def effect(self) -> Estimate:
        """P(averted) in this run."""
        return averted(self.attempt.failure)


@dataclass
class Asking:
    """Asks of one run.

    Args:
        run: the recorded, failed run.
        held: the same, to be executed without some of its calls.
        rerun: its tools.
        corpus: where later replies come from for total effects, if from anywhere.
        failure: whose risk is asked.
        level: coverage.
    """

    run: Trajectory
    held: HeldRun
    rerun: Rerun
    corpus: Continuation | None
    failure: Failure
    level: float
    _fresh: dict[str | None, tuple[Path, ...]] = field(default_factory=dict)
    _pairs: dict[Alternative, tuple[Estimate, Estimate]] = field(default_factory=dict)
    _asked: dict[Alternative, list[Asked]] = field(default_factory=dict)

    @property
    def continuations(self) -> tuple[Continuation, ...]:
        """What later replies may be: held where tools execute, and drawn where there is a corpus."""
        hold = (Hold(),) if self.rerun.environment.executes else ()
        return (*hold, *((self.corpus,) if self.corpus else ()))

    def asked(self, alternative: Alternative) -> list[Asked]:
        """The answers for one alternative: under each continuation, and what `take` was given."""
        if alternative not in self._asked:
            known = alternative.source not in ("redraw", "named")
            recorded = self.continuations if known else ()
            self._asked[alternative] = [Asked(alternative, self._attempt(alternative, one)) for one in recorded]
        return self._asked[alternative]

    def take(self, asked: Asked) -> None:
        """One more answer, which models were asked for."""
        self.asked(asked.alternative).append(asked)

    def interventional(self, asked: Asked) -> Estimate | None:
        """Risk as it was less risk under the action, later noise fresh; None where no fresh draw of either is known.

        Where later replies are held nothing is left to noise, and both rungs agree.
        """
        if asked.attempt.continuation == "live":
            return asked.attempt.change
        if asked.attempt.estimand == "direct":
            certain = Estimate.settled(1.0, "interventional")
            after = asked.attempt.failure.model_copy(update={"rung": "interventional"})
            return difference(certain, after, self.level)
        both = self._both(asked)
        return None if both is None or any(map(_says_nothing, both)) else difference(*both, self.level)

    def necessity(self, asked: Asked) -> Estimate:
        """PN: see `numbers.necessity`; under an assumed noise model, its point."""
        if asked.attempt.failure.identified == "assumed" and asked.attempt.continuation == "live":
            return asked.effect
        both = self._both(asked)
        on, off = both or (None, asked.attempt.failure)
        return necessity(asked.effect, on, off, self.level)

    def p_value(self, asked: Asked) -> float | None:
        """Of "it averts the failure at most as often as not, or no more often than asking again"; None where exact.

        Of two claims at once the weaker proof counts (Berger 1982). How often asking again averts is read off other
        recorded replies to the same requests: where there are none, luck cannot be told from repair, and p is 1.
        """
        if asked.live_p is not None:
            return asked.live_p
        own = p_value(asked.effect)
        if own is None:
            return None
        both = self._both(asked)
        return 1.0 if both is None else max(own, beats_luck(*both))

    def sufficiency(self, asked: Asked) -> tuple[Estimate | None, str | None]:
        """PS of what is no call, from fresh draws on both sides; or why there is none."""
        both = self._both(asked)
        if both is None:
            return None, "it takes fresh draws of what follows, with and without it: name a corpus"
        found = sufficiency_bounds(*both, self.level)
        if found is None or (found.low, found.high) == (0.0, 1.0):
            return None, "the corpus holds no draws of what follows, or too few"
        return found, None

    def _both(self, asked: Asked) -> tuple[Estimate, Estimate] | None:
        """The risk as it was and under the action, all later replies drawn anew; both at (1 + level) / 2.

        None where the action's effect is not drawn, or nothing at all is known of it.
        """
        alternative = asked.alternative
        if asked.attempt.continuation == "live":
            return asked.pair
        if self.corpus is None or asked.attempt.estimand == "direct" or _says_nothing(asked.attempt.failure):
            return None
        if alternative not in self._pairs:
            self._pairs[alternative] = self._fresh_pair(alternative, self.corpus)
        return self._pairs[alternative]

    def _fresh_pair(self, alternative: Alternative, corpus: Continuation) -> tuple[Estimate, Estimate]:
        first = self._next_model(alternative)
        if first not in self._fresh:
            self._fresh[first] = self._paths(_onward(self.run, first), corpus)
        onward = _onward(self.run, first)
        do = compile_actions([alternative.action], self.run)
        later = {site: act for site, act in onward.actions.items() if site not in do.actions}
        mixed = Intervention({**later, **do.actions}, do.put, redrawn=frozenset(later))
        wide = (1 + self.level) / 2
        after = self._paths(mixed, corpus)
        return (
            self._risk(self._fresh[first], wide, corpus, "interventional"),
            self._risk(after, wide, corpus, "interventional"),
        )

    def _next_model(self, alternative: Alternative) -> str | None:
        """The first model step whose noise comes after the alternative."""
        index = -1 if alternative.site == ENVIRONMENT else self.run.sites.index(alternative.site)
        return next((step.site for step in self.run.steps[index + 1 :] if isinstance(step, ModelStep)), None)

    def _attempt(self, alternative: Alternative, continuation: Continuation) -> Attempt:
        holding = isinstance(continuation, Hold)
        if holding and alternative.source == "drop":
            return self._dropped(alternative)
        if (missing := self._never_asked(alternative, continuation)) is not None:
            return _attempt(alternative, continuation, _OPEN, {}, "needs live or fitted", missing.why)
        try:
            do = compile_actions([alternative.action], self.run, hold=holding)
            paths = paths_under(do, self.run, continuation=continuation, rerun=self.rerun)
        except ActionError as error:
            return _attempt(alternative, continuation, _OPEN, {}, "undetermined", error.found)
        others = {
            name: score_estimate(name, score, paths, self.level, assumed=continuation.noise)
            for name, score in self.run.outcome.scores.items()
            if name != self.failure.score
        }
        verdict, reason = _verdict(paths)
        failed = self._risk(paths, self.level, continuation, "counterfactual")
        return _attempt(alternative, continuation, failed, others, verdict, reason)

    def _dropped(self, alternative: Alternative) -> Attempt:
        """Leaving one step out with replies held: the same as through the kernel, without it."""
        scores = self.held.scores({alternative.site})
        holds = self.failure.holds(scores.get(self.failure.score))
        failed = _OPEN if holds is None else Estimate.settled(float(holds), "counterfactual")
        others = {
            name: Estimate.settled(float(score), "counterfactual")
            for name, score in scores.items()
            if name != self.failure.score and not isinstance(score, Undetermined)
        }
        why = next((score.why for score in scores.values() if isinstance(score, Undetermined)), None)
        return _attempt(alternative, Hold(), failed, others, "answered" if holds is not None else "undetermined", why)

    def _never_asked(self, alternative: Alternative, continuation: Continuation) -> Undetermined | None:
        """Why no reply is known after a call is left out, seen without running the world.

        Only where the call was the last before the model was asked again, so that nothing else moves.
        """
        if alternative.source != "drop" or isinstance(continuation, Hold):
            return None
        index = self.run.sites.index(alternative.site)
        step, after = self.run.steps[index], self.run.steps[index + 1 : index + 2]
        if not isinstance(step, ToolStep) or not after or not isinstance(after[0], ModelStep):
            return None
        messages: list[Message] = []
        for message in after[0].request.messages[:-1]:
            if isinstance(message, AssistantMessage) and step.call in message.tool_calls:
                kept = tuple(call for call in message.tool_calls if call != step.call)
                messages.append(message.model_copy(update={"tool_calls": kept}))
            else:
                messages.append(message)
        request = after[0].request.model_copy(update={"messages": tuple(messages)})
        said = continuation.ask(request, Place(after[0].site, ModelStep, self.run.id))
        return said if isinstance(said, Undetermined) else None

    def _paths(self, do: Intervention, continuation: Continuation) -> tuple[Path, ...]:
        try:
            return paths_under(do, self.run, continuation=continuation, rerun=self.rerun)
        except ActionError:
            # No draw comes to the site: the answer is open, as for a path that stops.
            return ()

    def _risk(self, paths: Sequence[Path], level: float, by: Continuation | None, rung: Rung) -> Estimate:
        """The risk along paths; open where there are none."""
        if not paths:
            return _OPEN.model_copy(update={"rung": rung})
        return risk(paths, self.failure, level, assumed=by.noise if by else None, rung=rung)


def _onward(run: Trajectory, first: str | None) -> Intervention:
    return Intervention({}) if first is None else redrawing(run, first)


def _attempt(
    alternative: Alternative,
    continuation: Continuation,
    failed: Estimate,
    others: dict[str, Estimate],
    verdict: Verdict,
    reason: str | None,
) -> Attempt:
    action: Action = alternative.action
    return Attempt(
        action=action,
        source=alternative.source,
        continuation=continuation.name,
        estimand="direct" if isinstance(continuation, Hold) else "total",
        failure=failed,
        others=others,
        verdict=verdict,
        reason=reason,
    )


def _verdict(paths: Sequence[Path]) -> tuple[Verdict, str | None]:
    stopped = [path for path in paths if path.walk.stopped is not None]
    reason = next((path.walk.stopped.why for path in stopped if path.walk.stopped is not None), None)
    if not stopped:
        open_ = [score for path in paths for score in path.walk.scores.values() if isinstance(score, Undetermined)]
        return ("undetermined", open_[0].why) if open_ else ("answered", None)
    if not isclose(fsum(path.weight for path in stopped), 1.0):
        return "partly answered", reason
    return ("needs live or fitted" if any(path.walk.wants_model for path in stopped) else "undetermined"), reason


def _says_nothing(risk: Estimate) -> bool:
    return risk.value is None and (risk.low, risk.high) == (0.0, 1.0)
