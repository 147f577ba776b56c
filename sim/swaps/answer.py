"""What item-response worlds say of one recorded run under another model."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

import numpy as np

from ifonly.scm.estimate import Estimate
from ifonly.scm.item_response.predict import NOISE, estimate_of
from ifonly.scm.item_response.unit import coupled
from ifonly.sim.answers import Borrowed, Fitted, FittedOutcome
from ifonly.sim.swaps.cells import cell_of, swapped_in
from ifonly.sim.walk import Provenance

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ifonly.agents.records import Trajectory
    from ifonly.scm.item_response.facets import Floats
    from ifonly.sim.answers import OutcomeAnswer, WhatIfAnswer
    from ifonly.sim.plan import LivePlan
    from ifonly.sim.swaps.cells import Cell
    from ifonly.sim.swaps.world import SwapWorld

__all__ = ["answer_of", "beside", "instead"]

_INDEPENDENT: Final = f"{NOISE}; independent noise of the two runs"

_ASSUMES: Final = (
    "The fitted answer is that of an item-response world: chances depend on who meets what through the groups that "
    "runs share, and the other model is asked from the start; what the run had done before the swap counts only as "
    "far as its outcome tells of the task."
)


def answer_of(world: SwapWorld, cell: Cell, outcome: float, model: str, level: float = 0.95) -> FittedOutcome:
    """The score of a recorded run, had another model been asked: both rungs, bounds, and what was borrowed.

    The world knows the run's own outcome, so its draws answer the counterfactual. Weighted by one over the likelihood
    of that outcome they forget it again, which answers the interventional question.

    Args:
        world: fitted to a corpus that holds the run, with the swapped cell observed or named.
        cell: of the run.
        outcome: its recorded score, 0 or 1.
        model: that is swapped in.
        level: of the intervals.

    Raises:
        NotApplicable: the world does not know the cell, or the swapped one.
    """
    a, b = np.clip(world.chances([cell, cell.under(model)]), 1e-9, 1 - 1e-9).T
    forgetting = 1 / (a if outcome == 1 else 1 - a)
    ends = coupled(a, b, outcome)
    return FittedOutcome(
        interventional=estimate_of(b, level, rung="interventional", weights=forgetting),
        counterfactual=estimate_of(b, level, rung="counterfactual", noise=_INDEPENDENT),
        bounds=_bounds(ends.low, ends.high),
        borrowed=_borrowed(world, cell, model),
    )


def _bounds(low: Floats, high: Floats) -> Estimate:
    return Estimate.bounded(float(low.mean()), float(high.mean()), "counterfactual")


def _borrowed(world: SwapWorld, cell: Cell, model: str) -> Borrowed:
    seen = world.cells[: len(world.outcomes)]
    of_model = [other for other in seen if other.model == model]
    return Borrowed(
        runs=len(seen),
        task_by=dict(sorted(Counter(other.model for other in seen if other.task == cell.task).items())),
        item=sum(other.item == cell.item for other in seen),
        model=len(of_model),
        model_tasks=len({other.task for other in of_model}),
        model_task=sum(other.task == cell.task for other in of_model),
    )


def beside(
    answer: WhatIfAnswer, run: Trajectory, worlds: Mapping[str, SwapWorld], live: LivePlan | None, level: float
) -> WhatIfAnswer:
    """The answer with what the worlds say put beside it.

    Args:
        answer: to a what-if whose actions are one model swap.
        run: that was asked about.
        worlds: by score.
        live: the plan of one live re-run; None where it was not made.
        level: of the intervals.

    Raises:
        NotApplicable: a world does not know the run's cell, or the swapped one.
    """
    model, cell = swapped_in(answer.actions), cell_of(run)
    scores = {name: float(score) for name, score in run.outcome.scores.items() if name in worlds}
    if model is None or not scores:
        return answer
    fitted = Fitted(
        model=model,
        outcomes={name: answer_of(worlds[name], cell, score, model, level) for name, score in scores.items()},
        live_calls=None if live is None else live.calls,
        live_usd=None if live is None else live.usd,
    )
    return answer.model_copy(update={"fitted": fitted, "assumes": (*answer.assumes, _ASSUMES)})


def instead(answer: WhatIfAnswer) -> WhatIfAnswer:
    """The answer with the fitted outcomes in the place of those that recordings leave open (continuation `model`)."""
    if answer.fitted is None:
        return answer.model_copy(update={"continuation": "model"})
    found = answer.fitted.outcomes
    steps = tuple(
        step.model_copy(update={"provenance": Provenance.SIMULATED, "source": NOISE, "why": _NO_STEPS})
        if step.provenance is Provenance.UNDETERMINED
        else step
        for step in answer.steps
    )
    outcomes = {
        name: _outcome(outcome, found[name].counterfactual) if name in found else outcome
        for name, outcome in answer.outcomes.items()
    }
    whole = found.keys() >= answer.outcomes.keys()
    return answer.model_copy(
        update={
            "continuation": "model",
            "steps": steps,
            "outcomes": outcomes,
            "verdict": "answered" if whole else "partly answered",
        }
    )


_NO_STEPS: Final = "scores alone are simulated, from here on"


def _outcome(outcome: OutcomeAnswer, estimate: Estimate) -> OutcomeAnswer:
    if estimate.value is None:
        raise AssertionError("a posterior mean is a value")
    shift = -float(outcome.factual)
    ends = {"value": estimate.value + shift, "low": estimate.low + shift, "high": estimate.high + shift}
    return outcome.model_copy(update={"counterfactual": estimate, "change": estimate.model_copy(update=ends)})
