"""The agent loop as a Pyro program of sites; the table in `ifonly.sim.lift` gives its equations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ifonly.agents.actions import ENVIRONMENT
from ifonly.agents.canonical import request_key
from ifonly.agents.environments.base import Undetermined
from ifonly.agents.records import InputStep, ModelStep, ToolStep, tool_message
from ifonly.agents.sites import SiteNamer
from ifonly.scm.finite import choice
from ifonly.scm.fixed import Function
from ifonly.scm.kernel import endogenous
from ifonly.scm.recorded import Pinned, Unpinned
from ifonly.sim.continuations import Place, Said
from ifonly.sim.draws import Drawn, options_for
from ifonly.sim.equations import asking, conversation_key, inherit, judging, picking, showing, using
from ifonly.sim.reexecuted import Reexecuted
from ifonly.sim.script import Script, execution_order
from ifonly.sim.walk import Provenance, Walk, WalkStep, alike

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ifonly.agents.corpus import Turn
    from ifonly.agents.records import AssistantMessage, Request, Score, Trajectory
    from ifonly.agents.rerun import Rerun
    from ifonly.scm.kernel import Node
    from ifonly.sim.continuations import Continuation
    from ifonly.sim.draws import AnyStep

__all__ = ["AgentWorld"]


class AgentWorld:
    """A recorded run as a world: call it under the kernel's handlers.

    Args:
        run: the recorded trajectory.
        rerun: executes tool calls as a function of their history.
        continuation: where replies come from beyond the recording.
        put: sites whose value an action puts, for the provenance shown.
        held: sites whose recorded value is held; if there are any, the recorded order of turns is kept.

    Raises:
        ActionError: the run is not one growing conversation.
    """

    def __init__(
        self,
        run: Trajectory,
        rerun: Rerun,
        continuation: Continuation,
        put: frozenset[str] = frozenset(),
        held: frozenset[str] = frozenset(),
    ) -> None:
        self.run, self.rerun, self.continuation = run, rerun, continuation
        self.put, self.held = put, held
        self.script = Script(run)
        self.recorded = {step.site: step for step in run.steps}
        self.replies = {step.site: step.reply for step in run.steps if isinstance(step, ModelStep)}

    def __call__(self) -> Walk:
        """Run the world once."""
        return _Pass(self).run()


class _Pass:
    """One pass through an agent world: the state of the loop, and the sites it runs."""

    def __init__(self, world: AgentWorld) -> None:
        self.world, self.site = world, SiteNamer(world.script.agent)
        self.environment: Node[Any] = endogenous(ENVIRONMENT, Pinned(str))
        self.messages: list[Node[Any]] = []
        self.history: list[Node[Any]] = []
        self.steps: list[WalkStep] = []
        self.index = 0
        self.scripted, self.ended = True, False
        self.frame: ModelStep | None = None
        self.model: Node[str] | None = None
        self.stopped: Undetermined | None = None
        self.wants_model = False
        self.draws: list[tuple[str, int]] = []

    def run(self) -> Walk:
        """Take turns until the run ends or cannot go on, then judge it."""
        while self.stopped is None and not self.ended and (kind := self._next()) is not None:
            if kind == "input":
                self._input()
            else:
                self._reply()
            self.index += 1
        scores = self._scores()
        return Walk(tuple(self.steps), scores, self.stopped, self.wants_model, tuple(self.draws))

    def _next(self) -> str | None:
        """Who speaks next: as recorded while the script holds, else as the harness did in this run."""
        turn = self.world.script.turn(self.index)
        if self.scripted:
            return turn.step.kind if turn else None
        if isinstance(self.steps[-1].step, InputStep):
            return "model"
        if not isinstance(self.steps[-1].step, ModelStep):  # a tool step, made or dropped
            return "input" if self.world.script.repeated else "model"
        return self.world.script.follows(self.index - 1)

    def _input(self) -> None:
        """Text from outside: exogenous before the first model step, afterwards an answer to the conversation."""
        turn = self.world.script.turn(self.index) if self.scripted else None
        message = turn.step.message if turn and isinstance(turn.step, InputStep) else None
        site = self.site(message.role if message else "user")
        prompt = next((node for node in self.messages if node.value.role == "user"), None)
        after_tools = bool(self.steps) and not isinstance(self.steps[-1].step, InputStep | ModelStep)
        repeated = self.world.script.repeated
        if prompt and after_tools and repeated and message in (None, repeated):
            node = endogenous(site, Function(_same), prompt)
        else:
            node = endogenous(site, Pinned(conversation_key), *(self.messages if self.frame else ()))
        node, drawn = self._settle(site, node, InputStep)
        if node.value is None:
            self.ended = True
        elif self.stopped is None:
            self._add(InputStep(site=site, message=node.value, reads=self._reads if self.frame else ()), node, drawn)

    def _reply(self) -> None:
        """A model step: which model, asked what, said what; then its calls."""
        turn = self.world.script.turn(self.index) if self.scripted else None
        step = turn.step if turn and isinstance(turn.step, ModelStep) else None
        before, frame = self.frame, step or self.frame
        if frame is None:
            raise AssertionError("a run's first model step is always scripted")
        self.frame = frame
        site = self.site(frame.site.rpartition("/")[0])
        inherited = Function(inherit(before.request.model if before else None, frame.request.model))
        self.model = endogenous(f"{site}.model", inherited, *([self.model] if self.model else ()))
        request = endogenous(f"{site}.request", Function(asking(frame.request)), self.model, *self.messages)
        said = endogenous(site, Pinned(request_key), request)
        reply, drawn = self._settle(site, said, ModelStep, request.value)
        if self.stopped is not None:
            return
        if reply.value is None:
            self._unsaid(site, drawn)
            return
        recorded = step is not None and reply.value == step.reply
        tools = turn.tools if turn and recorded else ()
        self.scripted = self.scripted and (recorded or bool(self.world.held))
        self.ended = drawn.stops if drawn else recorded and not tools and bool(reply.value.tool_calls)
        self._act(site, request, reply, drawn, tools)

    def _unsaid(self, site: str, drawn: Drawn | None) -> None:
        """No reply: the run ended here, or the step was dropped and the next is due."""
        if drawn:
            self.ended = True
        else:
            self.steps.append(WalkStep(site, None, Provenance.DROPPED))
            self.scripted = bool(self.world.held)

    def _act(
        self,
        site: str,
        request: Node[Request],
        reply: Node[AssistantMessage],
        drawn: Drawn | None,
        tools: Sequence[ToolStep],
    ) -> None:
        """Show the reply, and make its calls in the recorded order of execution, or else as they stand."""
        said = () if self.ended else reply.value.tool_calls
        order = execution_order(said, tools)
        sites = {index: self.site.tool(said[index].name) for index in order}
        calls = {i: endogenous(f"{sites[i]}.call", Function(picking(i)), reply) for i in order}
        shown = reply
        if calls:
            shown = endogenous(f"{site}.message", Function(showing), reply, *(calls[i] for i in sorted(calls)))
        self._add(ModelStep(site=site, request=request.value, reply=shown.value, reads=self._reads), shown, drawn)
        for index in order:
            if self.stopped is None:
                self._use(sites[index], calls[index], site)

    def _use(self, site: str, call: Node[Any], caller: str) -> None:
        """A tool step: execute the call after all that were made before it."""
        self.history.append(call)
        if call.value is None:
            self.steps.append(WalkStep(site, None, Provenance.DROPPED))
            return
        doubt = self.world.rerun.environment.doubt(self.environment.value)
        executed = Reexecuted(using(self.world.rerun), doubt)
        result, drawn = self._settle(site, endogenous(site, executed, self.environment, *self.history), ToolStep)
        if self.stopped is None:
            step = ToolStep(site=site, call=call.value, result=result.value, reads=(caller,))
            self._add(step, endogenous(f"{site}.message", Function(tool_message), call, result), drawn)

    @property
    def _reads(self) -> tuple[str, ...]:
        return tuple(step.site for step in self.steps if step.step is not None)

    def _settle(
        self, site: str, node: Node[Any], kind: type[AnyStep], request: Request | None = None
    ) -> tuple[Node[Any], Drawn | None]:
        """A node whose noise the recording settles, as it is; else a draw that is offered; else the end."""
        if not isinstance(node.value, Unpinned | Undetermined):
            return node, None
        options = self._options(site, kind, request)
        if not isinstance(options, Undetermined):
            self.scripted = False
            weights = [option.count / option.total for option in options]
            draw: Node[Any] = endogenous(f"{site}.draw", choice(options, weights), node)
            self.draws.append((draw.value.source, draw.value.total))
            return endogenous(f"{site}.drawn", Function(_value), draw), draw.value
        self.stopped = node.value if isinstance(node.value, Undetermined) else options
        self.wants_model = kind is ModelStep
        self.steps.append(WalkStep(site, None, Provenance.UNDETERMINED, why=self.stopped))
        return node, None

    def _options(self, site: str, kind: type[AnyStep], request: Request | None) -> tuple[Drawn, ...] | Undetermined:
        """The values that the continuation offers for a step that is due."""
        said = self._ask(site, kind, request)
        if isinstance(said, Undetermined):
            return said
        if isinstance(said, Said):
            return (Drawn(said.reply, said.source, 1, 1, stops=False, provenance=Provenance.LIVE),)
        call = self.history[-1].value if kind is ToolStep else None
        turns = tuple(turn for turn in said if kind is not ToolStep or self._starts_alike(turn.run))
        near = turns[0].run.id if turns else None
        found = options_for(turns, self.world.run.agent, kind, call)
        return found or Undetermined(why=f"runs with this conversation did not go on with {site}", near=near)

    def _ask(
        self, site: str, due: type[AnyStep] | None, request: Request | None = None
    ) -> Sequence[Turn] | Said | Undetermined:
        """What the continuation knows of the conversation as it now stands here."""
        if self.frame is None or self.model is None:
            return Undetermined(why="no model step has run yet, so there is no request to look up")
        if request is None:
            messages = tuple(node.value for node in self.messages)
            request = asking(self.frame.request)(self.model.value, *messages)
        return self.world.continuation.ask(request, Place(site, due, self.world.run.id))

    def _starts_alike(self, other: Trajectory) -> bool:
        """Whether another run's tools began in the state of this world; without environments, had the same task."""
        ours, theirs = self.environment.value, other.environment
        if theirs is None or self.world.run.environment is None:
            return theirs is self.world.run.environment and other.task == self.world.run.task
        start = self.world.rerun.environment.start
        return theirs.name == ours.name and other.task == self.world.run.task and start(theirs) == start(ours)

    def _add(self, step: AnyStep, message: Node[Any], drawn: Drawn | None) -> None:
        """Add a step to the conversation, with its provenance; the recorded step itself where nothing differs."""
        self.messages.append(message)
        recorded = self.world.recorded.get(step.site)
        if recorded is not None and alike(step, recorded):
            step = recorded
        if drawn:
            self.steps.append(WalkStep(step.site, step, drawn.provenance, drawn.source, drawn.total))
        else:
            self.steps.append(WalkStep(step.site, step, self._provenance(step, step is recorded)))

    def _provenance(self, step: AnyStep, as_recorded: bool) -> Provenance:
        """Where a value comes from that was not drawn from another run."""
        if step.site in self.world.put:
            return Provenance.PUT
        if isinstance(step, ToolStep):
            moved = any(node.changed for node in (self.environment, *self.history))
            logged = self.world.rerun.environment.logs(step.call)
            return Provenance.REEXECUTED if moved and not logged else Provenance.RECORDED
        if isinstance(step, ModelStep) and not as_recorded and step.reply != self.world.replies.get(step.site):
            return Provenance.EDITED
        return Provenance.HELD if step.site in self.world.held else Provenance.RECORDED

    def _scores(self) -> Mapping[str, Score | Undetermined]:
        """Judge the end; where no judge can, draw the scores of recorded runs that were this very conversation."""
        names = self.world.run.outcome.scores
        if self.stopped is not None:
            return dict.fromkeys(names, self.stopped)
        parents = (self.environment, *self.history, *self.messages)
        judges = {name: Reexecuted(judging(self.world.rerun, name, len(self.history))) for name in names}
        scores = {name: endogenous(f"outcome/{name}", judges[name], *parents).value for name in names}
        turns = self._ask("outcome", None) if any(isinstance(s, Undetermined) for s in scores.values()) else ()
        if isinstance(turns, Undetermined | Said):
            return scores
        ended = [turn for turn in turns if turn.step is None and self._starts_alike(turn.run)]
        if not ended:
            return scores
        draw: Node[Any] = endogenous("outcome.draw", choice([turn.run.outcome.scores for turn in ended]), *parents)
        self.draws.append(("outcome", len(ended)))
        return {name: draw.value.get(name, score) for name, score in scores.items()}


def _same(value: Any) -> Any:
    return value


def _value(drawn: Drawn) -> Any:
    return drawn.value
