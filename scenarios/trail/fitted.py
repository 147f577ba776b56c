"""An attributor without a model: how suspect a span is by what can be read off it, learned from labelled traces.

A logistic regression on `features`, over spans; each trace is judged by one that was fitted to traces of other folds.
It assumes that annotators mark the same surface in other traces: it learns *where labels stand* in traces of these
agents, not why a run failed, and would have to be fitted anew to traces of others. How many spans it names is learned
too: all above the threshold that gave the best mean F1 of spans on the traces fitted to, and at least one. A span's
category is the one most frequent among labelled spans like it (of the same name, and the same as to failures and
missing tags), else among all.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from ifonly.scenarios.trail.features import FEATURES, features_of
from ifonly.scenarios.trail.metrics import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from ifonly.scenarios.trail.labels import Labelled
    from ifonly.scm.draw import Draw

__all__ = ["FOLDS", "Fitted", "cross_validated", "folds", "usual_category"]

FOLDS = 10
"""Folds of the cross-validation."""

_STRENGTH = 0.1
_MARKS = tuple(FEATURES.index(name) for name in ("failed", "error_after", "tag_missing"))
_LIKE = 5
"""Labels that spans alike must have for their categories to count."""

Look = tuple[object, ...]


def folds(count: int, draw: Draw) -> NDArray[np.intp]:
    """The fold of each of so many traces: a random order, dealt out.

    Args:
        count: of traces.
        draw: keyed by the name "trail/folds".
    """
    return draw.generator("trail/folds").permutation(count) % min(FOLDS, count)


def cross_validated(traces: Sequence[Labelled], fold: NDArray[np.intp]) -> list[Verdict]:
    """What is said of each trace by an attributor fitted to the other folds."""
    seen = [features_of(trace) for trace in traces]
    found: dict[int, Verdict] = {}
    for held in np.unique(fold):
        rest = np.flatnonzero(fold != held).tolist()
        fitted = Fitted.to([traces[i] for i in rest], [seen[i] for i in rest])
        found |= {i: fitted.judge(traces[i], seen[i]) for i in np.flatnonzero(fold == held).tolist()}
    return [found[i] for i in range(len(traces))]


def usual_category(traces: Sequence[Labelled]) -> frozenset[str]:
    """The category with most labels; the first by name of equals; none where there is no label."""
    counted = Counter(label.category for trace in traces for label in trace.labels)
    return frozenset([min(counted, key=lambda name: (-counted[name], name))] if counted else [])


@dataclass(frozen=True)
class Fitted:
    """The attributor, fitted.

    Attributes:
        model: the law of a label at a span; None where the traces fitted to have none, or nothing else.
        threshold: spans above it are named.
        categories: of spans alike.
        usual: of all others.
    """

    model: Pipeline | None
    threshold: float
    categories: dict[Look, frozenset[str]]
    usual: frozenset[str]

    @classmethod
    def to(cls, traces: Sequence[Labelled], seen: Sequence[NDArray[np.float64]]) -> Fitted:
        """Fit to labelled traces, given their features."""
        target = [np.array([span in trace.wanted for span in trace.spans]) for trace in traces]
        marked = np.concatenate(target) if target else np.zeros(0, dtype=bool)
        if not marked.any() or marked.all():
            return cls(None, 0.5, {}, usual_category(traces))
        model = make_pipeline(StandardScaler(), LogisticRegression(C=_STRENGTH, max_iter=1000))
        model.fit(np.concatenate(list(seen)), marked)
        scored = [model.predict_proba(x)[:, 1] if len(x) else np.zeros(0) for x in seen]
        return cls(model, _threshold(scored, target), _alike(traces, seen), usual_category(traces))

    def judge(self, trace: Labelled, x: NDArray[np.float64]) -> Verdict:
        """Say which spans of a trace are suspect, given its features."""
        chances = self.model.predict_proba(x)[:, 1] if self.model is not None and len(x) else np.zeros(len(x))
        looks = dict(zip(trace.spans, _looks(trace, x), strict=True))
        return Verdict(
            scores=dict(zip(trace.spans, map(float, chances), strict=True)),
            take=max(1, int((chances >= self.threshold).sum())),
            categories={span: self.categories.get(look, self.usual) for span, look in looks.items()},
        )


def _threshold(scored: Sequence[NDArray[np.float64]], target: Sequence[NDArray[np.bool_]]) -> float:
    """Above it, the spans named have the best mean F1 over traces with labels."""
    pairs = [(s, t) for s, t in zip(scored, target, strict=True) if t.any()]
    return float(max(np.linspace(0.05, 0.95, 91), key=lambda cut: float(np.mean([_f1(s >= cut, t) for s, t in pairs]))))


def _f1(said: NDArray[np.bool_], true: NDArray[np.bool_]) -> float:
    return 2 * int((said & true).sum()) / (int(said.sum()) + int(true.sum()))


def _looks(trace: Labelled, x: NDArray[np.float64]) -> Iterator[Look]:
    names = {getattr(step, "span", None): step.site.rpartition("/")[0] for step in trace.run.steps}
    for span, row in zip(trace.spans, x, strict=True):
        yield (names[span], *(bool(row[mark]) for mark in _MARKS))


def _alike(traces: Sequence[Labelled], seen: Sequence[NDArray[np.float64]]) -> dict[Look, frozenset[str]]:
    counted: dict[Look, Counter[str]] = defaultdict(Counter)
    for trace, x in zip(traces, seen, strict=True):
        looks = dict(zip(trace.spans, _looks(trace, x), strict=True))
        for label in trace.labels:
            if label.span in looks:
                counted[looks[label.span]][label.category] += 1
    return {
        look: frozenset([min(names, key=lambda name: (-names[name], name))])
        for look, names in counted.items()
        if names.total() >= _LIKE
    }
