"""Choices that may have ignored their own law: Gumbel-max with a fault injected from outside.

A choice is made by its law p, except that with probability eps a fault puts an option drawn from a law f, whatever p
says (Huber 1964, "Robust estimation of a location parameter": the contaminated law (1 - eps) p + eps f). The fault is
exogenous, like the noise. Given the log Y = i, by Bayes,

    P(fault | Y = i) = eps f_i / (eps f_i + (1 - eps) p_i)

and in a context that changes p to q the counterfactual law is a mixture: a choice at fault stays i, since a fault
reads no context; any other moves as without faults, by the coupling that is assumed:

    P(Y' = j | Y = i) = P(fault | i) 1{j = i} + P(no fault | i) M(p, q)[i, j]

`gumbel-max` is M of `gumbel.transition` (Oberst and Sontag 2019), `inverse-cdf` that of one uniform, and `independent`
is fresh noise, M[i, j] = q_j. All have the same interventional law, so no experiment tells them apart: the spread of an
answer over the three is its sensitivity to the noise model.

Over the steps of a run faults are `independent`, each with probability eps, or there is at most a `single` one, with
probability rate at a step drawn uniformly. With ratios L_k = f_k / p_k at the options taken the likelihood of a run is,
up to the product of p_k,

    independent: prod over k of (1 - eps + eps L_k)             single: 1 - rate + rate mean over k of L_k

`fit` maximises it over many logs, by expectation-maximisation (Dempster, Laird and Rubin 1977), and chooses between
families and sets of options that faults put by Schwarz's criterion. As p is known from
log-probabilities, eps is identified by options that are taken more often than p says; f is identified over kinds of
options that recur from run to run (such as the worst for success), not over names.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy.optimize import brentq
from scipy.stats import chi2

from ifonly.scm.couplings import inverse_cdf
from ifonly.scm.errors import NotApplicable
from ifonly.scm.gumbel import transition

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from ifonly.scm.gumbel import Floats
    from ifonly.scm.intervals import Interval

__all__ = [
    "COUPLINGS",
    "Contamination",
    "Coupling",
    "Family",
    "FaultLog",
    "contaminated",
    "fault_given",
    "fit",
    "moves",
]

Coupling = Literal["gumbel-max", "inverse-cdf", "independent"]
"""Which noise a choice shares between worlds."""

# All couplings, the one to answer with first.
COUPLINGS: tuple[Coupling, ...] = ("gumbel-max", "inverse-cdf", "independent")

Family = Literal["independent", "single"]
"""How faults fall on the steps of a run: each step for itself, or at most one a run."""

_STEPS = 500
_CLOSE = 1e-8
_ROUGH = 1e-2
_TINY = 1e-300


def moves(p: ArrayLike, q: ArrayLike, taken: ArrayLike, coupling: Coupling = "gumbel-max") -> Floats:
    """Return P(Y' = j | Y = taken) without faults.

    Args:
        p: factual probabilities, shape (..., K).
        q: changed probabilities, of a shape that broadcasts against it.
        taken: index of the option taken, of a shape that broadcasts against the leading axes.
        coupling: the noise model.

    Returns:
        Shape (..., K); NaN where the option taken has probability 0 and the coupling conditions on it.
    """
    p, q, at = np.broadcast_arrays(np.asarray(p, dtype=float), np.asarray(q, dtype=float), np.asarray(taken)[..., None])
    if coupling == "independent":
        return np.array(q, dtype=float)
    matrix = transition(p, q) if coupling == "gumbel-max" else inverse_cdf(p, q)
    rows: Floats = np.take_along_axis(matrix, at[..., :1, None], -2)[..., 0, :]
    return rows


def fault_given(p_taken: ArrayLike, f_taken: ArrayLike, eps: ArrayLike) -> Floats:
    """Return P(fault | Y = i) from p_i, f_i and the probability of a fault.

    Args:
        p_taken: probability of the option taken under its own law.
        f_taken: its probability under the fault law.
        eps: probability of a fault at this choice.
    """
    p_taken, f_taken, eps = (np.asarray(value, dtype=float) for value in (p_taken, f_taken, eps))
    fault, own = np.broadcast_arrays(eps * f_taken, (1 - eps) * p_taken)
    share: Floats = np.divide(fault, fault + own, out=np.full(fault.shape, np.nan), where=fault + own > 0)
    return share


def contaminated(
    p: ArrayLike, q: ArrayLike, taken: ArrayLike, eps: ArrayLike, fault: ArrayLike, coupling: Coupling = "gumbel-max"
) -> Floats:
    """Return P(Y' = j | Y = taken) of choices that a fault may have put.

    Args:
        p: factual probabilities, shape (..., K).
        q: changed probabilities, of a shape that broadcasts against it.
        taken: index of the option taken.
        eps: probability of a fault at this choice.
        fault: law of a fault over the options, shape (..., K).
        coupling: the noise model of choices without a fault.

    Returns:
        Shape (..., K); NaN where the option taken has probability 0 with and without a fault.
    """
    at, eps = np.asarray(taken)[..., None], np.asarray(eps, dtype=float)[..., None]
    p, q, fault, at, eps = np.broadcast_arrays(
        np.asarray(p, dtype=float), np.asarray(q, dtype=float), np.asarray(fault, dtype=float), at, eps
    )
    at = at[..., :1]
    share = fault_given(np.take_along_axis(p, at, -1), np.take_along_axis(fault, at, -1), eps[..., :1])
    stays = np.arange(p.shape[-1]) == at
    # Where only a fault can have put the option, the coupling has nothing to say: its NaN must not spread.
    own = np.where(share == 1, 0.0, moves(p, q, at[..., 0], coupling))
    result: Floats = share * stays + (1 - share) * own
    return result


@dataclass(frozen=True, eq=False)
class FaultLog:
    """What logs say about faults: of each run and step, the option taken.

    Kinds of options recur over runs; a fault law puts weights on kinds, shared evenly among a menu's options of a kind.

    Attributes:
        p_taken: probability of the option taken under its own law, shape (runs, steps).
        kind: its kind, shape (runs, steps).
        menu: number of options of each kind, shape (runs, steps, kinds).
    """

    p_taken: Floats
    kind: NDArray[np.integer]
    menu: NDArray[np.integer]

    def fault_law(self, weights: ArrayLike) -> Floats:
        """Return f of the options taken, shape (runs, steps), under weights of the kinds."""
        shares = np.asarray(weights, dtype=float) * (self.menu > 0)
        shares = shares / np.maximum(shares.sum(-1, keepdims=True), _TINY)
        at = np.asarray(self.kind)[..., None]
        law: Floats = (np.take_along_axis(shares, at, -1) / np.take_along_axis(self.menu, at, -1))[..., 0]
        return law


@dataclass(frozen=True, eq=False)
class Contamination:
    """How faults fall on runs: declared, or fitted by `fit`.

    Attributes:
        family: `independent` or `single`.
        rate: probability of a fault, at each step if `independent`, in the run if `single`.
        weights: of the fault law over kinds of options, summing to 1.
        gain: log-likelihood of the logs it was fitted to, less that without any fault; 0 if declared.
        interval: profile-likelihood interval of the rate; None if declared.
        level: of the interval.
    """

    family: Family
    rate: float
    weights: tuple[float, ...]
    gain: float = 0.0
    interval: Interval | None = None
    level: float = 0.95

    def hazards(self, ratios: Floats) -> Floats:
        """Return P(fault at step k | n faults before it, log), shape (layers, steps); layer n: min(n, layers - 1).

        Args:
            ratios: L_k = f_k / p_k of the options taken in one run.
        """
        if self.family == "independent":
            return (self.rate * ratios / (1 - self.rate + self.rate * ratios))[None]
        weight = self.rate / len(ratios) * ratios
        ahead = np.cumsum(weight[::-1])[::-1] + 1 - self.rate
        return np.stack([weight / ahead, np.zeros(len(ratios))])

    def posterior(self, ratios: Floats) -> Floats:
        """Return P(fault at step k | log) for runs of shape (..., steps)."""
        return _posterior(self.family, self.rate, ratios)


def fit(evidence: FaultLog, family: Family | None = None, level: float = 0.95) -> Contamination:
    """Return the contamination that the logs speak for.

    Both families, and fault laws on every set of kinds, are fitted by maximum likelihood; of these the one with the
    greatest log-likelihood less log(runs) / 2 for each free parameter is returned (Schwarz 1978).

    Args:
        evidence: of many runs.
        family: how faults fall on steps; the likelier one, if left out.
        level: of the profile-likelihood interval for the rate, whose ends lose chi2(level) / 2 in log-likelihood.

    Raises:
        NotApplicable: there are no logs, or an option was taken that has probability 0.
    """
    if not evidence.p_taken.size or (evidence.p_taken <= 0).any():
        raise NotApplicable("a contamination is fitted to logs of options that each had positive probability")
    families: tuple[Family, ...] = ("independent", "single") if family is None else (family,)
    kinds = evidence.menu.shape[-1]
    price = np.log(len(evidence.p_taken)) / 2
    found = []
    for name, held in product(families, product((0.0, 1.0), repeat=kinds)):
        if any(held):
            gain, rate, weights = _climb(evidence, name, None, np.array(held) / sum(held), _ROUGH)
            found.append((gain - price * sum(held), gain, rate, name, weights))
    _, _, _, chosen, weights = max(found, key=lambda one: one[0])
    gain, rate, weights = _climb(evidence, chosen, None, weights)
    interval = _profile(evidence, chosen, rate, gain, weights, float(chi2.ppf(level, 1)) / 2)
    return Contamination(chosen, rate, tuple(weights.tolist()), gain, interval, level)


def _climb(
    evidence: FaultLog, family: Family, held: float | None, weights: Floats, close: float = _CLOSE
) -> tuple[float, float, Floats]:
    """Expectation-maximisation: (gain in log-likelihood, rate, weights).

    The rate is held where one is given; a weight that starts at 0 stays there.
    """
    present, free = evidence.menu > 0, int((weights > 0).sum()) > 1
    rate, gain = 0.1 if held is None else held, -np.inf
    for _ in range(_STEPS):
        ratios = evidence.fault_law(weights) / evidence.p_taken
        before, gain = gain, _gain(family, rate, ratios)
        if gain - before < close or not (free or held is None):
            break
        at_fault = _posterior(family, rate, ratios)
        if held is None:
            rate = float(at_fault.mean() if family == "independent" else at_fault.sum(-1).mean())
        if free:
            # Not every menu has every kind: one minorise-maximise step (Hunter 2004, for Bradley-Terry models).
            found = np.bincount(evidence.kind.ravel(), at_fault.ravel(), minlength=len(weights))
            met = (at_fault / np.maximum((weights * present).sum(-1), _TINY))[..., None] * present
            moved = np.where(weights > 0, found, 0.0) / np.maximum(met.sum((0, 1)), _TINY)
            weights = moved / moved.sum() if moved.sum() > 0 else weights
    return gain, rate, weights


def _posterior(family: Family, rate: float, ratios: Floats) -> Floats:
    if family == "independent":
        return rate * ratios / (1 - rate + rate * ratios)
    weight = rate / ratios.shape[-1] * ratios
    result: Floats = weight / (1 - rate + weight.sum(-1, keepdims=True))
    return result


def _gain(family: Family, rate: float, ratios: Floats) -> float:
    if family == "independent":
        return float(np.log1p(rate * (ratios - 1)).sum())
    return float(np.log1p(rate * (ratios.mean(-1) - 1)).sum())


def _profile(
    evidence: FaultLog, family: Family, rate: float, gain: float, weights: Floats, allowed: float
) -> tuple[float, float]:
    """The rates at which the likelihood, maximised over the fault law, has lost as much as is allowed."""

    def lost(held: float) -> float:
        start = np.where(weights > 0, weights + 0.01, 0.0)
        return gain - _climb(evidence, family, held, start / start.sum())[0] - allowed

    ends = []
    for far in (1e-9, 1 - 1e-9):
        outward = abs(far - rate) > _CLOSE and lost(far) > 0
        ends.append(float(brentq(lost, far, rate, xtol=1e-4)) if outward else far)
    return (max(0.0, min(ends[0], rate)), min(1.0, max(ends[1], rate)))
