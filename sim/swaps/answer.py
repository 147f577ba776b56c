"""What item-response worlds say of one recorded run under another model."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

import numpy as np

from ifonly.scm.estimate import Estimate
from ifonly.scm.item_response.predict import NOISE, estimate_of, quantiles
from ifonly.scm.item_response.unit import between, coupled, with_share
from ifonly.sim.answers import Borrowed, Fitted, FittedOutcome, SharedLuck
from ifonly.sim.swaps.cells import cell_of, step_of, swapped_in
from ifonly.sim.walk import Provenance

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ifonly.agents.records import Trajectory
    from ifonly.scm.item_response.facets import Floats
    from ifonly.sim.answers import OutcomeAnswer, WhatIfAnswer
    from ifonly.sim.plan import LivePlan
    from ifonly.sim.swaps.cells import Cell
    from ifonly.sim.swaps.shared import SharedNoise
    from ifonly.sim.swaps.world import SwapWorld

__all__ = ["answer_of", "beside", "instead"]

_INDEPENDENT: Final = f"{NOISE}; independent noise of the two runs"
_SHARED: Final = f"{NOISE}; noise shared as in recorded swaps at this step"

_ASSUMES: Final = (
    "The fitted answer is that of an item-response world: chances depend on who meets what through the groups that "
    "runs share. The other model is taken to have its own chance on this task{begun}."
)
_BEGUN: Final = ", and what was done before the swap counts by the luck that both runs have in common"
_ASSUMES_SHARE: Final = (
    "How much luck they have in common is learned from recorded swaps at that step, in which the other model had come "
    "to the very same request by itself; here it need not have."
)
_ASSUMES_NONE: Final = (
    "The corpus holds too few recorded swaps at that step to say how much luck they have in common: none is assumed, "
    "so that this run counts only as far as its outcome tells of the task."
)


def answer_of(
    world: SwapWorld,
    cell: Cell,
    outcome: float,
    model: str,
    level: float = 0.95,
    *,
    shared: SharedNoise | None = None,
    begun: bool = False,
) -> FittedOutcome:
    """The score of a recorded run, had another model been asked: both rungs, bounds, and what was borrowed.

    The world knows the run's own outcome, so its draws answer the counterfactual. Weighted by one over the likelihood
    of that outcome they forget it again, which answers the interventional question.

    Args:
        world: fitted to a corpus that holds the run, with the swapped cell observed or named.
        cell: of the run.
        outcome: its recorded score, 0 or 1.
        model: that is swapped in.
        level: of the intervals.
        shared: what noise the two runs share; None: nothing is known of it, and none is assumed.
        begun: whether the run had begun when the model was swapped: then its chance may lie anywhere between those of
            both models, and the bounds say so.

    Raises:
        NotApplicable: the world does not know the cell, or the swapped one.
    """
    a, b = np.clip(world.chances([cell, cell.under(model)]), 1e-9, 1 - 1e-9).T
    forgetting = 1 / (a if outcome == 1 else 1 - a)
    ends = coupled(a, b, outcome)
    low, high = between(a, b, outcome) if begun else (ends.low, ends.high)
    mixed = b if shared is None else with_share(b, ends.shared, shared.draws)
    return FittedOutcome(
        interventional=estimate_of(b, level, rung="interventional", weights=forgetting),
        counterfactual=estimate_of(mixed, level, rung="counterfactual", noise=_SHARED if shared else _INDEPENDENT),
        bounds=_bounds(low, high, level),
        borrowed=_borrowed(world, cell, model),
        shared=None if shared is None else _told(shared, level),
    )


def _bounds(low: Floats, high: Floats, level: float) -> Estimate:
    """From the lower limit of the lower bound to the upper limit of the upper one."""
    (lowest,), (highest,) = quantiles(low[:, None], ((1 - level) / 2,)), quantiles(high[:, None], ((1 + level) / 2,))
    return Estimate.bounded(float(lowest[0]), float(highest[0]), "counterfactual", level)


def _told(shared: SharedNoise, level: float) -> SharedLuck:
    low, high = np.quantile(shared.draws, [(1 - level) / 2, (1 + level) / 2])
    share = Estimate(
        value=shared.share,
        low=min(float(low), shared.share),
        high=max(float(high), shared.share),
        level=level,
        effective=shared.tasks,
        rung="observed",
        identified="point",
    )
    return SharedLuck(step=shared.step, swaps=shared.swaps, tasks=shared.tasks, share=share)


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
    answer: WhatIfAnswer,
    run: Trajectory,
    worlds: Mapping[str, SwapWorld],
    live: LivePlan | None,
    level: float,
    shared: Mapping[str, SharedNoise | None] | None = None,
) -> WhatIfAnswer:
    """The answer with what the worlds say put beside it.

    Args:
        answer: to a what-if whose actions are one model swap.
        run: that was asked about.
        worlds: by score.
        live: the plan of one live re-run; None where it was not made.
        level: of the intervals.
        shared: by score, what noise two runs share that part at the swapped step; nothing is known of it, if None.

    Raises:
        NotApplicable: a world does not know the run's cell, or the swapped one.
    """
    model, cell = swapped_in(answer.actions), cell_of(run)
    scores = {name: float(score) for name, score in run.outcome.scores.items() if name in worlds}
    if model is None or not scores:
        return answer
    known, begun = shared or {}, step_of(run, answer.actions) > 0
    fitted = Fitted(
        model=model,
        outcomes={
            name: answer_of(worlds[name], cell, score, model, level, shared=known.get(name), begun=begun)
            for name, score in scores.items()
        },
        live_calls=None if live is None else live.calls,
        live_usd=None if live is None else live.usd,
    )
    return answer.model_copy(update={"fitted": fitted, "assumes": (*answer.assumes, *_assumed(fitted, begun=begun))})


def _assumed(fitted: Fitted, *, begun: bool) -> tuple[str, ...]:
    told = {_ASSUMES_NONE if one.shared is None else _ASSUMES_SHARE for one in fitted.outcomes.values()}
    return (_ASSUMES.format(begun=_BEGUN if begun else ""), *sorted(told))


def instead(answer: WhatIfAnswer) -> WhatIfAnswer:
    """The answer with the fitted outcomes in the place of those that recordings leave open (continuation `model`).

    Where some paths were settled by recorded replies and others were not, the world answers for the others alone.
    """
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


def _outcome(outcome: OutcomeAnswer, fitted: Estimate) -> OutcomeAnswer:
    """The fitted estimate, spread over what the bounds of the outcome leave open; a settled outcome stays."""
    open_ = outcome.counterfactual
    if open_.value is not None:
        return outcome
    width, shift = open_.high - open_.low, -float(outcome.factual)
    ends = {name: open_.low + width * end for name, end in _ends(fitted).items()}
    estimate = fitted.model_copy(update=ends)
    change = estimate.model_copy(update={name: end + shift for name, end in ends.items()})
    return outcome.model_copy(update={"counterfactual": estimate, "change": change})


def _ends(estimate: Estimate) -> dict[str, float]:
    return {"value": estimate.value or 0.0, "low": estimate.low, "high": estimate.high}
