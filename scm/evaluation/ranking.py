"""Systems in order, with intervals that hold for all of them at once, and the ranks that they leave open."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
from pydantic import BaseModel, ConfigDict

from ifonly.scm.errors import NotApplicable
from ifonly.scm.estimate import Estimate
from ifonly.scm.policy.value import covariance

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from ifonly.scm.draw import Draw
    from ifonly.scm.policy.logged import Floats
    from ifonly.scm.policy.value import Value

__all__ = ["Ranked", "rank_systems"]


class Ranked(BaseModel):
    """One system.

    Attributes:
        system: its name.
        value: its mean, with an interval that holds for all systems at once.
        best: the best rank that the data leave it; 1 is best.
        worst: the worst.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    system: str
    value: Estimate
    best: int
    worst: int


def rank_systems(
    values: Mapping[str, Value], draw: Draw, level: float = 0.95, repeats: int = 20_000
) -> tuple[Ranked, ...]:
    """Return systems from best to worst, with simultaneous intervals of means and of ranks.

    The means' intervals use the quantile of the largest |t| over systems, the ranks' that over all pairs, both from the
    joint normal law of the influence functions; a system's rank lies between 1 + the number of systems that are surely
    better and K less the number that are surely worse. All ranks hold at once with the level (Mogstad, Romano, Shaikh
    and Wilhelm 2024, "Inference for ranks with applications to mobility across neighborhoods and academic achievement
    across countries", Review of Economic Studies 91:476, algorithm 3.1 without its step-down).

    Args:
        values: of the systems, with influence functions over the same items and groups; larger is better.
        draw: of the joint law; the stream is keyed by the name "ranking".
        level: coverage, in (0, 1).
        repeats: number of draws of the joint law.

    Raises:
        NotApplicable: if there are fewer than two systems, or their items or groups differ.
    """
    names, found = list(values), list(values.values())
    if len(found) < 2 or len({len(one.influence) for one in found}) > 1:  # noqa: PLR2004
        raise NotApplicable(
            f"a ranking takes at least two systems over the same items, got {names}: give each an influence of 0 on "
            "items that it has no part in"
        )
    scores, law = np.array([one.value for one in found]), covariance(found)
    drawn = draw.generator("ranking").multivariate_normal(np.zeros(len(found)), law, size=repeats, method="eigh")
    errors = np.sqrt(np.diag(law))
    half = _quantile(drawn, errors, level) * errors
    better = _better(scores, law, drawn, level)
    return tuple(
        Ranked(
            system=names[at],
            value=_estimate(float(scores[at]), float(half[at]), level, found[at].groups),
            best=1 + int(better[:, at].sum()),
            worst=len(found) - int(better[at].sum()),
        )
        for at in np.argsort(-scores, kind="stable")
    )


def _estimate(value: float, half: float, level: float, groups: int) -> Estimate:
    return Estimate.around(value, half, level, float(groups))


def _better(scores: Floats, law: Floats, drawn: Floats, level: float) -> NDArray[np.bool_]:
    """Whether the first system of each pair is surely better than the second, all pairs at once."""
    first, second = (np.array(rows) for rows in zip(*combinations(range(len(scores)), 2), strict=True))
    spread = np.sqrt(np.maximum(law[first, first] + law[second, second] - 2 * law[first, second], 0))
    reach = _quantile(drawn[:, first] - drawn[:, second], spread, level) * spread
    better = np.zeros(law.shape, dtype=bool)
    better[first, second] = scores[first] - scores[second] > reach
    better[second, first] = scores[second] - scores[first] > reach
    return better


def _quantile(drawn: Floats, errors: Floats, level: float) -> float:
    """Of the largest standardised deviation; deviations without any error are left out."""
    some = errors > 0
    if not some.any():
        return 0.0
    return float(np.quantile(np.abs(drawn[:, some] / errors[some]).max(1), level))
