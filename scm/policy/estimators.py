"""The estimators side by side, in the order in which tables show them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ifonly.scm.policy.doubly_robust import dm, dr, dr_os, sndr, switch_dr
from ifonly.scm.policy.weighting import ipw, naive, snipw

if TYPE_CHECKING:
    from ifonly.scm.policy.evaluation import Evaluation
    from ifonly.scm.policy.logged import Floats
    from ifonly.scm.policy.value import Value

__all__ = ["all_estimators"]


def all_estimators(evaluation: Evaluation, mrdr_model: Floats, clip: float) -> list[Value]:
    """Return the value of a policy by every estimator: each says in its docstring when to believe it.

    Args:
        evaluation: the log under the policy, with a reward model.
        mrdr_model: a reward model fitted with the weights of MRDR, shape (n, K): see
            `ifonly.scm.policy.nuisance.fit_rewards`.
        clip: the weight above which weights are clipped, switched off, or (its square, as lambda) shrunk.

    Raises:
        NotApplicable: if the log has no propensities, or no logged action has a chance under the policy.
    """
    return [
        naive(evaluation),
        dm(evaluation),
        ipw(evaluation),
        replace(ipw(evaluation, clip), estimator="clipped ipw"),
        snipw(evaluation),
        dr(evaluation),
        sndr(evaluation),
        switch_dr(evaluation, clip),
        dr_os(evaluation, clip**2),
        dr(replace(evaluation, model=mrdr_model), name="mrdr"),
    ]
