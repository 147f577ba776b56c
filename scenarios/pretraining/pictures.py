"""Pictures of RegMix's runs: predicted against actual losses, and a substitution's effect along its amount."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from ifonly.scenarios.pretraining.runs import TARGET
from ifonly.scenarios.study import Picture, Series
from ifonly.scm.mixtures.simplex import domain_at, substitute

if TYPE_CHECKING:
    from ifonly.scenarios.pretraining.runs import MixtureRuns
    from ifonly.scm.mixtures.simplex import Floats, Source
    from ifonly.scm.mixtures.surface import LossSurface

__all__ = ["DOMAIN", "average", "curve", "scatter"]

DOMAIN: Final = "github"
"""The domain that there may be more of."""

_AMOUNTS: Final = tuple(np.linspace(-0.1, 0.4, 21).round(3).tolist())
_LEVEL: Final = 0.95


def average(learnt: MixtureRuns, amount: float, taken_from: Source) -> Floats:
    """The average mixture of the runs, and what the substitution makes of it: shape (2, K).

    Args:
        learnt: the runs.
        amount: of the domain that is added.
        taken_from: what gives way.
    """
    mean = learnt.shares.mean(0, keepdims=True)
    return np.vstack([mean, substitute(mean, learnt.domains, DOMAIN, amount, taken_from)])


def scatter(surface: LossSurface, held: MixtureRuns) -> Picture:
    """Predicted against actual losses.

    Args:
        surface: of the target.
        held: runs that it was not fitted to.
    """
    middle, low, high = surface.run(held.shares, _LEVEL)
    actual = held.loss(TARGET)
    order = np.argsort(actual)
    ends = (float(actual.min()), float(actual.max()))
    return Picture(
        title=f"Predicted and actual loss on {TARGET} of mixtures never seen (1M)",
        x="actual",
        y="predicted",
        series=(
            Series(
                name="held-out mixtures, 95 %",
                x=_tuple(actual[order]),
                y=_tuple(middle[order]),
                low=_tuple(low[order]),
                high=_tuple(high[order]),
                line=False,
            ),
            Series(name="equal", x=ends, y=ends),
        ),
    )


def curve(surface: LossSurface, learnt: MixtureRuns) -> Picture:
    """Substitution effects along the amount, from all others and from the target's own domain, while it lasts.

    Args:
        surface: of the target.
        learnt: runs whose average mixture is changed.
    """
    mean = learnt.shares.mean(0)
    base = float(mean[domain_at(DOMAIN, learnt.domains)])
    has = {None: 1.0, TARGET: float(mean[domain_at(TARGET, learnt.domains)])}
    series = []
    for source, most in has.items():
        amounts = [amount for amount in _AMOUNTS if -base <= amount <= most and amount]
        made = [surface.contrast(average(learnt, amount, source), [-1, 1], _LEVEL) for amount in amounts]
        series.append(
            Series(
                name="from all others" if source is None else f"from {source}",
                x=tuple(amounts),
                y=tuple(one.value or 0.0 for one in made),
                low=tuple(one.low for one in made),
                high=tuple(one.high for one in made),
            )
        )
    return Picture(
        title=f"Change in the loss on {TARGET} by more {DOMAIN} than in the average mixture (1M)",
        x=f"share of {DOMAIN} added",
        y="change in loss",
        series=tuple(series),
    )


def _tuple(values: Floats) -> tuple[float, ...]:
    return tuple(values.tolist())
