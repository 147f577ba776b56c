"""One run of an agent, from its first request to its score."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from ifonly.agents.environments.base import Undetermined
from ifonly.agents.environments.registry import EXECUTING
from ifonly.agents.errors import IfonlyError, UnknownName
from ifonly.agents.records import (
    InputStep,
    Message,
    ModelStep,
    Outcome,
    Request,
    Step,
    SystemMessage,
    ToolStep,
    Trajectory,
    UserMessage,
    message_of,
)
from ifonly.agents.sites import SiteNamer
from ifonly.agents.toolbox.box import Toolbox
from ifonly.agents.toolbox.environment import PythonEnvironment, perform

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ifonly.agents.completion import ChatModel
    from ifonly.agents.environments.base import Session
    from ifonly.agents.loop.spec import AgentSpec, Router
    from ifonly.agents.records import Effect, EnvironmentRef, ToolCall, ToolSpec
    from ifonly.agents.toolbox.ledger import Ledger

__all__ = ["MAX_STEPS", "Workplace", "run_agent", "workplace"]

MAX_STEPS = "max_steps"
"""The label that says after how many model steps the harness stops."""

S = TypeVar("S", InputStep, ModelStep, ToolStep)


@dataclass(frozen=True)
class Workplace:
    """Where an agent works.

    Args:
        ref: the environment, for re-runs; None where there is none.
        tools: that the agent is offered.
        session: takes the calls.
        effect: what a call does, where the session itself does not tell.
    """

    ref: EnvironmentRef | None
    tools: tuple[ToolSpec, ...]
    session: Session
    effect: Effect | None = None


def workplace(spec: AgentSpec, run: str, ledger: Ledger) -> Workplace:
    """A fresh place to work for one run of an agent; its tools file is run.

    Args:
        spec: of the agent.
        run: id of the run.
        ledger: keeps irreversible effects.

    Raises:
        UnknownName: no environment is so called.
        InputError: the tools cannot be loaded.
        ToolEnvironmentError: the environment cannot be made.
    """
    if spec.environment is not None:
        make = EXECUTING.get(spec.environment.name)
        if make is None:
            raise UnknownName("environment", spec.environment.name, EXECUTING)
        dojo = make()
        return Workplace(spec.environment, dojo.tools(spec.environment), dojo.open(spec.environment), "sandboxed")
    box = Toolbox("no tools", "", {}) if spec.tools is None else Toolbox.load(spec.tools)
    environment = PythonEnvironment(box)
    ref = environment.ref(spec.task)
    session = environment.live(ref, run, ledger)
    return Workplace(None if spec.tools is None else ref, environment.tools(ref), session)


async def run_agent(
    spec: AgentSpec,
    model: ChatModel,
    place: Workplace,
    *,
    id: str,
    router: Router | None = None,
    on_step: Callable[[Step], None] | None = None,
    on_stop: Callable[[IfonlyError], None] | None = None,
) -> Trajectory:
    """Run an agent to its end. What was done before an error is kept: the error stands in the outcome.

    Args:
        spec: the agent.
        model: answers its requests.
        place: where it works.
        id: of the run.
        router: chooses the model of each step; by the spec's own `models`, if it has some, else nobody.
        on_step: is given each step when it is complete.
        on_stop: is given the error that stopped the run, if one did.
    """
    if router is None and spec.models is not None:
        router = spec.models.router(f"{spec.settings.get('seed', '')}\n{id}")
    run = _Run(spec, model, place, router, on_step)
    began = time.perf_counter()
    try:
        error = await run.to_the_end()
        scores = place.session.score(run.messages)
    except IfonlyError as stopped:
        error, scores = f"{type(stopped).__name__}: {stopped}", {}
        if on_stop is not None:
            on_stop(stopped)
    seconds = time.perf_counter() - began
    return run.trajectory(id, _outcome(scores, error), seconds)


def _outcome(scores: Mapping[str, Any], error: str | None) -> Outcome:
    """The scores that are settled; why the others are not is told where nothing else is."""
    unsettled = [score.why for score in scores.values() if isinstance(score, Undetermined)]
    settled = {name: score for name, score in scores.items() if not isinstance(score, Undetermined)}
    return Outcome(scores=settled, error=error or next(iter(unsettled), None))


class _Run:
    """One run, as far as it has come."""

    def __init__(
        self,
        spec: AgentSpec,
        model: ChatModel,
        place: Workplace,
        router: Router | None,
        on_step: Callable[[Step], None] | None,
    ) -> None:
        self._spec, self._model, self._place = spec, model, place
        self._router, self._on_step = router, on_step
        self._site = SiteNamer()
        self._steps: list[Step] = []
        self.messages: tuple[Message, ...] = ()

    async def to_the_end(self) -> str | None:
        """Take turns; returns why the run was stopped, if it was."""
        if self._spec.system is not None:
            self._add(InputStep(site=self._site("system"), message=SystemMessage(content=self._spec.system)))
        self._add(InputStep(site=self._site("user"), message=UserMessage(content=self._spec.prompt)))
        for _ in range(self._spec.max_steps):
            step = await self._ask()
            for call in step.reply.tool_calls:
                undetermined = await self._use(call, step.site)
                if undetermined is not None:
                    return f"{call.name} is undetermined: {undetermined.why}"
            if not step.reply.tool_calls:
                return None
        return f"stopped after {self._spec.max_steps} model steps"

    async def _ask(self) -> ModelStep:
        request = Request(
            model=self._spec.model, messages=self.messages, tools=self._place.tools, settings=self._spec.settings
        )
        routing = None if self._router is None else self._router(request)
        if routing is not None:
            request = request.model_copy(update={"model": routing.chosen})
        said = await self._model.complete(request)
        reads = tuple(step.site for step in self._steps)
        return self._add(said.step(self._site("agent"), request, reads, routing))

    async def _use(self, call: ToolCall, caller: str) -> Undetermined | None:
        began = time.perf_counter()
        done = await perform(self._place.session, call, self._place.effect)
        seconds = time.perf_counter() - began
        if isinstance(done.result, Undetermined):
            return done.result
        self._add(
            ToolStep(
                site=self._site.tool(call.name),
                call=call,
                result=done.result,
                reads=(caller,),
                seconds=seconds,
                effect=done.effect,
                key=done.key,
            )
        )
        return None

    def _add(self, step: S) -> S:
        self._steps.append(step)
        self.messages = (*self.messages, message_of(step))
        if self._on_step is not None:
            self._on_step(step)
        return step

    def trajectory(self, id: str, outcome: Outcome, seconds: float) -> Trajectory:
        """The run as a record."""
        used = dict.fromkeys(step.request.model for step in self._steps if isinstance(step, ModelStep))
        return Trajectory(
            id=id,
            task=self._spec.task,
            agent=self._spec.name,
            model=" + ".join(used) or self._spec.model,
            steps=tuple(self._steps),
            outcome=outcome,
            environment=self._place.ref,
            labels={MAX_STEPS: str(self._spec.max_steps)},
            seconds=seconds,
        )
