"""The unit counterfactual: A's outcome on an item was seen; what would B's have been?

Given the latents, A's outcome is 1{u_A < p_A} and B's 1{u_B < p_B}. Abduction of the latents says how hard the item is;
what the noises u_A and u_B, of two runs, have in common no data of single runs can say:

- independent: P = p_B. Two runs share the item and nothing else.
- shared (one quantile noise, u_A = u_B): P = min(p_A, p_B) / p_A after a success, (p_B - p_A)+ / (1 - p_A) after a
  failure.
- any: the bounds of Fréchet (1935) given the latents; the upper one is that of shared noise after a success.

A share of noise in [0, 1] mixes the first two: a one-parameter family, whose share data can settle where both outcomes
of one coupling are on record (two runs with a common beginning).

Where B takes over from A in the middle, the chance of the mixed run need not be B's: what A did counts. `between` gives
the bounds that are left if it lies anywhere between both. Numpy alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from ifonly.scm.draw import Draw
    from ifonly.scm.item_response.facets import Floats

__all__ = ["Coupled", "between", "coupled", "fit_share", "share_draws", "with_share"]


@dataclass(frozen=True, eq=False)
class Coupled:
    """P(Y_B = 1 | Y_A, latents) under what the noises may share; all of the shape of the chances.

    Attributes:
        independent: nothing.
        shared: all.
        low: least over every joint law of the two noises.
        high: greatest.
    """

    independent: Floats
    shared: Floats
    low: Floats
    high: Floats


def coupled(chance_a: Floats, chance_b: Floats, outcome_a: Floats | float) -> Coupled:
    """The chances of B's outcome, A's being known; arrays broadcast.

    Args:
        chance_a: P(Y_A = 1 | latents), inside (0, 1).
        chance_b: P(Y_B = 1 | latents).
        outcome_a: 0 or 1.
    """
    a = np.clip(chance_a, 1e-12, 1 - 1e-12)
    b = np.asarray(chance_b, dtype=float)
    one = np.asarray(outcome_a) == 1
    high = np.where(one, np.minimum(b / a, 1.0), np.minimum(b / (1 - a), 1.0))
    low = np.where(one, np.maximum(a + b - 1, 0.0) / a, np.maximum(b - a, 0.0) / (1 - a))
    return Coupled(np.broadcast_to(b, high.shape), np.where(one, high, low), low, high)


def between(chance_a: Floats, chance_b: Floats, outcome_a: Floats | float) -> tuple[Floats, Floats]:
    """Bounds on the chance of a run that A began and B ended, over every joint law of noises and every own chance.

    Its own chance, A's outcome not being known, is taken to lie between `chance_a` and `chance_b`; the bounds of
    Fréchet rise with it, so that its ends give them: [P_low at the lesser, P_high at the greater].

    Args:
        chance_a: P(Y_A = 1 | latents), inside (0, 1).
        chance_b: P(Y_B = 1 | latents).
        outcome_a: 0 or 1.
    """
    a, b = np.asarray(chance_a, dtype=float), np.asarray(chance_b, dtype=float)
    return coupled(a, np.minimum(a, b), outcome_a).low, coupled(a, np.maximum(a, b), outcome_a).high


def with_share(independent: Floats, shared: Floats, share: Floats | float) -> Floats:
    """The chance where the noises are one with probability `share`, else independent."""
    return (1 - share) * independent + share * shared


def fit_share(independent: Floats, shared: Floats, outcomes: Floats) -> float:
    """The share in [0, 1] with the least Brier score for outcomes of B; 0 where there are none, or both say the same.

    The Brier score is a proper rule, and quadratic in the share: a regression through the origin of what independent
    noise leaves on what sharing adds. Likelihood would hang on the few outcomes that shared noise holds impossible.

    Args:
        independent: P under independent noise, shape (n,).
        shared: P under shared noise, shape (n,).
        outcomes: of B, 0 or 1, shape (n,).
    """
    added = shared - independent
    return float(_share(added @ (outcomes - independent), added @ added))


def share_draws(
    independent: Floats, shared: Floats, outcomes: Floats, clusters: Sequence[Hashable], draw: Draw, repeats: int
) -> Floats:
    """`fit_share` in resamples of whole clusters, shape (repeats,).

    Args:
        independent: P under independent noise, shape (n,).
        shared: P under shared noise, shape (n,).
        outcomes: of B, 0 or 1, shape (n,).
        clusters: of each, for instance its task, n of them.
        draw: of the resampling, keyed ``share``.
        repeats: number of resamples.
    """
    numbers: dict[Hashable, int] = {}
    group = np.array([numbers.setdefault(cluster, len(numbers)) for cluster in clusters], dtype=np.intp)
    added = shared - independent
    sums = np.stack([np.bincount(group, added * (outcomes - independent)), np.bincount(group, added * added)], 1)
    groups = len(numbers)
    counts = draw.generator("share").multinomial(groups, np.full(groups, 1 / groups), size=repeats)
    top, bottom = (counts @ sums).T
    return _share(top, bottom)


def _share(top: Floats, bottom: Floats) -> Floats:
    """The quotient within [0, 1]; 0 where there is nothing to divide by."""
    found: Floats = np.clip(np.where(bottom > 0, top / np.where(bottom > 0, bottom, 1.0), 0.0), 0.0, 1.0)
    return found
