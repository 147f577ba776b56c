"""The narrowest bounds on a policy's value that the marginal sensitivity model leaves, given what rewards are like.

As in `marginal_sensitivity` the true odds of each logged choice differ from those in the log by a factor of at most
Gamma; now true inverse propensities must also balance the contexts: E[1 / e(X, U) | X, A = a] = 1 / e(X, a). Of all
worlds with the log's law, the one in which arm a is worth most gives odds Gamma to rewards above the quantile Q at
Gamma / (1 + Gamma) of R given X and A = a, and 1 / Gamma to those below (Dorn and Guo 2023, JASA 118:2645):

    E[R(a) | X] <= e mu + (1 - e) rho,    rho = E[Q + Gamma^sign(R - Q) (R - Q) | X, A = a].

Rewards of two values need no quantile: with chances p of the larger, 1, rho = min(Gamma p, 1 - (1 - p) / Gamma). For
others Q is the model's mean plus the quantile of what it leaves, by arm. Either way the mean of

    sum over a of pi(a | x_i) rho(x_i, a) + pi(a_i | x_i) (r_i - rho_i + (1 / p_i - 1) (m_i - rho_i)),
    m_i = Q_i + Gamma^sign(r_i - Q_i) (r_i - Q_i)

estimates the bound, whatever rho is if the propensities are right; a Q that is off widens it, and never makes it wrong
(Dorn, Guo and Kallus 2024, JASA, "Doubly-valid/doubly-sharp sensitivity analysis for causal inference with unmeasured
confounding"). Sharp for policies that take one arm in each context, and for two arms; a mixture of three or more may
be bounded closer still.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ifonly.scm.errors import NotApplicable
from ifonly.scm.policy.bounds import limits
from ifonly.scm.policy.marginal_sensitivity import smallest_gamma

if TYPE_CHECKING:
    from ifonly.scm.estimate import Estimate
    from ifonly.scm.policy.evaluation import Evaluation
    from ifonly.scm.policy.logged import Floats

__all__ = ["sharp_bounds", "sharp_breaking_gamma"]

_TWO = 2


def sharp_bounds(evaluation: Evaluation, gamma: float, low: float, high: float, level: float = 0.95) -> Estimate:
    """Return sharp bounds on V(pi) under the marginal sensitivity model; at Gamma = 1 the interval of `dr`.

    Args:
        evaluation: the log under the policy; with propensities and a reward model.
        gamma: at least 1.
        low: smallest reward there can be; limits lie within.
        high: largest.
        level: coverage of the limits (Imbens and Manski 2004), in (0, 1).

    Raises:
        NotApplicable: if gamma is below 1, there is no reward model, or no logged action has a chance under the policy.
    """
    if not gamma >= 1:
        raise NotApplicable(f"gamma is a factor between odds, at least 1, not {gamma}")
    evaluation.check_overlap()
    return limits(evaluation, _scores(evaluation, gamma, -1), _scores(evaluation, gamma, 1), level, (low, high))


def sharp_breaking_gamma(evaluation: Evaluation, threshold: float) -> float:
    """Return the smallest Gamma at which V(pi) may lie on the other side of a threshold: 1 if it does already.

    Args:
        evaluation: the log under the policy; with propensities and a reward model.
        threshold: for instance the value of the policy that was followed.

    Raises:
        NotApplicable: as `sharp_bounds`.
    """
    evaluation.check_overlap()
    end = -1 if _scores(evaluation, 1.0, 1).mean() > threshold else 1
    return smallest_gamma(lambda gamma: end * (float(_scores(evaluation, gamma, end).mean()) - threshold) >= 0)


def _scores(evaluation: Evaluation, gamma: float, end: int) -> Floats:
    """Whose mean is the upper bound (end 1) or the lower one (end -1), shape (n,)."""
    log, rows = evaluation.log, np.arange(len(evaluation.log))
    rewards = end * log.rewards
    quantile, rho = _worst(evaluation, gamma, end)
    taken, kept = rho[rows, log.actions], evaluation.policy[rows, log.actions]
    above = rewards - quantile
    moved = quantile + np.where(above > 0, gamma, 1 / gamma) * above - taken
    found: Floats = (evaluation.policy * rho).sum(1) + kept * (rewards - taken + (1 / log.chances - 1) * moved)
    return end * found


def _worst(evaluation: Evaluation, gamma: float, end: int) -> tuple[Floats, Floats]:
    """Q(x_i, a_i), shape (n,), and rho(x_i, a), shape (n, K), of rewards times `end`."""
    log = evaluation.log
    if evaluation.model is None:
        raise NotApplicable("sharp bounds need a reward model: see ifonly.scm.policy.nuisance.fit_rewards")
    rewards, model = end * log.rewards, end * evaluation.model
    values = np.unique(rewards)
    if len(values) <= _TWO:
        base, width = values[0], np.ptp(values)
        chance = np.clip((model - base) / (width or 1.0), 0.0, 1.0)
        rho = base + width * np.minimum(gamma * chance, 1 - (1 - chance) / gamma)
        likely = chance[np.arange(len(log)), log.actions] > 1 / (1 + gamma)
        return base + width * likely, rho
    left = end * evaluation.residual
    shifts = np.array(
        [_shift(left[log.actions == arm] if arm in log.actions else left, gamma) for arm in range(len(log.arms))]
    )
    return end * evaluation.predicted + shifts[log.actions, 0], model + shifts[:, 1]


def _shift(left: Floats, gamma: float) -> tuple[float, float]:
    """Of what the model leaves of an arm: its quantile, and the mean beyond the model at the worst weights."""
    quantile = float(np.quantile(left, gamma / (1 + gamma)))
    above = left - quantile
    return quantile, float((quantile + np.where(above > 0, gamma, 1 / gamma) * above).mean())
