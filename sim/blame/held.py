"""A run executed again without some of its calls, its replies held: thousands of times, so without the kernel.

Law, held by a test: for every set of calls, the score is the one that `ifonly.sim.whatif` gives under `Hold` when the
others are dropped. The noise of tools and judge is kept as there: a recorded value stands wherever the machine gives
today what it gives today for the recorded run (`ifonly.sim.reexecuted`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ifonly.agents.environments.base import Undetermined
from ifonly.agents.records import ModelStep, ToolStep, message_of, tool_message
from ifonly.sim.lift import environment_ref
from ifonly.sim.script import Script, execution_order

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from ifonly.agents.environments.base import Environment, Session
    from ifonly.agents.records import Message, Score, ToolCall, ToolResult, Trajectory

__all__ = ["HeldRun"]


class HeldRun:
    """A recorded run whose calls may be left out.

    Args:
        run: the recorded run, one growing conversation.
        environment: where its calls are executed.

    Raises:
        ActionError: the run is not one growing conversation.
        ToolEnvironmentError: its environment cannot be made.
    """

    def __init__(self, run: Trajectory, environment: Environment) -> None:
        self.run, self.environment = run, environment
        self.ref = environment_ref(run)
        self.tools = {step.site: step for step in run.steps if isinstance(step, ToolStep)}
        self._shown_calls = _shown_calls(run)
        self._doubt = environment.doubt(self.ref)
        self._open: tuple[tuple[str, ...], Session, dict[str, ToolResult | Undetermined]] | None = None
        self._scores: dict[tuple[frozenset[str], frozenset[str]], Mapping[str, Score | Undetermined]] = {}
        self.executions = 0
        self.today = self._execute(tuple(self.tools))
        self.judged = self._judge(tuple(self.tools), run.messages)

    @property
    def reproduces(self) -> bool:
        """Whether today's judge, after the recorded calls, gives the recorded scores."""
        return all(self.judged.get(name, score) == score for name, score in self.run.outcome.scores.items())

    def scores(self, dropped: Collection[str] = (), still: Collection[str] = ()) -> Mapping[str, Score | Undetermined]:
        """The scores without some steps.

        Args:
            dropped: sites of calls that are not made, and of replies that are not said.
            still: sites of calls that are held at what they did: left out where they would now give another result.
        """
        key = frozenset(dropped), frozenset(still)
        if key not in self._scores:
            self._scores[key] = self._fresh(*key)
            self.executions += 1
        return self._scores[key]

    def _fresh(self, dropped: frozenset[str], still: frozenset[str]) -> Mapping[str, Score | Undetermined]:
        if not dropped:
            return dict(self.run.outcome.scores)
        made = tuple(site for site in self.tools if site not in dropped)
        results = self._execute(made)
        moved = next((site for site in made if site in still and results[site] != self.today[site]), None)
        if moved is not None:
            return self.scores(dropped | {moved}, still)
        shown: dict[str, ToolResult] = {}
        for site in made:
            executed = results[site]
            result = self.tools[site].result if executed == self.today[site] else executed
            if result is executed and self._doubt is not None:
                result = Undetermined(why=self._doubt)
            if isinstance(result, Undetermined):
                return dict.fromkeys(self.run.outcome.scores, result)
            shown[site] = result
        return self._noisy(self._judge(made, tuple(self._messages(shown, dropped))))

    def _noisy(self, judged: Mapping[str, Score | Undetermined]) -> dict[str, Score | Undetermined]:
        """What is judged now, in the noise that the recorded score shows."""
        scores: dict[str, Score | Undetermined] = {}
        for name, recorded in self.run.outcome.scores.items():
            now = judged.get(name, Undetermined(why=f"the environment has no score {name!r}"))
            same = not isinstance(now, Undetermined) and now == self.judged.get(name)
            scores[name] = recorded if same else now
        return scores

    def _messages(self, shown: Mapping[str, ToolResult], dropped: frozenset[str]) -> Iterator[Message]:
        for step in self.run.steps:
            if isinstance(step, ToolStep):
                if step.site in shown:
                    yield tool_message(step.call, shown[step.site])
            elif isinstance(step, ModelStep) and step.site in self._shown_calls:
                calls = self._shown_calls[step.site]
                kept = tuple(call for site, call in calls if site in shown)
                yield step.reply.model_copy(update={"tool_calls": kept})
            elif step.site not in dropped:
                yield message_of(step)

    def _execute(self, made: tuple[str, ...]) -> dict[str, ToolResult | Undetermined]:
        """The results of these calls, in order; the open session goes on where they extend what it did."""
        done, session, results = self._open or ((), None, {})
        if session is None or done != made[: len(done)]:
            done, session, results = (), self.environment.open(self.ref), {}
        results = dict(results)
        for site in made[len(done) :]:
            results[site] = session.call(self.tools[site].call)
        self._open = made, session, results
        return results

    def _judge(self, made: tuple[str, ...], messages: tuple[Message, ...]) -> Mapping[str, Score | Undetermined]:
        self._execute(made)
        if self._open is None:
            raise AssertionError("executing opens a session")
        return self._open[1].score(messages)


def _shown_calls(run: Trajectory) -> dict[str, list[tuple[str, ToolCall]]]:
    """By model step: the calls that were made, in the order in which the reply says them, with their sites."""
    shown: dict[str, list[tuple[str, ToolCall]]] = {}
    for turn in Script(run).turns:
        if isinstance(turn.step, ModelStep) and turn.tools:
            order = execution_order(turn.step.reply.tool_calls, turn.tools)
            sites = sorted(zip(order, turn.tools, strict=True), key=lambda pair: pair[0])
            shown[turn.step.site] = [(tool.site, tool.call) for _, tool in sites]
    return shown
