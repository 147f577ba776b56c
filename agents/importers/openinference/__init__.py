"""OpenTelemetry traces of agents, whose spans carry OpenInference's attributes (or OpenTelemetry's own, see `genai`).

`nested` and `otlp` read the carriers, `told` and `genai` the attributes, `steps` makes steps of the spans, `sources`
finds out what each read. A trajectory is named after its trace. Kept are the start and duration of each step, token
counts, errors, and the id of the span that told of it; of the rest of a record: ``subset`` becomes a label, and the
numbers of ``scores`` (how TRAIL's annotators judged the run) become scores. ``errors``, TRAIL's labels, are for
`ifonly.scenarios.trail`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ifonly.agents.importers.openinference.attributes import text_at
from ifonly.agents.importers.openinference.kinds import kind_of
from ifonly.agents.importers.openinference.steps import steps_of_trace
from ifonly.agents.importers.openinference.trace import trace_id_of, trace_of
from ifonly.agents.records import Outcome, Trajectory

if TYPE_CHECKING:
    from pathlib import Path

    from pydantic import JsonValue

    from ifonly.agents.importers.base import Place
    from ifonly.agents.importers.openinference.trace import Trace

__all__ = ["OpenInference"]


# Beyond this a score is no score.
_LARGEST = 1e9


class OpenInference:
    """The importer."""

    name = "openinference"
    signature = frozenset({"trace_id", "spans"})
    companions: tuple[str, ...] = ()
    literal_ids = True

    def detect(self, record: JsonValue, path: Path) -> bool:
        """Whether the record is a trace of spans, or a document of OTLP/JSON."""
        return isinstance(record, dict) and (record.keys() >= self.signature or "resourceSpans" in record)

    def identify(self, record: JsonValue, place: Place) -> str | None:
        """The id of the trace."""
        return trace_id_of(record)

    def parse(self, record: JsonValue, place: Place) -> Trajectory:
        """See `Importer`."""
        if not isinstance(record, dict):
            raise place.error(None, "no object", "Write a trace as an object with `trace_id` and `spans`.")
        trace = trace_of(record, place)
        lifted = steps_of_trace(trace, place)
        labels = {"subset": record.get("subset"), "service": trace.service}
        return Trajectory(
            id=trace.id,
            task=trace.id,
            agent=_agent(trace) or lifted.model,
            model=lifted.model,
            steps=lifted.steps,
            outcome=Outcome(scores=_scores(record.get("scores")), error=_failure(trace)),
            labels={name: value for name, value in labels.items() if isinstance(value, str) and value},
            seconds=_seconds(trace),
        )


def _agent(trace: Trace) -> str | None:
    """What the first agent is called, or else runs as."""
    first = next((span for span in trace.spans.values() if kind_of(span) == "AGENT"), None)
    if first is None:
        return None
    return text_at(first.tree, "agent.name", "gen_ai.agent.name") or first.name.removesuffix(".run") or None


def _failure(trace: Trace) -> str | None:
    """The error of a span that ran in no other, or of the first agent in it."""
    waiting = [*trace.roots, *(child for root in trace.roots for child in root.children if kind_of(child) == "AGENT")]
    return next((span.error for span in waiting if span.error is not None), None)


def _seconds(trace: Trace) -> float | None:
    started = [span.started for span in trace.roots if span.started is not None]
    ended = [end for span in trace.roots if (end := span.ended) is not None]
    return max(ended) - min(started) if ended else None


def _scores(given: Any) -> dict[str, bool | float]:
    """The numbers among TRAIL's scores of a run."""
    first = given[0] if isinstance(given, list) and given else None
    if not isinstance(first, dict):
        return {}
    return {
        name: float(value) for name, value in first.items() if isinstance(value, int | float) and abs(value) <= _LARGEST
    }
