"""Two sources to look things up in; the errand is solved by an answer that says what the right one said."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ifonly.agents.records import AssistantMessage, ToolMessage
from ifonly.agents.toolbox.tools import tool

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ifonly.agents.records import Message

__all__ = ["SKY", "news", "score", "weather"]

SKY = "rain"
"""What the weather is."""


@tool(effect="pure")
def weather() -> str:
    """Tells the weather."""
    return SKY


@tool(effect="pure")
def news() -> str:
    """Tells the news."""
    return "The bridge is open."


def score(messages: Sequence[Message], state: object) -> dict[str, bool]:
    """``solved``: the last word is an answer that names the weather. ``looked``: the weather was looked up."""
    last = messages[-1]
    answer = last.content if isinstance(last, AssistantMessage) and not last.tool_calls else None
    return {
        "solved": isinstance(answer, str) and SKY in answer.lower(),
        "looked": any(isinstance(message, ToolMessage) and message.name == "weather" for message in messages),
    }
