"""The pieces of a streamed reply, put together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ifonly.agents.errors import ProviderError
from ifonly.agents.records import StreamPart
from ifonly.agents.wire.replies import UnfinishedReply, completion_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ifonly.agents.completion import Completion
    from ifonly.agents.records import Request

__all__ = ["Assembler"]


class Assembler:
    """Takes the chunks of one streamed reply in order, and gives the completion.

    Args:
        request: what was asked.
    """

    def __init__(self, request: Request) -> None:
        self.request = request
        self._message: dict[str, Any] = {"content": None, "refusal": None}
        self._calls: list[dict[str, Any]] = []
        self._tokens: dict[str, list[Any]] = {"content": [], "refusal": []}
        self._parts: list[StreamPart] = []
        self._response: dict[str, Any] = {}
        self._finish: str | None = None
        self._first: float | None = None
        self._last: float | None = None

    def add(self, chunk: Mapping[str, Any], seconds: float) -> None:
        """Take one chunk, which came so many seconds after the request went out.

        Raises:
            ProviderError: the chunk is an error, and nothing came before it.
            UnfinishedReply: the chunk is an error in the middle of a reply.
        """
        if error := chunk.get("error"):
            told = error.get("message") if isinstance(error, dict) else None
            kind = ProviderError if self._first is None else UnfinishedReply
            raise kind(self._asked, f"the stream ended in an error: {told or error}", "Ask again.")
        self._last = seconds
        self._response |= {key: chunk[key] for key in ("model", "usage") if chunk.get(key)}
        choices = chunk.get("choices")
        choice = choices[0] if isinstance(choices, list) and choices else None
        if isinstance(choice, dict) and not choice.get("index"):
            self._take(choice, seconds)

    def completion(self) -> Completion:
        """The completion, once the stream has ended.

        Raises:
            UnfinishedReply: no chunk held anything of a reply.
        """
        if self._first is None and self._finish is None:
            found = "the stream ended without a reply"
            raise UnfinishedReply(self._asked, found, "Ask again, or without streaming.")
        message = self._message | ({"tool_calls": self._calls} if self._calls else {})
        choice = {"message": message, "finish_reason": self._finish, "logprobs": self._tokens}
        made = completion_of(self._response | {"choices": [choice]}, self.request, self._last)
        return made.model_copy(update={"stream": tuple(self._parts), "first_token_seconds": self._first})

    @property
    def began(self) -> bool:
        """Whether a part of the reply has come."""
        return self._first is not None

    @property
    def _asked(self) -> str:
        return f"model {self.request.model!r}"

    def _take(self, choice: Mapping[str, Any], seconds: float) -> None:
        delta = choice.get("delta")
        delta = delta if isinstance(delta, dict) else {}
        for key in ("content", "refusal"):
            if (text := delta.get(key)) and isinstance(text, str):
                self._message[key] = (self._message[key] or "") + text
                self._parts += [StreamPart(seconds=seconds, text=text)] if key == "content" else []
                self._begin(seconds)
        calls = delta.get("tool_calls")
        for piece in calls if isinstance(calls, list) else []:
            if isinstance(piece, dict):
                self._extend(piece)
                self._begin(seconds)
        if isinstance(legacy := delta.get("function_call"), dict):
            self._extend({"index": 0, "function": legacy})
            self._begin(seconds)
        logprobs = choice.get("logprobs")
        for key, tokens in self._tokens.items():
            given = logprobs.get(key) if isinstance(logprobs, dict) else None
            tokens.extend(given if isinstance(given, list) else [])
        self._finish = choice.get("finish_reason") or self._finish

    def _begin(self, seconds: float) -> None:
        if self._first is None:
            self._first = seconds

    def _extend(self, piece: Mapping[str, Any]) -> None:
        """Add a piece of a call to its call: that of its index; another id at the same index starts a new one."""
        key, index = piece.get("id"), piece.get("index")
        call = next((call for call in reversed(self._calls) if index is None or call["index"] == index), None)
        if call is None or (key and call["id"] and key != call["id"]):
            call = {"id": None, "index": index, "function": {"name": "", "arguments": ""}}
            self._calls.append(call)
        call["id"] = call["id"] or key
        function = piece.get("function")
        for field, text in function.items() if isinstance(function, dict) else ():
            if field in call["function"] and isinstance(text, str):
                call["function"][field] += text
