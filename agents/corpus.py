"""A prefix tree over recorded conversations: what did this model say when it was asked exactly this?

A recorded reply to an equal request is a genuine draw of the same mechanism, without a call. The corpus indexes
every prefix of every run by its rolling digest (context, then message after message), so a look-up costs one
dictionary access, and coverage is a query.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ifonly.agents.canonical import Equality, context_digest, extend, message_digest
from ifonly.agents.environments.base import Undetermined
from ifonly.agents.equivalence import canonical_error, canonical_result
from ifonly.agents.records import InputStep, ModelStep, ToolMessage, ToolStep, message_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ifonly.agents.records import Message, Request, Trajectory

__all__ = ["Corpus", "Turn"]


@dataclass(frozen=True, slots=True)
class Turn:
    """A place in a recorded run: after its first `position` steps."""

    run: Trajectory
    position: int

    @property
    def step(self) -> InputStep | ModelStep | ToolStep | None:
        """What came next there; None where the run ended."""
        return self.run.steps[self.position] if self.position < len(self.run.steps) else None

    @property
    def ends(self) -> bool:
        """Whether the run ended with the step that came next."""
        return self.position + 1 >= len(self.run.steps)


class Corpus:
    """Recorded runs, indexed by every prefix of their conversations.

    Args:
        runs: trajectories whose steps are one conversation each; others can be asked of, but never match.
        equality: when two conversations count as equal.
    """

    def __init__(self, runs: Iterable[Trajectory], equality: Equality = Equality.EXACT) -> None:
        self.runs = tuple(runs)
        self.equality = equality
        self._turns: dict[str, list[Turn]] = defaultdict(list)
        self._prefixes = {run.id: _prefixes(run, equality) for run in self.runs}
        for run in self.runs:
            for position, key in enumerate(self._prefixes[run.id]):
                self._turns[key].append(Turn(run, position))

    def __len__(self) -> int:
        return len(self.runs)

    def prefixes(self, run: Trajectory) -> tuple[str, ...]:
        """The keys of the conversation before each step of a run of this corpus, and of the whole, in order."""
        return self._prefixes[run.id]

    def key(self, request: Request) -> str:
        """The digest under which the conversation of this request is found."""
        return _fold(_context(request), request.messages, self.equality)[-1]

    def turns(self, key: str, *, model: str, besides: str | None = None) -> tuple[Turn, ...]:
        """Recorded places where the conversation of this key stood with this model, in the order of the runs.

        Args:
            key: from `key`.
            model: the model whose runs count, whatever agent they ran in.
            besides: id of a run to leave out (the one that is asked about).
        """
        return tuple(turn for turn in self._turns.get(key, ()) if turn.run.model == model and turn.run.id != besides)

    def models(self, key: str) -> frozenset[str]:
        """The models that were asked with this conversation."""
        return frozenset(turn.run.model for turn in self._turns.get(key, ()) if isinstance(turn.step, ModelStep))

    def missing(self, request: Request, *, besides: str | None = None) -> Undetermined:
        """Why no run but `besides` can continue this request, with the nearest recorded one."""
        model, keys = request.model, _fold(_context(request), request.messages, self.equality)
        if self.turns(keys[-1], model=model):
            return Undetermined(why=f"no other recorded run of {model} was asked this")
        for depth in range(len(request.messages) - 1, -1, -1):
            for turn in self.turns(keys[depth], model=model, besides=besides)[:1]:
                asked, seen = request.messages[depth], turn.step
                return Undetermined(
                    why=f"no run of {model} was asked this: message {depth} ({_brief(asked)}) was never seen there",
                    near=f"{turn.run.id}, where message {depth} is {_brief(message_of(seen)) if seen else 'the end'}",
                )
        return Undetermined(why=f"the corpus holds no other run of {model} that begins like this")


def _prefixes(run: Trajectory, equality: Equality) -> tuple[str, ...]:
    first = next((step for step in run.steps if isinstance(step, ModelStep)), None)
    return _fold(_context(first.request), run.messages, equality) if first else ()


def _context(request: Request) -> str:
    """What stands beside the messages, without the seed: it names the noise, and another draw has another one."""
    settings = {name: value for name, value in request.settings.items() if name != "seed"}
    return context_digest(
        request if settings == request.settings else request.model_copy(update={"settings": settings})
    )


def _fold(context: str, messages: Sequence[Message], equality: Equality) -> tuple[str, ...]:
    keys = [context]
    for message in messages:
        spelled = _spelled(message) if equality is Equality.EQUIVALENT else message
        keys.append(extend(keys[-1], message_digest(spelled, equality)))
    return tuple(keys)


def _spelled(message: Message) -> Message:
    """A tool message as all that are equivalent to it are spelled."""
    if not isinstance(message, ToolMessage):
        return message
    update = {"content": canonical_result(message.content), "error": canonical_error(message.error)}
    return message.model_copy(update=update)


def _brief(message: Message, width: int = 60) -> str:
    text = message.content if isinstance(message.content, str) else str(message.content or "")
    calls = ", ".join(call.name for call in getattr(message, "tool_calls", ()))
    line = " ".join((f"calls {calls} " + text).split() if calls else text.split())
    return f"{message.role}: {line[:width]}{'...' if len(line) > width else ''}"
