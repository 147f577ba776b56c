"""What a folder of recorded runs settles without a single model call, by step."""

from __future__ import annotations

from collections import Counter, defaultdict
from math import comb
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

from ifonly.agents.canonical import Equality, canonical_json
from ifonly.agents.corpus import Corpus
from ifonly.agents.records import ModelStep, ToolStep
from ifonly.scm.draw import Draw
from ifonly.scm.estimate import Estimate
from ifonly.scm.intervals import cluster_bootstrap

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ifonly.agents.records import ToolCall, Trajectory

__all__ = ["CoverageAnswer", "CoverageRow", "FreeTextTest", "coverage"]


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class CoverageRow(_Answer):
    """How many swaps of one kind the log settles at the n-th step of its kind.

    Attributes:
        swap: what is swapped: the model that is asked, or the result of a tool call.
        equality: when requests count as equal.
        step: index of the step among the model (or tool) steps of its run, from 0.
        asked: how many recorded steps there are.
        settled: how many have an alternative on record: another model that was put the very same request; another
            result of the same call in the same conversation of the same model, with what the model made of it.
        share: settled / asked.
        alternatives: mean number of such models (or of such results).
    """

    swap: Literal["model", "result"]
    equality: Equality
    step: int
    asked: int
    settled: int
    share: float
    alternatives: float


class FreeTextTest(_Answer):
    """Whether earlier free text moves later replies: the assumption behind calls-only equality, on the corpus itself.

    Pairs of recorded replies by one model to requests that share their calls. If the text does not matter, replies
    differ as often across texts as within one.

    Only conversations with pairs of both kinds count, each with the same weight; intervals are clustered by task.

    Attributes:
        conversations: how many such conversations there are.
        same_text: mean share of pairs with equal text whose next calls differ: chance alone.
        other_text: mean share of pairs with different text whose next calls differ.
        difference: `other_text` less `same_text`; None with fewer than two tasks.
    """

    conversations: int
    same_text: float | None
    other_text: float | None
    difference: Estimate | None


class CoverageAnswer(_Answer):
    """Coverage of a corpus: see `coverage`."""

    version: Literal[1] = 1
    runs: int
    models: int
    tasks: int
    rows: tuple[CoverageRow, ...]
    free_text: FreeTextTest


def coverage(runs: Sequence[Trajectory], steps: int = 5) -> CoverageAnswer:
    """How many swaps of model or tool result recorded replies settle, by step.

    Args:
        runs: the corpus, which is also what is asked about.
        steps: how many steps of each kind to report.
    """
    exact, equivalent, calls = (Corpus(runs, equality) for equality in Equality)
    rows = [row for corpus in (exact, equivalent, calls) for row in _rows(corpus, steps)]
    return CoverageAnswer(
        runs=len(runs),
        models=len({run.model for run in runs}),
        tasks=len({run.task for run in runs}),
        rows=tuple(rows),
        free_text=_free_text(exact, calls),
    )


def _rows(corpus: Corpus, steps: int) -> list[CoverageRow]:
    found: dict[tuple[Literal["model", "result"], int], list[int]] = defaultdict(list)
    for run in corpus.runs:
        index = {"model": 0, "result": 0}
        for step, key in zip(run.steps, corpus.prefixes(run), strict=False):
            if isinstance(step, ModelStep):
                others = corpus.models(key) - {step.request.model}
                found["model", index["model"]].append(len(others))
                index["model"] += 1
            elif isinstance(step, ToolStep):
                found["result", index["result"]].append(len(_other_results(corpus, run, step, key)))
                index["result"] += 1
    return [
        CoverageRow(
            swap=swap,
            equality=corpus.equality,
            step=step,
            asked=len(counts),
            settled=sum(map(bool, counts)),
            share=sum(map(bool, counts)) / len(counts),
            alternatives=sum(counts) / len(counts),
        )
        for (swap, step), counts in sorted(found.items())
        if step < steps
    ]


def _other_results(corpus: Corpus, run: Trajectory, step: ToolStep, key: str) -> frozenset[tuple[str, str | None]]:
    """Results, other than the recorded, of the same call in the same conversation of the same agent and model."""
    turns = corpus.turns(key, model=run.model, besides=run.id)
    others = (turn.step for turn in turns if turn.run.agent == run.agent)
    same_call = (other for other in others if isinstance(other, ToolStep) and _same_call(other.call, step.call))
    return frozenset(map(_result_key, same_call)) - {_result_key(step)}


def _same_call(left: ToolCall, right: ToolCall) -> bool:
    return left.name == right.name and left.arguments == right.arguments


def _result_key(step: ToolStep) -> tuple[str, str | None]:
    content = step.result.content
    return content if isinstance(content, str) else canonical_json(content), step.result.error


def _free_text(exact: Corpus, calls: Corpus) -> FreeTextTest:
    groups: dict[tuple[str, str], Counter[tuple[str, str]]] = defaultdict(Counter)
    tasks: dict[tuple[str, str], str] = {}
    for run in exact.runs:
        for step, text, key in zip(run.steps, exact.prefixes(run), calls.prefixes(run), strict=False):
            if isinstance(step, ModelStep):
                next_calls = canonical_json([[call.name, call.arguments] for call in step.reply.tool_calls])
                groups[key, run.model][text, next_calls] += 1
                tasks[key, run.model] = run.task
    rates = {name: pair for name, counts in groups.items() if (pair := _differing(counts)) is not None}
    if not rates:
        return FreeTextTest(conversations=0, same_text=None, other_text=None, difference=None)
    same, other = np.array(list(rates.values())).T
    clusters = [tasks[name] for name in rates]
    difference = None
    if len(set(clusters)) > 1:
        value, (low, high) = cluster_bootstrap(clusters, lambda rows: float((other - same)[rows].mean()), Draw())
        difference = Estimate(
            value=value, low=min(low, value), high=max(high, value), level=0.95, effective=len(set(clusters)),
            rung="observed", identified="point",
        )  # fmt: skip
    return FreeTextTest(
        conversations=len(rates), same_text=float(same.mean()), other_text=float(other.mean()), difference=difference
    )


def _differing(counts: Counter[tuple[str, str]]) -> tuple[float, float] | None:
    """Share of pairs with different calls, among pairs of equal and of different text; None unless both exist."""
    texts, calls = Counter[str](), Counter[str]()
    for (text, call), count in counts.items():
        texts[text] += count
        calls[call] += count
    within = sum(comb(count, 2) for count in texts.values())
    across = comb(counts.total(), 2) - within
    if not within or not across:
        return None
    equal_within = sum(comb(count, 2) for count in counts.values())
    equal_across = sum(comb(count, 2) for count in calls.values()) - equal_within
    return 1 - equal_within / within, 1 - equal_across / across
