"""Units replayed under a policy: the mean of what each would have come to, with what is not known of it. Numpy alone.

In draw s of the latents, unit i comes to v_is under the policy: its recorded outcome where the policy does what was
done, else its chance p_is there. The policy is worth V = E[v_i] over units to come. Its posterior joins two parts:
draws of the latents, and for each draw weights of the groups of units, uniform over all that sum to 1 (the Bayesian
bootstrap of Rubin 1981, Annals of Statistics 9:130), which stand for the units that might have been met. What noise two
runs of one unit share moves no mean, and nothing is assumed of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from ifonly.scm.errors import NotApplicable
from ifonly.scm.estimate import Estimate
from ifonly.scm.intervals import effective_size
from ifonly.scm.item_response.predict import NOISE

if TYPE_CHECKING:
    from ifonly.scm.draw import Draw
    from ifonly.scm.item_response.facets import Floats, Ints

__all__ = ["connected", "mean_of_replays"]

_WEIGHTINGS: Final = 4
"""Weights of the groups for each draw of the latents."""


def mean_of_replays(sums: Floats, sizes: Floats, draw: Draw, level: float = 0.95) -> Estimate:
    """Return V with its equal-tailed credible interval.

    Args:
        sums: of v_is over the units of each group, shape (draws, groups).
        sizes: units of each group, shape (groups,).
        draw: of the weights of groups, keyed ``groups``.
        level: posterior probability of the interval.

    Raises:
        NotApplicable: there are fewer than two groups, which tell nothing of groups to come.
    """
    draws, groups = sums.shape
    if groups <= 1:
        raise NotApplicable(f"{groups} group(s) of runs give no interval: at least two are needed")
    generator = draw.generator("groups")
    found = []
    for _ in range(_WEIGHTINGS):
        weights = generator.standard_exponential((draws, groups))
        found.append((weights * sums).sum(1) / (weights @ sizes))
    value = float(sums.mean(0).sum() / sizes.sum())
    low, high = np.quantile(found, [(1 - level) / 2, (1 + level) / 2])
    return Estimate(
        value=value,
        low=min(float(low), value),
        high=max(float(high), value),
        level=level,
        effective=effective_size(sizes),
        rung="counterfactual",
        identified="assumed",
        noise=NOISE,
    )


def connected(left: Ints, right: Ints) -> Ints:
    """Return the component of each edge of a two-sided graph, shape (edges,): units and items, joined by who met what.

    Units of one component can be told apart from their items; of two components only by what is assumed of both
    (Abowd, Kramarz and Margolis 1999, Econometrica 67:251).

    Args:
        left: unit of each edge, numbered from 0, shape (edges,).
        right: item of each edge, numbered from 0, shape (edges,).
    """
    units, items = int(left.max()) + 1, int(right.max()) + 1
    edges = csr_array((np.ones(len(left)), (left, units + right)), shape=(units + items, units + items))
    _, labels = connected_components(edges, directed=False)
    found: Ints = labels[left].astype(np.intp)
    return found
