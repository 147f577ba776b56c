"""Whether a log can speak of a policy at all: how much of what the policy would do was ever tried."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict
from scipy.stats import genpareto

from ifonly.scm.errors import NotApplicable
from ifonly.scm.intervals import effective_size
from ifonly.scm.policy.evaluation import Evaluation
from ifonly.scm.policy.value import Value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ifonly.scm.policy.logged import Floats, Ints

__all__ = ["Support", "judge", "pareto_k", "support", "support_by", "untried"]

_RARE = 0.01
"""A chance below this counts as none: one round in a hundred."""
_SOME, _MUCH = 0.001, 0.05
"""Untried mass that is worth a word, and that forbids a point value."""
_FEW, _THIN = 10.0, 100.0
"""Effective rounds below which there is no value, and below which it is thin."""
_HEAVY = 0.7
"""Pareto's k above which a mean of weights does not settle (Vehtari et al. 2024, section 3)."""
_ODD = 4.0
"""Standard errors that the mean weight may lie off."""
_TAIL = 20
"""Weights that a tail takes, at least."""


class Support(BaseModel):
    """What a log knows of a policy.

    Attributes:
        rounds: in the log.
        matching: rounds whose logged action has a chance under the policy.
        effective: effective rounds behind a weighted mean (Kish 1965).
        largest: the largest weight, as a share of all.
        mean_weight: 1 on average, if the propensities are right: a test of them that any log allows.
        pareto_k: shape of the tail of the weights (see `pareto_k`); None where too few rounds carry weight.
        never: of each arm that was never logged, the share of what the policy does that falls on it.
        untried: share of what the policy does that the log hardly ever did there: arms never logged, or logged with a
            chance below .01 (where the chances of all arms are known).
        covered: share of rounds in which all that the policy might do was tried: the common support.
        verdict: fine; thin: a value with a wide or doubtful interval; none: bounds only.
        why: the reason, in words; empty where it is fine.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    rounds: int
    matching: int
    effective: float
    largest: float
    mean_weight: float
    pareto_k: float | None
    never: dict[str, float]
    untried: float
    covered: float
    verdict: Literal["fine", "thin", "none"]
    why: str


def support(evaluation: Evaluation, behaviour: Floats | None = None) -> Support:
    """Return what the log knows of the policy.

    Args:
        evaluation: the log under the policy; with propensities.
        behaviour: chances of all arms, shape (n, K), logged or fitted; the log's own, if None.

    Raises:
        NotApplicable: if the log has no propensities.
    """
    log, policy = evaluation.log, evaluation.policy
    seen = np.bincount(log.actions, minlength=len(log.arms)) > 0
    mass = policy.mean(0)
    never = {arm: float(mass[i]) for i, arm in enumerate(log.arms) if not seen[i] and mass[i] > 0}
    missing = (policy * untried(evaluation, behaviour)).sum(1)
    covered = float((missing <= _SOME).mean())
    return judge(evaluation.weights, float(missing.mean()), covered, never, log.clusters)


def support_by(evaluation: Evaluation, strata: Sequence[str], behaviour: Floats | None = None) -> dict[str, Support]:
    """Return what the log knows of the policy in each stratum of contexts: there an arm may be untried that others saw.

    Args:
        evaluation: the log under the policy; with propensities.
        strata: the stratum of each round, of length n.
        behaviour: as for `support`.

    Raises:
        NotApplicable: if there is not one stratum a round, or the log has no propensities.
    """
    names = np.asarray(strata, dtype=str)
    if names.shape != (len(evaluation.log),):
        raise NotApplicable(f"need the stratum of each of {len(evaluation.log)} rounds, got shape {names.shape}")
    found = {}
    for name in np.unique(names):
        rows = np.flatnonzero(names == name)
        part = Evaluation(evaluation.log.take(rows), evaluation.policy[rows])
        found[str(name)] = support(part, None if behaviour is None else behaviour[rows])
    return found


def judge(
    weights: Floats, missing: float, covered: float, never: dict[str, float], clusters: Ints | None = None
) -> Support:
    """Return what weights say of a log's support, with its verdict.

    Args:
        weights: importance weights, shape (n,).
        missing: share of what the policy does that the log hardly ever did there.
        covered: share of rounds in which all that the policy might do was tried.
        never: of each arm that was never logged, the share of what the policy does that falls on it.
        clusters: group of each round.
    """
    size, total = effective_size(weights), float(weights.sum())
    largest = float(weights.max()) / total if total > 0 else 1.0
    k = pareto_k(weights)
    mean = total / len(weights)
    error = Value("weight", mean, weights - mean, clusters=clusters).standard_error
    # Mass that was never tried is missing from the mean weight by rights.
    odd = abs(mean - (1 - missing)) > _ODD * error + _MUCH
    verdict, why = _verdict(missing, size, k, mean if odd else None)
    return Support(
        rounds=len(weights),
        matching=int((weights > 0).sum()),
        effective=size,
        largest=largest,
        mean_weight=mean,
        pareto_k=k,
        never=never,
        untried=missing,
        covered=covered,
        verdict=verdict,
        why=why,
    )


def untried(evaluation: Evaluation, behaviour: Floats | None = None) -> Floats:
    """Return 1 where an arm was hardly ever taken in such a round, else 0: shape (n, K).

    Args:
        evaluation: the log under the policy.
        behaviour: chances of all arms, shape (n, K); the log's own, if None. Where neither is known, an arm counts as
            tried if it was ever taken.
    """
    log = evaluation.log
    known = log.behaviour if behaviour is None else behaviour
    never = np.bincount(log.actions, minlength=len(log.arms)) == 0
    if known is None:
        return np.broadcast_to(never.astype(float), (len(log), len(log.arms)))
    return np.asarray((known < _RARE) | never, dtype=np.float64)


def pareto_k(weights: Floats) -> float | None:
    """Return the shape k of a generalised Pareto law fitted to the largest weights: moments above 1 / k do not exist.

    The tail holds min(n / 5, 3 sqrt(n)) weights (Vehtari, Simpson, Gelman, Yao and Gabry 2024, "Pareto smoothed
    importance sampling", section 2); fitted by maximum likelihood. None where fewer than 20 lie above the threshold.

    Args:
        weights: shape (n,), at least 0.
    """
    n = len(weights)
    size = int(min(n / 5, 3 * np.sqrt(n)))
    ordered = np.sort(weights)
    if size < _TAIL or not ordered[-1] > 0:
        return None
    threshold = ordered[-size - 1]
    tail = ordered[-size:] - threshold
    tail = tail[tail > 1e-9 * ordered[-1]]
    if len(tail) < _TAIL:
        return None
    shape, _, _ = genpareto.fit(tail, floc=0.0)
    return float(shape)


def _verdict(
    missing: float, size: float, k: float | None, odd: float | None
) -> tuple[Literal["fine", "thin", "none"], str]:
    if missing > _MUCH:
        return "none", f"{missing:.1%} of what the policy does was never or hardly ever tried there"
    if size < _FEW:
        return "none", f"only {size:.1f} effective rounds speak of the policy"
    words = []
    if odd is not None:
        words.append(f"the propensities do not fit the log: the mean weight is {odd:.2f} where right ones give 1")
    if missing > _SOME:
        words.append(f"{missing:.1%} of what the policy does was never or hardly ever tried there")
    if size < _THIN:
        words.append(f"only {size:.0f} effective rounds speak of the policy")
    if k is not None and k > _HEAVY:
        words.append(f"a few rounds carry the weight (Pareto k {k:.2f})")
    return ("thin", "; ".join(words)) if words else ("fine", "")
