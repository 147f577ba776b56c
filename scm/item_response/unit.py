"""The unit counterfactual: A's outcome on an item was seen; what would B's have been?

Given the latents, A's outcome is 1{u_A < p_A} and B's 1{u_B < p_B}. Abduction of the latents says how hard the item is;
what the noises u_A and u_B, of two runs, have in common no data of single runs can say:

- independent: P = p_B. Two runs share the item and nothing else.
- shared (one quantile noise, u_A = u_B): P = min(p_A, p_B) / p_A after a success, (p_B - p_A)+ / (1 - p_A) after a
  failure.
- any: the bounds of Fréchet (1935) given the latents; the upper one is that of shared noise after a success.

A share of noise in [0, 1] mixes the first two: a one-parameter family, whose share data can settle where both outcomes
of one coupling are on record (two runs with a common beginning). Numpy alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from ifonly.scm.item_response.facets import Floats

__all__ = ["Coupled", "coupled", "fit_share", "with_share"]


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


def with_share(independent: Floats, shared: Floats, share: Floats | float) -> Floats:
    """The chance where the noises are one with probability `share`, else independent."""
    return (1 - share) * independent + share * shared


def fit_share(independent: Floats, shared: Floats, outcomes: Floats) -> float:
    """The share in {0, .01, ..., 1} under which outcomes of B are likeliest; 0 where there is none.

    Args:
        independent: P under independent noise, shape (n,).
        shared: P under shared noise, shape (n,).
        outcomes: of B, 0 or 1, shape (n,).
    """
    shares = np.linspace(0.0, 1.0, 101)
    mixed = np.clip(with_share(independent, shared, shares[:, None]), 1e-6, 1 - 1e-6)
    fits = np.where(np.asarray(outcomes) == 1, np.log(mixed), np.log1p(-mixed)).sum(axis=1)
    return float(shares[int(fits.argmax())])
