"""Doubly robust values of runs: a model of what is to come, corrected by what came, step by step."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ifonly.scm.errors import NotApplicable
from ifonly.scm.policy.value import Value

if TYPE_CHECKING:
    from ifonly.scm.policy.sequences import SequenceEvaluation

__all__ = ["sequential_dr"]


def sequential_dr(evaluation: SequenceEvaluation) -> Value:
    """Return the doubly robust value (Jiang and Li 2016, "Doubly robust off-policy value evaluation", section 4).

    From the last step backward, with V(s) = sum over a of pi(a | s) q(s, a),

        D_t = V(s_t) + rho_t (r_t + discount D_{t+1} - q(s_t, a_t)),      0 after the end of a run,

    and the mean of D_0 over runs. Unbiased with right propensities and a model that never saw the run (cross-fitted);
    with q = 0 it is `pdis`, and with right q its variance is the least there is for logs of this kind.

    Args:
        evaluation: the log under the policy, with a model.

    Raises:
        NotApplicable: if there is no model, or no run could have been the policy's: what is left is the model alone,
            with an interval that says nothing of its error (`ifonly.scm.policy.fitted_q.fqe`).
    """
    log, model = evaluation.log, evaluation.model
    if model is None:
        raise NotApplicable(
            "sequential DR needs a model of what is to come: give q_t(s, a) as an array of shape (runs, steps, arms), "
            "or fit one (ifonly.scm.policy.fitted_q.fit_q)"
        )
    evaluation.check_overlap()
    expected, predicted = (evaluation.policy * model).sum(-1), evaluation.taken(model)
    scores = np.zeros(len(log))
    for t in reversed(range(log.steps)):
        corrected = evaluation.ratios[:, t] * (log.rewards[:, t] + evaluation.discount * scores - predicted[:, t])
        scores = np.where(log.mask[:, t], expected[:, t] + corrected, 0.0)
    value = float(scores.mean())
    return Value("sequential dr", value, scores - value, evaluation.weights[:, -1], log.clusters)
