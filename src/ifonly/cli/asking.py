"""Asking a what-if of each of several runs, whatever its replies come from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from ifonly.agents.environments.registry import environment_of
from ifonly.agents.errors import BudgetSpent, IfonlyError
from ifonly.agents.toolbox.adopting import adopt, judge
from ifonly.agents.toolbox.box import Toolbox
from ifonly.agents.toolbox.environment import NAME, PythonEnvironment
from ifonly.cli.output import problems
from ifonly.cli.progress import bar
from ifonly.cli.save import save
from ifonly.sim.whatif import whatif

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from ifonly.agents.environments.base import Environment
    from ifonly.agents.records import Trajectory
    from ifonly.cli.ask import Ask
    from ifonly.cli.inputs import Runs
    from ifonly.sim.answers import WhatIfAnswer
    from ifonly.sim.continuations import Continuation

__all__ = ["Answers", "Asker", "Environments", "RecordedAsker", "each"]


class Environments:
    """Where the tool calls of each run are executed.

    Args:
        tools: Python file or module of the tools of runs of a user's own agent; its code is run.

    Raises:
        InputError: the tools cannot be loaded.
    """

    def __init__(self, tools: str | None = None) -> None:
        self._toolbox = None if tools is None else Toolbox.load(tools)

    def recorded(self, run: Trajectory) -> Trajectory:
        """The run, as one of these tools where it names no environment; see `ifonly.agents.toolbox.adopting`.

        Raises:
            ToolEnvironmentError: it cannot be.
        """
        return run if self._toolbox is None else adopt(run, self._toolbox)

    def judged(self, runs: Runs) -> Runs:
        """The runs as `recorded` gives them, with what the judge of the tools says where nobody said it before.

        Those that cannot be had so are told, and left out.

        Raises:
            ToolEnvironmentError: none of them can be.
        """
        if self._toolbox is None:
            return runs
        adopted: list[Trajectory] = []
        errors: list[IfonlyError] = []
        for run in runs.runs:
            try:
                adopted.append(run if run.environment else judge(adopt(run, self._toolbox), self._toolbox))
            except IfonlyError as error:
                errors.append(error)
        if errors and not adopted:
            raise errors[0]
        problems(errors)
        return replace(runs, runs=tuple(adopted), left_out=runs.left_out + len(errors))

    def __call__(self, run: Trajectory) -> Environment:
        """The environment of one run: these tools where it was recorded with such, else its own."""
        named = run.environment is not None and run.environment.name == NAME
        return PythonEnvironment(self._toolbox, run) if self._toolbox and named else environment_of(run)


@dataclass(frozen=True, slots=True)
class Answers:
    """Answers by run, and how many runs could not be asked."""

    answers: tuple[WhatIfAnswer, ...]
    failed: int = 0


class Asker(Protocol):
    """Answers the same what-if for several runs."""

    def answers(self, runs: Sequence[Trajectory], asked: Ask, *, strict: bool) -> Answers:
        """An answer for each run; where `strict`, the first error is raised.

        Raises:
            IfonlyError: no run at all could be asked.
        """
        ...

    def save(self, path: Path, run: Trajectory, answer: WhatIfAnswer) -> None:
        """Write the counterfactual run, or the re-runs, behind the answer for one run."""
        ...


@dataclass(frozen=True)
class RecordedAsker:
    """Answers from recordings alone.

    Args:
        continuation: where later replies come from.
        environment: of a run.
        level: coverage of intervals.
    """

    continuation: Continuation
    environment: Environments
    level: float

    def answers(self, runs: Sequence[Trajectory], asked: Ask, *, strict: bool) -> Answers:
        """See `Asker`."""

        def ask(run: Trajectory) -> WhatIfAnswer:
            return whatif(
                run,
                asked.actions(run, self.environment(run)),
                continuation=self.continuation,
                environment=self.environment(run),
                level=self.level,
            )

        return each(runs, ask, strict=strict)

    def save(self, path: Path, run: Trajectory, answer: WhatIfAnswer) -> None:
        """See `Asker`."""
        save(path, run, answer, self.continuation, self.environment(run))


def each(runs: Sequence[Trajectory], ask: Callable[[Trajectory], WhatIfAnswer], *, strict: bool) -> Answers:
    """Ask of each run, with a progress bar; what cannot be asked is told and left out.

    Raises:
        IfonlyError: no run at all could be asked; or, where `strict`, one could not.
    """
    answers: list[WhatIfAnswer] = []
    errors: list[IfonlyError] = []
    with bar("asking") as told:
        for index, run in enumerate(runs):
            told(index, len(runs))
            try:
                answers.append(ask(run))
            except IfonlyError as error:
                errors.append(error)
                if strict or isinstance(error, BudgetSpent):
                    break
    if errors and (strict or not answers):
        raise errors[0]
    problems(errors)
    return Answers(tuple(answers), len(runs) - len(answers))
