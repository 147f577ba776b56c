"""Asking models now: the continuation of one particle, and where its replies come from.

A world is a Pyro program, and no handler may be left waiting for the network. So a particle's world is run until it
wants a reply that nobody has; the reply is got outside, and the world is run again with it: the steps before come out
the same, since all their noise is fixed, and it goes one model step further.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol, Self

from ifonly.agents.canonical import request_key
from ifonly.agents.environments.base import Undetermined
from ifonly.agents.errors import ActionError
from ifonly.agents.records import InputStep, ModelStep
from ifonly.scm.draw import Draw
from ifonly.sim.continuations import Said

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ifonly.agents.completion import ChatModel, Completion
    from ifonly.agents.records import Request, ToolSpec
    from ifonly.sim.continuations import Place

__all__ = ["Counted", "Fresh", "Live", "Noise", "Once", "Plain", "Replies", "Wanted", "equipped", "seeded"]

Noise = Literal["fresh", "choice", "token"]
"""The noise of a live step: drawn anew; that of the recorded choice among options; that of each recorded token."""

_SEEDS = 2**31
"""Providers take seeds of 32 bits with a sign."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A model step that a particle came to, with what the model is to be asked."""

    site: str
    request: Request


@dataclass
class Live:
    """The continuation of one particle: models are asked now, all else stays as recorded.

    Args:
        source: name of the particle, which is the provenance of its replies.
        max_steps: model steps after which the harness stops a run.
        known: replies got so far, by site, with the key of their request.
        wanted: the step that the last pass stopped at for want of a reply.
    """

    source: str
    max_steps: int
    known: dict[str, tuple[str, Completion]] = field(default_factory=dict)
    wanted: Wanted | None = None
    name: str = "live"
    assumption: str = "The model that is asked now answers as the one that was recorded would have."
    noise: str | None = None

    def ask(self, request: Request, place: Place) -> Said | Undetermined:
        """The reply got for this site, if it was; else it is noted as wanted."""
        self.wanted = None
        if place.due is InputStep:
            return Undetermined(why="what the user would say here is not recorded, and only models are asked live")
        if place.due is not ModelStep:
            return Undetermined(why=f"{place.site} was neither executed nor recorded, and only models are asked live")
        if int(place.site.rpartition("/")[2]) >= self.max_steps:
            return Said(None, self.source)
        key, completion = self.known.get(place.site, (None, None))
        if completion is not None and key == request_key(request):
            return Said(completion.reply, self.source)
        self.wanted = Wanted(place.site, request)
        return Undetermined(why=f"{request.model} was not asked")

    def give(self, completion: Completion) -> None:
        """Take the reply to what is wanted."""
        if self.wanted is None:
            raise AssertionError("nothing is wanted")
        self.known[self.wanted.site] = request_key(self.wanted.request), completion


@dataclass
class Counted:
    """A model whose calls are counted.

    Args:
        model: whom to ask.
        live: replies that were asked now.
        recorded: replies that a cassette served.
        cost: of those asked now, in US dollars; None once one had no known price.
    """

    model: ChatModel
    live: int = 0
    recorded: int = 0
    cost: float | None = 0.0

    async def complete(self, request: Request) -> Completion:
        """See `ifonly.agents.completion.ChatModel`."""
        completion = await self.model.complete(request)
        self.note(completion)
        return completion

    def note(self, completion: Completion) -> None:
        """Count a reply."""
        if completion.source == "recorded":
            self.recorded += 1
        else:
            self.live += 1
            self.cost = None if self.cost is None or completion.cost is None else self.cost + completion.cost


@dataclass
class Once:
    """A model that is asked each request once: equal requests, seed and all, are the same draw and share its reply.

    Arms whose particles share their seeds often come to equal requests; no reply is paid twice.

    Args:
        model: whom to ask.
    """

    model: ChatModel
    _asked: dict[str, asyncio.Task[Completion]] = field(default_factory=dict)

    async def complete(self, request: Request) -> Completion:
        """See `ifonly.agents.completion.ChatModel`. What failed is asked anew the next time."""
        key = request_key(request)
        if key not in self._asked or (self._asked[key].done() and self._asked[key].exception() is not None):
            self._asked[key] = asyncio.create_task(self.model.complete(request))
        return await asyncio.shield(self._asked[key])


class Replies(Protocol):
    """How the replies of live steps are drawn; an async context manager, for what must be opened and closed."""

    async def __aenter__(self) -> object:
        """Ready to be asked."""
        ...

    async def __aexit__(self, *error: object) -> None:
        """Nothing more will be asked."""
        ...

    @property
    def noise(self) -> Noise:
        """Which noise they take."""
        ...

    @property
    def assumption(self) -> str:
        """What that assumes, in one sentence."""
        ...

    async def reply(self, request: Request, *, site: str, particle: str, factual: ModelStep | None) -> Completion:
        """The reply of one particle at a site.

        Args:
            request: what the model is asked in the changed world.
            site: of the step.
            particle: its name; particles of both arms that share it share their noise.
            factual: the recorded step at this site, whose noise is abducted; None where there is none.

        Raises:
            IfonlyError: no reply could be had.
        """
        ...


class Plain:
    """Replies for which nothing must be opened."""

    async def __aenter__(self) -> Self:
        """As it is."""
        return self

    async def __aexit__(self, *error: object) -> None:
        """As it was."""


@dataclass(frozen=True)
class Fresh(Plain):
    """The model is asked with a seed of its own for each particle and site; both arms share the seeds.

    Args:
        model: whom to ask.
        seed: of all draws.
        settings: sampling settings where the recorded request names none.
        tools: those of the environment, where the log does not say what was offered.
    """

    model: ChatModel
    seed: int = 0
    settings: Mapping[str, Any] = field(default_factory=dict)
    tools: tuple[ToolSpec, ...] = ()
    noise: Noise = "fresh"
    assumption: str = (
        "Replies after the worlds part are drawn with fresh noise, as in a new run; what the recorded run's chance "
        "would have made of them is not used (interventional)."
    )

    async def reply(self, request: Request, *, site: str, particle: str, factual: ModelStep | None) -> Completion:
        """See `Replies`."""
        seed = seeded(self.seed, f"{particle}/{site}")
        return await self.model.complete(equipped(request, self.tools, {**self.settings, "seed": seed}))


def equipped(request: Request, tools: tuple[ToolSpec, ...], settings: Mapping[str, Any]) -> Request:
    """A request as it goes to a model: with the tools that the log left unnamed, and settings it does not have.

    Raises:
        ActionError: the conversation uses tools, and nobody says which were offered.
    """
    offered = request.tools
    if offered is None:
        used = {m.name for m in request.messages if m.role == "tool"}
        if used and not tools:
            raise ActionError(
                "a live model call",
                f"the log does not say which tools were offered, only that {', '.join(sorted(used))} was used",
                "Name them with --tools MODULE, or record the run with its tools.",
            )
        offered = tools or None
    seed = {name: value for name, value in settings.items() if name == "seed"}
    return request.model_copy(
        update={"tools": offered, "toolset": None, "settings": {**settings, **request.settings, **seed}}
    )


def seeded(seed: int, name: str) -> int:
    """A seed that providers take, keyed by name."""
    return Draw(seed).key(name) % _SEEDS
