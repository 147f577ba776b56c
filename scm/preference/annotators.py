"""Another mix of annotators: preferences of a log, as a target population would have had them."""

from __future__ import annotations

from math import fsum
from typing import TYPE_CHECKING

import numpy as np

from ifonly.scm.errors import NotApplicable, NotIdentified
from ifonly.scm.policy.value import Value

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import ArrayLike

    from ifonly.scm.policy.logged import Ints

__all__ = ["remixed"]

_ROUNDING = 1e-9


def remixed(
    liked: ArrayLike, annotators: Sequence[str], target: Mapping[str, float], clusters: Ints | None = None
) -> Value:
    """Return the win rate under another mix: sum over groups g of target(g) E[preferred | g], by re-weighting.

    Each comparison counts target(g) / share of g in the log (post-stratification). Right where who is asked does not
    hang on the answers (transport: Pearl and Bareinboim 2014, "External validity", Statistical Science 29:579, sec. 3).

    Args:
        liked: preferences in [0, 1], shape (n,).
        annotators: the group of each comparison's annotator, n names.
        target: the share of each group, summing to 1.
        clusters: group of dependent comparisons.

    Raises:
        NotApplicable: the shares are no mix.
        NotIdentified: a group has a share, but no comparison in the log.
    """
    y, groups = np.asarray(liked, dtype=float), np.asarray(annotators)
    if min(target.values(), default=-1) < 0 or abs(fsum(target.values()) - 1) > _ROUNDING:
        raise NotApplicable(f"a mix has shares of 0 or more that sum to 1, not {dict(target)}")
    missing = [name for name, share in target.items() if share > 0 and not (groups == name).any()]
    if missing:
        raise NotIdentified(
            f"the log has no comparison by {', '.join(missing)}: it has {', '.join(sorted(set(groups.tolist())))}. "
            "Collect some, or give this group the share 0 and say so."
        )
    weight = np.zeros(len(y))
    for name, share in target.items():
        weight[groups == name] = share / max(float((groups == name).mean()), 1 / len(y))
    means = {name: float(y[groups == name].mean()) for name in np.unique(groups)}
    centre = np.array([means[name] for name in groups])
    return Value("re-weighted", float(weight @ y) / len(y), weight * (y - centre), weight, clusters)
