"""One recorded run executed again: every tool call in a fresh environment, and the end scored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from ifonly.agents.environments.agentdojo_ref import rewrites_results
from ifonly.agents.environments.base import Undetermined
from ifonly.agents.equivalence import Verdict, compare
from ifonly.agents.records import ModelStep, Record, Score, ToolCall, ToolResult, ToolStep, Trajectory

if TYPE_CHECKING:
    from ifonly.agents.environments.base import Environment

__all__ = ["CallCheck", "LeftOut", "RunCheck", "ScoreCheck", "check_run"]

LeftOut = Literal["empty", "stopped", "looked_up"]
"""Why a run is in no share: it has no model step, an error stopped it, or nothing executes its calls."""


class CallCheck(Record):
    """One tool call and what executing it again gave."""

    site: str
    call: ToolCall
    verdict: Verdict | Literal["undetermined"]
    recorded: ToolResult
    executed: ToolResult | Undetermined

    @property
    def reproduced(self) -> bool:
        """Whether nothing speaks against the call: a redacted result cannot be compared."""
        return self.verdict in ("exact", "equivalent", "redacted")


class ScoreCheck(Record):
    """One recorded score and what scoring the end again gave."""

    name: str
    recorded: Score
    executed: Score | Undetermined

    @property
    def reproduced(self) -> bool:
        """Whether the scores are equal."""
        return self.recorded == self.executed


class RunCheck(Record):
    """One run executed again; `left_out` tells why it is in no share, `logged` how many calls only the log answers."""

    run: str
    group: str
    rewritten: bool
    left_out: LeftOut | None
    calls: tuple[CallCheck, ...]
    scores: tuple[ScoreCheck, ...]
    logged: int = 0

    @property
    def first_differing(self) -> CallCheck | None:
        """The first call that is not reproduced."""
        return next((call for call in self.calls if not call.reproduced), None)

    @property
    def reproduced(self) -> bool:
        """Whether every call and every score is."""
        return self.first_differing is None and all(score.reproduced for score in self.scores)


def check_run(trajectory: Trajectory, environment: Environment) -> RunCheck:
    """Execute a run's tool calls in order in a fresh environment, and score the end.

    Calls after the first that differs are executed too: they show whether the difference spread. A call that the log
    answers, because it would change the world, is no check of anything, and is only counted.

    Raises:
        ToolEnvironmentError: the environment is not installed, or does not know the run's task.
    """
    steps = [step for step in trajectory.steps if isinstance(step, ToolStep)]
    calls, scores = [], []
    if environment.executes and trajectory.environment is not None:
        session = environment.open(trajectory.environment)
        for step in steps:
            executed = session.call(step.call)
            if environment.logs(step.call):
                continue
            verdict = "undetermined" if isinstance(executed, Undetermined) else compare(step.result, executed)
            calls.append(
                CallCheck(site=step.site, call=step.call, verdict=verdict, recorded=step.result, executed=executed)
            )
        again = session.score(trajectory.messages) if trajectory.outcome.scores else {}
        none = Undetermined(why="the environment has no such score")
        for name, score in trajectory.outcome.scores.items():
            scores.append(ScoreCheck(name=name, recorded=score, executed=again.get(name, none)))
    return RunCheck(
        run=trajectory.id,
        group=_group(trajectory),
        rewritten=rewrites_results(trajectory.environment),
        left_out=_left_out(trajectory, environment),
        calls=tuple(calls),
        scores=tuple(scores),
        logged=sum(map(environment.logs, (step.call for step in steps))) if environment.executes else 0,
    )


def _group(trajectory: Trajectory) -> str:
    suite, slash, _ = trajectory.task.partition("/")
    ref = trajectory.environment
    return suite if slash else "none" if ref is None else ref.name


def _left_out(trajectory: Trajectory, environment: Environment) -> LeftOut | None:
    if not any(isinstance(step, ModelStep) for step in trajectory.steps):
        return "empty"
    if trajectory.outcome.error is not None:
        return "stopped"
    return None if environment.executes else "looked_up"
