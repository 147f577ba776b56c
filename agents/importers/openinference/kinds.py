"""Which dialect a span speaks, what kind of work it tells of, and whether content was captured."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ifonly.agents.importers.openinference.attributes import at, text_at
from ifonly.agents.importers.openinference.genai import KINDS, asked_genai, used_genai
from ifonly.agents.importers.openinference.told import HIDDEN, asked, used

if TYPE_CHECKING:
    from ifonly.agents.importers.base import Place
    from ifonly.agents.importers.openinference.spans import Span
    from ifonly.agents.importers.openinference.told import Asked, Used
    from ifonly.agents.importers.openinference.trace import Trace

__all__ = ["asked_of", "check_content", "kind_of", "used_of"]

_KIND = "openinference.span.kind"
_OPERATION = "gen_ai.operation.name"

_OTHERS = {
    "OpenLLMetry (Traceloop)": "traceloop.span.kind",
    "Langfuse": "langfuse.observation.type",
    "the Vercel AI SDK": "ai.operationId",
    "MLflow": "mlflow.spanType",
    "OpenTelemetry GenAI before version 1.37, with messages in events": "gen_ai.system",
}

_SHOW_OPENINFERENCE = (
    "Run the agent without OPENINFERENCE_HIDE_INPUTS, OPENINFERENCE_HIDE_OUTPUTS, OPENINFERENCE_HIDE_INPUT_MESSAGES, "
    "OPENINFERENCE_HIDE_OUTPUT_MESSAGES, OPENINFERENCE_HIDE_INPUT_TEXT and OPENINFERENCE_HIDE_OUTPUT_TEXT."
)
_SHOW_GENAI = (
    "Run the agent with OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT=SPAN_ONLY and "
    "OTEL_SEMCONV_STABILITY_OPT_IN=gen_ai_latest_experimental."
)


def kind_of(span: Span) -> str | None:
    """The kind of span in OpenInference's words (LLM, TOOL, AGENT, CHAIN, ...); None where it does not say."""
    told = text_at(span.tree, _KIND)
    return told.upper() if told else KINDS.get(text_at(span.tree, _OPERATION) or "")


def asked_of(span: Span) -> Asked:
    """What an LLM span tells.

    Raises:
        InputError: an attribute is broken.
    """
    return asked(span) if text_at(span.tree, _KIND) else asked_genai(span)


def used_of(span: Span) -> Used:
    """What a TOOL or AGENT span tells.

    Raises:
        InputError: an attribute is broken.
    """
    return used(span) if text_at(span.tree, _KIND) else used_genai(span)


def check_content(trace: Trace, calls: dict[str, Asked], place: Place) -> None:
    """See that the trace tells what was asked and answered.

    Args:
        trace: the trace.
        calls: what its LLM spans tell, by the id of the span.
        place: of the record.

    Raises:
        InputError: there is no model call of a known dialect; a call has no messages, or none has a reply.
    """
    if not calls:
        raise _no_call(trace, place)
    answered = [key for key in calls if trace.spans[key].error is None]
    for key in answered:
        span, messages = trace.spans[key], calls[key].messages
        if not messages or any(message.get("content") == HIDDEN for message in messages):
            raise _hidden(span, "the messages of a model call were not captured")
        if _hides(calls[key].reply):
            raise _hidden(span, "the reply of a model call was not captured")
    if answered and all(calls[key].reply is None for key in answered):
        raise _hidden(trace.spans[answered[0]], "no reply of a model was captured")


def _hides(reply: dict[str, object] | None) -> bool:
    return reply is not None and reply.get("content") == HIDDEN


def _hidden(span: Span, found: str) -> Exception:
    plain = text_at(span.tree, _KIND) is not None
    where = "llm.input_messages" if plain else "gen_ai.input.messages"
    return span.place.error(where, found, _SHOW_OPENINFERENCE if plain else _SHOW_GENAI)


def _no_call(trace: Trace, place: Place) -> Exception:
    spans = trace.spans.values()
    spoken = next(
        (name for name, key in _OTHERS.items() if any(at(span.tree, key) is not None for span in spans)), None
    )
    if spoken is None:
        found = f"{len(spans)} spans, none of a model call ({_KIND} is LLM, or {_OPERATION} is chat, in none)"
        return place.error("spans", found, "Export the whole trace, from an instrumentation of the model's client.")
    fix = "Export them with OpenInference's instrumentation, or in OpenTelemetry's GenAI conventions from 1.37 on."
    return place.error("spans", f"spans in the dialect of {spoken}, which cannot be read", fix)
