"""``ifonly scenario pretraining``: is it the code, or the compute that came with it?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from ifonly.scenarios.pretraining.regmix import regmix_study
from ifonly.scenarios.pretraining.world import CURVE, WORLD, adjusted, change, curve, curve_truth
from ifonly.scenarios.scenario import RealData, Scenario, asked_of
from ifonly.scenarios.study import Figures, Picture, SensitivityRow, Series, Study

if TYPE_CHECKING:
    from ifonly.scenarios.known import Sample
    from ifonly.scm.mixtures.partially_linear import PartiallyLinear

__all__ = ["SCENARIOS"]

_RUNS: Final = 1_000
_LEVEL: Final = 0.95
_HIDDEN: Final = (0.05, 0.2)
_AT: Final = tuple(np.linspace(*CURVE, 11).tolist())


def _study(seed: int) -> Study:
    sample = WORLD.sample(_RUNS, seed)
    asked = tuple(asked_of(query, sample, _LEVEL) for query in WORLD.queries)
    right, short = adjusted(sample, "compute", "period"), adjusted(sample, "period")
    web, books = (query.answers[0].estimate.value or 0.0 for query in asked[:2])
    naive = asked[0].naive.estimate.value or 0.0
    return Study(
        source=f"{_RUNS:,} training runs drawn from the world",
        asked=asked,
        sensitivity=tuple(_hidden(right, share) for share in _HIDDEN),
        figures=(_robustness(right, short),),
        pictures=(_curves(sample),),
        decision=(
            f"Keep the share of code: ten points more, taken from web, would raise the loss by {web:.3f}, where the "
            f"runs as they are seem to say {naive:+.3f}. If there must be more code, take it from books ({books:+.3f})."
        ),
        notes=(
            "Where compute is not recorded the answer is off by many times its interval: record it with every run.",
            "A share cannot be raised alone. Which domain gives way is part of the question.",
        ),
    )


def _hidden(right: PartiallyLinear, share: float) -> SensitivityRow:
    return SensitivityRow(
        assumption="nothing beside compute and period moved both mixture and loss",
        failing=f"a hidden cause explains {share:.0%} of what they leave of both",
        estimate=right.confounded(change("web"), share, share, _LEVEL),
    )


def _robustness(right: PartiallyLinear, short: PartiallyLinear) -> Figures:
    """What a hidden cause must explain of both to undo the effect; a wrong answer can be robust, too."""
    told = (("compute and period adjusted for", right), ("period alone", short))
    return Figures(
        title="Robustness value of ten points more code, taken from web",
        titles=("analysis", "effect", "share of both that a hidden cause must explain to undo it"),
        rows=tuple((name, one.effect(change("web")).value or 0.0, one.robustness(change("web"))) for name, one in told),
    )


def _curves(sample: Sample) -> Picture:
    """Curves less their mean, since the level of the loss is no question."""
    right, wrong = curve(sample, "compute", "period", at=_AT), curve(sample, "period", at=_AT)
    low, high = right.band(_LEVEL)
    middle = right.values.mean()
    truth = np.array([curve_truth(share) for share in _AT])

    def drawn(values: np.ndarray) -> tuple[float, ...]:
        return tuple((values - values.mean()).tolist())

    return Picture(
        title="The loss by the share of code, all others in proportion",
        x="share of code",
        y="loss, less its mean over these shares",
        series=(
            Series(
                name="compute and period adjusted for, 95 % band",
                x=_AT,
                y=drawn(right.values),
                low=tuple((low - middle).tolist()),
                high=tuple((high - middle).tolist()),
            ),
            Series(name="truth", x=_AT, y=drawn(truth)),
            Series(name="period alone", x=_AT, y=drawn(wrong.values)),
        ),
    )


# The scenario: `ifonly.scenarios.catalog` finds it.
SCENARIOS: Final = (Scenario(stage="pretraining", world=WORLD, study=_study, real=RealData("regmix", regmix_study)),)
