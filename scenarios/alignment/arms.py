"""What style alone does, held to experiments: models that were told to be concise or verbose.

For a model whose answers were judged, a regression of its own preferences on instruction difficulty, length (the length
term and the log of the length ratio), lists and emphasis; then the same answers with the style of another arm:

    predicted change = mean over instructions of P(preferred | do(style of the arm)) - P(preferred | style as it was).

That is a controlled effect of style, content fixed. Being told to be concise is an intervention on style, so the change
observed would be the same if it moved nothing else. Where an arm was judged here the change is observed instruction by
instruction, else it is the difference of two published win rates.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from ifonly.agents.errors import InputError
from ifonly.scenarios.alignment.style import STYLE
from ifonly.scm.policy.value import Value
from ifonly.scm.preference.logistic import Fit, fit_logistic

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ifonly.scenarios.alignment.log import AlpacaLog, Row
    from ifonly.scenarios.alignment.published import Reproduced
    from ifonly.scm.policy.logged import Floats, Ints

__all__ = ["ADVERSARIAL", "Contrast", "contrasts", "own_columns", "own_fit"]

ADVERSARIAL: Final = frozenset({"NullModel", "gpt4_gamed"})
"""Answers made to fool the judge or the length control: no part of what is pooled over models."""

_TOLD: Final = ("", "_concise", "_verbose")


@dataclass(frozen=True, eq=False)
class Contrast:
    """One arm beside another of the same model.

    Attributes:
        model: without arm.
        start: the arm whose preferences were used, "base" for no instruction on style.
        end: the arm whose style is put.
        predicted: change of the win rate by its style alone.
        by_length: the same by the length-controlled regression of arXiv 2404.04475.
        naive: by a regression over all models that knows no model and no instruction.
        observed: the change that happened.
        gap: predicted less observed.
        paired: whether it was observed instruction by instruction; else from published win rates.
    """

    model: str
    start: str
    end: str
    predicted: Value
    by_length: Value | None
    naive: Value
    observed: Value
    gap: Value
    paired: bool


def own_fit(log: AlpacaLog, row: Row) -> Fit:
    """The regression of one model's preferences on difficulty and style.

    Raises:
        NotIdentified: a style does not vary.
    """
    return fit_logistic(own_columns(log, row), row.liked)


def own_columns(log: AlpacaLog, row: Row) -> dict[str, Floats]:
    """The columns of that regression; those of `STYLE` are 0 at the baseline's style.

    Raises:
        NotIdentified: if all differences of length are equal.
    """
    style = row.own.columns(row.other)
    return {"model": np.ones(len(row.liked)), "difficulty": log.difficulty[row.instruction], **style}


def contrasts(log: AlpacaLog, reproduced: dict[str, Reproduced]) -> list[Contrast]:
    """All pairs of arms of all models with arms, from a judged one: the one told nothing where it was judged.

    Args:
        log: the annotations.
        reproduced: the length-controlled fits, for those models that have one.

    Raises:
        InputError: no model has two arms.
    """
    crude = _Crude(log)
    found = [one for model in _families(log) for one in _of_family(log, model, reproduced, crude)]
    if not found:
        fix = "Name a log in which some model X was judged, with outputs of X_concise or X_verbose beside it."
        raise InputError("the annotations", "have one arm only of every model", fix)
    return found


def _families(log: AlpacaLog) -> Iterator[str]:
    names = dict.fromkeys(name.removesuffix("_concise").removesuffix("_verbose") for name in log.outputs)
    yield from names


def _of_family(log: AlpacaLog, model: str, reproduced: dict[str, Reproduced], crude: _Crude) -> Iterator[Contrast]:
    judged = [told for told in _TOLD if model + told in log.models]
    if model == log.baseline:
        start, row, fit = "", _itself(log), _pooled(log)
    elif judged:
        start = judged[0]
        row = log.models[model + start]
        fit = own_fit(log, row)
    else:
        return
    for end in _TOLD:
        name = model + end
        if end != start and name in log.outputs and (name in log.models or name in log.published):
            made = reproduced.get(model + start)
            yield _contrast(log, (model, start, end), row, fit, None if made is None else made, crude)


def _contrast(
    log: AlpacaLog,
    named: tuple[str, str, str],
    row: Row,
    fit: Fit,
    made: Reproduced | None,
    crude: _Crude,
) -> Contrast:
    model, start, end = named
    style, answered = log.outputs[model + end]
    rows = (answered[row.instruction] > 0).astype(float)
    target = log.models.get(model + end)
    if target is not None:
        rows *= np.isin(row.instruction, target.instruction)
    put = style.at(row.instruction).where(rows, row.own).columns(row.other, _scale(log, row))
    predicted = fit.mean(put, rows=rows).less(fit.mean(rows=rows))
    by_length = None
    if made is not None:
        by_length = made.made.fit.mean({"longer": put["longer"]}, rows=rows).less(made.made.fit.mean(rows=rows))
    naive = crude.change(row, put, rows)
    if target is not None:
        place = {at: index for index, at in enumerate(target.instruction.tolist())}
        other = np.array([target.liked[place[at]] if at in place else 0.0 for at in row.instruction.tolist()])
        observed = _mean(np.where(rows, other - row.liked, 0.0), rows)
        gap = predicted.less(observed)
    else:
        before, after = log.published[model + start], log.published[model + end]
        observed = _given(after.rate - before.rate, float(np.hypot(before.error, after.error)), len(rows))
        gap = _given(
            predicted.value - observed.value,
            float(np.hypot(predicted.standard_error, observed.standard_error)),
            len(rows),
        )
    told = (start.lstrip("_") or "base", end.lstrip("_") or "base")
    return Contrast(model, *told, predicted, by_length, naive, observed, gap, target is not None)


class _Crude:
    """A regression over all models at once: longer and more formatted answers against preference, nothing held."""

    def __init__(self, log: AlpacaLog) -> None:
        rows = list(log.models.values())
        stacked = [row.own.columns(row.other) for row in rows]
        columns = {name: np.concatenate([one[name] for one in stacked]) for name in STYLE}
        fit = fit_logistic({"one": 1.0, **columns}, np.concatenate([row.liked for row in rows]))
        self._cluster = np.concatenate([row.instruction for row in rows])
        self._influence = _by_instruction(fit.influence, self._cluster, log.instructions) / len(rows)
        self._fit = fit

    def change(self, row: Row, put: dict[str, Floats], rows: Floats) -> Value:
        """The change of a model's mean prediction when its style is put."""
        own = put if row.scale == 0 else row.own.columns(row.other)
        before = {name: np.zeros(len(row.liked)) for name in STYLE} if row.scale == 0 else own
        one = {"one": np.ones(len(row.liked))}
        fit = _moved(self._fit, {**one, **before}, self._influence[row.instruction])
        return fit.mean(put, rows=rows).less(fit.mean(rows=rows))


def _itself(log: AlpacaLog) -> Row:
    """The baseline against itself: every preference is 1/2."""
    number = np.arange(log.instructions)
    return type(next(iter(log.models.values())))(
        log.baseline, number, np.full(log.instructions, 0.5), log.base, log.base
    )


def _scale(log: AlpacaLog, row: Row) -> float:
    """Of a model's length term: sd of its length differences; for the baseline, the mean of all models'."""
    return row.scale or float(np.mean([one.scale for one in log.models.values()]))


def _pooled(log: AlpacaLog) -> Fit:
    """The baseline's regression: it is preferred to itself half the time, and style moves that as in the mean model."""
    fits = []
    for name, row in log.models.items():
        if name not in ADVERSARIAL and not name.startswith(log.baseline):
            fit = own_fit(log, row)
            influence = np.zeros((log.instructions, len(fit.names)))
            influence[row.instruction] = fit.influence * log.instructions / len(row.liked)
            fits.append((fit, influence))
    kept = [fits[0][0].names.index(name) for name in STYLE]
    coefficients = np.mean([fit.coefficients[kept] for fit, _ in fits], 0)
    influence = np.mean([one[:, kept] for _, one in fits], 0)
    return Fit(STYLE, coefficients, np.zeros((log.instructions, len(kept))), influence)


def _moved(fit: Fit, columns: dict[str, Floats], influence: Floats) -> Fit:
    """A fit whose predictions are wanted on other rows."""
    return Fit(fit.names, fit.coefficients, np.stack([columns[name] for name in fit.names], 1), influence)


def _by_instruction(influence: Floats, cluster: Ints, count: int) -> Floats:
    """Influences added up by instruction."""
    made = np.zeros((count, influence.shape[1]))
    np.add.at(made, cluster, influence)
    return made


def _mean(values: Floats, rows: Floats) -> Value:
    weight = rows / np.mean(rows)
    mean = float(weight @ values) / len(values)
    return Value("observed", mean, weight * (values - mean), weight)


def _given(value: float, error: float, n: int) -> Value:
    """A value whose standard error is known, as if of n rows."""
    influence = np.where(np.arange(n) % 2 == 0, 1.0, -1.0)
    unit = float(np.sqrt(np.square(influence).sum() * n / (n - 1))) / n
    return Value("published", value, influence * error / unit)
