"""The ten-step agent fitted to logs: laws as the logs tell them, and the rate of faults that makes the logs likeliest.

The graph and the tools are known, for tools can be read; the laws of choices are not. The log-probabilities of a logged
step are the law of its model in its context, corrupted or clean. Where no run met some step, context and model, the
law is that of the same step, moved as the context moves the others on average.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from ifonly.scenarios.credit.workflow import Task, Workflow
from ifonly.scm.contamination import FaultLog
from ifonly.scm.contamination import fit as fit_faults

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ifonly.scenarios.credit.logs import LoggedRun
    from ifonly.scm.gumbel import Floats

    Ints = NDArray[np.int64]

__all__ = ["Decoded", "decoded", "fitted"]


@dataclass(frozen=True, eq=False)
class Decoded:
    """Logged runs in numbers.

    Attributes:
        names: of the runs.
        choices: option taken at each step, shape (runs, steps).
        moved: whether something that the step's law reads was corrupted, 0 or 1, shape (runs, steps).
        models: index of each step's model, shape (runs, steps).
        logged: log-probabilities of the options as logged, shape (runs, steps, options).
        success: 1. or 0., shape (runs,).
    """

    names: tuple[str, ...]
    choices: Ints
    moved: Ints
    models: Ints
    logged: Floats
    success: Floats

    def laws(self, workflow: Workflow) -> Floats:
        """Return the probabilities of the options in the logged contexts, shape (runs, steps, options)."""
        law: Floats = np.exp(workflow.log_laws[np.arange(self.choices.shape[1]), self.moved, self.models])
        return law

    def faults(self, workflow: Workflow) -> Floats:
        """Return P(fault at step k | log), shape (runs, steps); a fault takes the bad option, whatever the law.

        With p_k the probability of the option taken, the weight of a fault at k is (rate / steps) / p_k where that
        option is bad, and that of no fault 1 - rate.
        """
        return _faults(self, workflow)


@lru_cache(maxsize=4)
def _faults(logs: Decoded, workflow: Workflow) -> Floats:
    taken = np.take_along_axis(logs.laws(workflow), logs.choices[..., None], -1)[..., 0]
    weight = np.where(logs.choices == workflow.options - 1, workflow.fault / workflow.steps / taken, 0.0)
    posterior: Floats = weight / (1 - workflow.fault + weight.sum(-1, keepdims=True))
    return posterior


def decoded(workflow: Workflow, runs: Sequence[LoggedRun]) -> Decoded:
    """Read tokens as the tools do.

    Args:
        workflow: whose tools made the results.
        runs: at least one.
    """
    tasks = [Task(workflow, run.task) for run in runs]
    pairs = list(zip(tasks, runs, strict=True))
    choices = [[task.options[s.k].index(s.action) for s in run.steps] for task, run in pairs]
    bad = np.array([[task.meaning(s.k, s.result)[0] for s in run.steps] for task, run in pairs])
    moved = np.stack([bad[:, workflow.reads[k]].any(-1) for k in range(workflow.steps)], -1)
    logged = [[[s.logprobs[name] for name in task.options[s.k]] for s in run.steps] for task, run in pairs]
    return Decoded(
        names=tuple(run.run_id for run in runs),
        choices=np.array(choices),
        moved=moved.astype(np.int64),
        models=np.array([[workflow.models.index(s.model) for s in run.steps] for run in runs]),
        logged=np.array(logged, dtype=float),
        success=np.array([float(run.success) for run in runs]),
    )


def fitted(workflow: Workflow, logs: Decoded) -> Workflow:
    """Return the workflow with laws and fault rate from logs; nothing else of the laws it has is looked at.

    Args:
        workflow: gives the graph and the tools.
        logs: of its runs.
    """
    steps, _, models, options = workflow.log_laws.shape
    laws = np.full((steps, 2, models, options), np.nan)
    for k in range(steps):
        for context in range(2):
            for model in range(models):
                met = (logs.moved[:, k] == context) & (logs.models[:, k] == model)
                if met.any():
                    laws[k, context, model] = logs.logged[met, k].mean(0)
    laws = _completed(laws)
    made = replace(workflow, log_laws=laws - np.logaddexp.reduce(laws, axis=-1, keepdims=True))
    taken = np.take_along_axis(logs.laws(made), logs.choices[..., None], -1)[..., 0]
    kind = (logs.choices == options - 1).astype(np.int64)
    menu = np.broadcast_to([options - 1, 1], (*taken.shape, 2))
    return replace(made, fault=fit_faults(FaultLog(taken, kind, menu), "single").rate)


def _completed(laws: Floats) -> Floats:
    """Laws that nothing was seen of, from those of the same step and model in the other context, or of other steps."""
    shift = np.nanmean(laws[:, 1] - laws[:, 0], 0)
    other = np.stack([laws[:, 1] - shift, laws[:, 0] + shift], 1)
    filled = np.where(np.isnan(laws), other, laws)
    completed: Floats = np.where(np.isnan(filled), np.nanmean(filled, 0), filled)
    return completed
