"""Sufficiency: the step of a bad run, put into good ones.

PS = P(failure, had the call been made | it was not, and no failure). The good runs are recorded ones of the same task,
executed in the failed run's environment and judged by its judge; the call is made once more calls of theirs were made
than came before it in the failed run, or at the end. Their replies are held.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ifonly.agents.canonical import canonical_json
from ifonly.agents.environments.base import Undetermined
from ifonly.agents.records import AssistantMessage, ToolStep, tool_message
from ifonly.scm.shares import share_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ifonly.agents.records import Message, ToolCall, Trajectory
    from ifonly.scm.estimate import Estimate
    from ifonly.sim.blame.failure import Failure
    from ifonly.sim.blame.held import HeldRun

__all__ = ["GoodWorlds"]

_MOST = 10
"""Good runs that a call is put into, at most."""


class GoodWorlds:
    """Good runs of the task, in the world of a failed one.

    Args:
        held: the failed run.
        runs: recorded runs of its task that did not fail where they were made, the nearest first.
        failure: what they must not do in this world either.
    """

    def __init__(self, held: HeldRun, runs: Sequence[Trajectory], failure: Failure) -> None:
        self._held, self._failure, self._runs = held, failure, runs
        self._good: list[Trajectory] | None = None

    @property
    def runs(self) -> list[Trajectory]:
        """Those of one model, the failed run's if it has any, that do not fail in this world either."""
        if self._good is None:
            models = [run.model for run in self._runs]
            own = self._held.run.model
            model = own if own in models else next(iter(models), None)
            near = [run for run in self._runs if run.model == model][:_MOST]
            self._good = [run for run in near if self._fails(run, None, 0) is False]
        return self._good

    def sufficiency(self, step: ToolStep, level: float) -> tuple[Estimate | None, str | None]:
        """PS of a call, or why there is none.

        Args:
            step: of the failed run.
            level: coverage of the interval.
        """
        before = list(self._held.tools).index(step.site)
        other = [run for run in self.runs if not _makes(run, step.call)]
        if not other:
            why = "they make this call, too" if self.runs else "none of this task was recorded, or holds in this world"
            return None, f"no good run to put it into: {why}"
        verdicts = [self._fails(run, step.call, before) for run in other]
        known = [verdict for verdict in verdicts if verdict is not None]
        if len(known) < len(verdicts) or not known:
            return None, "what the call would have done in a good run is not settled"
        return share_of(sum(known), len(known), "counterfactual", level), None

    def _fails(self, run: Trajectory, call: ToolCall | None, before: int) -> bool | None:
        """Whether a run, with a call more, fails here; None where that is not settled."""
        calls = [step.call for step in run.steps if isinstance(step, ToolStep)]
        at = min(before, len(calls))
        session = self._held.environment.open(self._held.ref)
        self._held.executions += 1
        said: list[Message] = []
        for one in [*calls[:at], *([call] if call else []), *calls[at:]]:
            result = session.call(one)
            if one is call:
                if isinstance(result, Undetermined):
                    return None
                said = [AssistantMessage(tool_calls=(one,)), tool_message(one, result)]
        messages = [*run.messages[:-1], *said, *run.messages[-1:]]
        return self._failure.holds(session.score(messages).get(self._failure.score))


def _makes(run: Trajectory, call: ToolCall) -> bool:
    key = canonical_json([call.name, call.arguments])
    calls = (step.call for step in run.steps if isinstance(step, ToolStep))
    return any(canonical_json([one.name, one.arguments]) == key for one in calls)
