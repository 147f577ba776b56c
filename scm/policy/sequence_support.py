"""Whether a log of runs can speak of a policy: the weights of whole runs, and what was never tried at some step."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ifonly.scm.policy.support import judge

if TYPE_CHECKING:
    from ifonly.scm.policy.sequences import SequenceEvaluation
    from ifonly.scm.policy.support import Support

__all__ = ["sequence_support"]


def sequence_support(evaluation: SequenceEvaluation) -> Support:
    """Return what the log knows of the policy, run by run: rounds are runs, weights those of whole runs.

    `never` and `untried` are the shares of the policy's choices that fall on arms which no run took at that step, over
    the steps that runs came to; `untried` is that of the worst step, for a run must pass them all, and `covered` the
    share of runs in which no step had such an arm.

    Args:
        evaluation: the log under the policy.
    """
    log = evaluation.log
    running = log.mask.sum(0)
    taken = (log.actions[..., None] == np.arange(len(log.arms))) & log.mask[..., None]
    mass = (evaluation.policy * log.mask[..., None]).sum(0)
    lost = np.where(taken.any(0), 0.0, mass)
    never = lost.sum(0) / running.sum()
    return judge(
        evaluation.weights[:, -1],
        float((lost.sum(1) / running).max()),
        float((((evaluation.policy * (lost > 0)).sum(-1) == 0) | ~log.mask).all(1).mean()),
        {arm: float(share) for arm, share in zip(log.arms, never, strict=True) if share > 0},
        log.clusters,
    )
