"""What happens after a divergence is the user's choice, and it names the estimand.

| continuation | later replies | estimand |
|---|---|---|
| `Hold` | kept as recorded, whatever the request | controlled direct effect |
| `FromCorpus` | served from any recorded run that was asked the equal request | total effect, by genuine draws |
| `Bounds` | unknown | what the log settles, and no more |
| `Live` | asked of the model now, a particle at a time (`ifonly.sim.live`) | total effect, or of fresh noise |

Asking a fitted world (``model``) fits the same Protocol.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from ifonly.agents.canonical import Equality
from ifonly.agents.environments.base import Undetermined

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ifonly.agents.corpus import Corpus, Turn
    from ifonly.agents.records import AssistantMessage, Request
    from ifonly.sim.draws import AnyStep

__all__ = ["Bounds", "Continuation", "FromCorpus", "Hold", "Place", "Said"]


_ASSUMED: Final[Mapping[Equality, str | None]] = {
    Equality.EXACT: None,
    Equality.EQUIVALENT: "clock stamps and the order of sets in tool results do not move replies",
    Equality.CALLS_ONLY: "free text of earlier turns that made calls does not move replies",
}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a path stands when it asks.

    Args:
        site: of the step that is due.
        due: the kind of that step; None where a run has ended and is to be judged.
        run: id of the run that is asked about: its own reply here is no independent draw.
    """

    site: str
    due: type[AnyStep] | None
    run: str


@dataclass(frozen=True, slots=True)
class Said:
    """The one reply that a model gave to this very path; None where the run ends instead."""

    reply: AssistantMessage | None
    source: str


class Continuation(Protocol):
    """Where replies come from once the recording no longer settles them."""

    @property
    def name(self) -> str:
        """Its name on the command line and in answers."""
        ...

    @property
    def assumption(self) -> str:
        """What its answers assume, in one sentence."""
        ...

    @property
    def noise(self) -> str | None:
        """Name of an assumption that replies rest on and that this run cannot test; None if there is none."""
        ...

    def ask(self, request: Request, place: Place) -> tuple[Turn, ...] | Said | Undetermined:
        """Recorded places where this conversation was put to this model, what it said, or why there is nothing.

        Args:
            request: the whole request, model included.
            place: where the path stands.
        """
        ...


@dataclass(frozen=True)
class Hold:
    """Later replies and user turns are put to their recorded values."""

    name: str = "hold"
    assumption: str = (
        "Later replies stay as recorded although what they answer has changed (a controlled direct effect)."
    )
    noise: str | None = None

    def ask(self, request: Request, place: Place) -> Undetermined:
        """The recording has nothing more to hold."""
        return Undetermined(why=f"the recording holds no reply of {request.model} here", near=place.run)


@dataclass(frozen=True)
class Bounds:
    """Later replies are unknown."""

    name: str = "bounds"
    assumption: str = "None: a reply that the recording does not settle is left open."
    noise: str | None = None

    def ask(self, request: Request, place: Place) -> Undetermined:
        """No reply."""
        return Undetermined(why=f"the recording does not settle what {request.model} replies here")


class FromCorpus:
    """Later replies are drawn from recorded runs that were asked the equal request.

    Args:
        corpus: the runs to draw from; its `equality` says which requests are equal.
    """

    name = "corpus"

    def __init__(self, corpus: Corpus) -> None:
        self.corpus = corpus
        self.noise = _ASSUMED[corpus.equality]
        self.assumption = "Replies to different requests have independent noise" + (
            f"; {self.noise}." if self.noise else "."
        )

    def ask(self, request: Request, place: Place) -> tuple[Turn, ...] | Undetermined:
        """Every place in the corpus where this conversation stood, put to this model."""
        turns = self.corpus.turns(self.corpus.key(request), model=request.model, besides=place.run)
        return turns or self.corpus.missing(request, besides=place.run)
