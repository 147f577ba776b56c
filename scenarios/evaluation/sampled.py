"""What the worlds of this family share: samples as judged items, and what failing assumptions would do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from ifonly.scenarios.known import SURE
from ifonly.scenarios.study import SensitivityRow
from ifonly.scm.draw import Draw
from ifonly.scm.evaluation.labels import Judged
from ifonly.scm.evaluation.selected import labelling, selection_bounds
from ifonly.scm.nested import Sampling
from ifonly.scm.policy.marginal_sensitivity import sensitivity_bounds
from ifonly.scm.policy.value import Value

if TYPE_CHECKING:
    from collections.abc import Callable

    from ifonly.scenarios.known import Sample
    from ifonly.scm.estimate import Estimate
    from ifonly.scm.policy.logged import Floats

__all__ = ["BY", "estimator_of", "human_error", "judged_of", "label_odds", "mean_of_values", "share_decision"]

BY: Final = Sampling(particles=20_000, seed=0, level=SURE)
"""How the worlds of this family are answered in the contract test."""

_GAMMAS: Final = (1.1, 1.25, 1.5)
_HALF: Final = 0.5
_ERRORS: Final = (0.02, 0.05, 0.1)


def judged_of(sample: Sample, human: str = "human", judge: str = "judge", labelled: str = "labelled") -> Judged:
    """The items of a sample, with the human's score where it is labelled and hidden elsewhere.

    Args:
        sample: of a world.
        human: its site.
        judge: its site.
        labelled: its site.
    """
    return Judged(np.where(sample[labelled] > 0, sample[human], np.nan), np.asarray(sample[judge], dtype=float))


def mean_of_values(values: Floats, level: float) -> Estimate:
    """The mean of independent numbers with its t interval: what one does who takes them for what they are not."""
    value = float(values.mean())
    return Value("mean", value, values - value).estimate(level)


def estimator_of(of: Callable[[Judged, float], Estimate]) -> Callable[[Sample, float], Estimate]:
    """An analysis of judged items as one of a sample."""
    return lambda sample, level: of(judged_of(sample), level)


def label_odds(judged: Judged, seed: int, features: Floats | None = None) -> tuple[SensitivityRow, ...]:
    """What becomes of the mean if labels hang on what nobody recorded, by odds up to a factor; and by any factor.

    Args:
        judged: the items; human scores lie in [0, 1].
        seed: of the folds and the bootstrap.
        features: beside the judge's score.
    """
    evaluation = labelling(judged, features, seed=seed)
    rows = [
        SensitivityRow(
            assumption="who was labelled hangs on nothing unrecorded",
            failing=f"the odds of a label differ by a factor of up to {gamma:g}",
            estimate=sensitivity_bounds(evaluation, gamma, Draw(seed)),
        )
        for gamma in _GAMMAS
    ]
    rows.append(
        SensitivityRow(
            assumption="who was labelled hangs on nothing unrecorded",
            failing="nothing at all is known of why",
            estimate=selection_bounds(judged, 0.0, 1.0),
        )
    )
    return tuple(rows)


def human_error(estimate: Estimate) -> tuple[SensitivityRow, ...]:
    """What becomes of a share if the human's verdict, too, is wrong so often: (p - e) / (1 - 2 e).

    Args:
        estimate: of the share of yes.
    """
    rows = []
    for error in _ERRORS:
        value, low, high = (
            min(max((x - error) / (1 - 2 * error), 0.0), 1.0)
            for x in (estimate.value or 0.0, estimate.low, estimate.high)
        )
        told = estimate.model_copy(update={"value": value, "low": low, "high": high})
        rows.append(
            SensitivityRow(
                assumption="the human's verdict is the truth",
                failing=f"it is wrong {error:.0%} of the time, whatever the answer",
                estimate=told,
            )
        )
    return tuple(rows)


def share_decision(estimate: Estimate, where: str) -> str:
    """What to do about a share of approved answers: it is above one half, below, or open.

    Args:
        estimate: of the share.
        where: of what.
    """
    told = f"between {estimate.low:.2f} and {estimate.high:.2f} {where}"
    if estimate.low > _HALF:
        return f"Ship it: humans approve more than half, {told}."
    if estimate.high < _HALF:
        return f"Hold it back: humans approve less than half, {told}."
    return f"Have more answers labelled before you ship: humans approve {told}, on both sides of one half."
