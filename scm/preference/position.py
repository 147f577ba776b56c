"""What being shown first does to a preference, and the win rate without it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ifonly.scm.errors import NotApplicable, NotIdentified
from ifonly.scm.policy.value import Value

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from ifonly.scm.policy.logged import Floats, Ints

__all__ = ["PositionEffect", "both_orders", "by_design"]


@dataclass(frozen=True, eq=False)
class PositionEffect:
    """The effect of position on the preference for a candidate.

    Attributes:
        effect: P(preferred | do(shown first)) - P(preferred | do(shown second)).
        balanced: the mean of both: the win rate of an annotator who sees each order equally often.
    """

    effect: Value
    balanced: Value


def both_orders(first: ArrayLike, second: ArrayLike, clusters: Ints | None = None) -> PositionEffect:
    """Return the effect from comparisons judged in both orders: content is the same, the difference is position's.

    Args:
        first: preference for the candidate when it was shown first, shape (n,).
        second: of the same comparison, when it was shown second.
        clusters: group of dependent comparisons.

    Raises:
        NotApplicable: if there is not one of each for every comparison.
    """
    a, b = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    if a.shape != b.shape or not a.size:
        raise NotApplicable(f"each comparison needs a preference in both orders, got {a.size} and {b.size}")
    return PositionEffect(_mean(a - b, clusters), _mean((a + b) / 2, clusters))


def by_design(
    liked: ArrayLike, first: ArrayLike, chance: ArrayLike | None = None, clusters: Ints | None = None
) -> PositionEffect:
    """Return the effect from comparisons whose order was drawn: each judged once.

    Means weighted by 1 / P(order), normalised (Hajek 1971). Right where the order was drawn with the chance given,
    whatever else moved the preference.

    Args:
        liked: preference for the candidate, shape (n,).
        first: whether it was shown first, 0 or 1.
        chance: P(shown first) of each comparison, in (0, 1), one for all or for each; the share in the log if None.
        clusters: group of dependent comparisons.

    Raises:
        NotIdentified: every comparison shows the candidate in the same place.
    """
    y, shown = np.asarray(liked, dtype=float), np.asarray(first, dtype=float)
    if not 0 < shown.mean() < 1:
        raise NotIdentified(
            f"every comparison shows the candidate {'first' if shown.all() else 'second'}: its place and its content "
            "cannot be told apart. Judge some comparisons in the other order, best all of them in both."
        )
    p = np.broadcast_to(np.asarray(shown.mean() if chance is None else chance, dtype=float), y.shape)
    if not ((p > 0) & (p < 1)).all():
        raise NotApplicable("the chance of being shown first lies in (0, 1)")
    one, other = (_weighted(y, w) for w in (shown / p, (1 - shown) / (1 - p)))
    effect = Value("by design", one[0] - other[0], one[1] - other[1], None, clusters)
    return PositionEffect(effect, Value("by design", (one[0] + other[0]) / 2, (one[1] + other[1]) / 2, None, clusters))


def _weighted(y: Floats, weight: Floats) -> tuple[float, Floats]:
    """A mean of weighted preferences, and every comparison's influence on it."""
    mean = float(weight @ y / weight.sum())
    return mean, weight / weight.mean() * (y - mean)


def _mean(values: Floats, clusters: Ints | None) -> Value:
    mean = float(values.mean())
    return Value("both orders", mean, values - mean, None, clusters)
