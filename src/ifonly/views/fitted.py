"""A fitted world's answer to a model swap, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ifonly.views.scores import estimate_text, number

if TYPE_CHECKING:
    from ifonly.sim.answers import Borrowed, Fitted, SharedLuck

__all__ = ["fitted_lines"]


def fitted_lines(fitted: Fitted) -> tuple[str, ...]:
    """Four lines a score, and what a live answer would take."""
    lines = []
    for name, one in fitted.outcomes.items():
        lines.append(f"{name} with {fitted.model}, this run's outcome known: {estimate_text(one.counterfactual)}")
        lines.append(f"{name}: {_shared(one.shared)}")
        low, high = number(one.bounds.low), number(one.bounds.high)
        lines.append(
            f"{name}: whatever luck the two runs share, between {low} and {high}; a new run of {fitted.model} from the "
            f"start, {estimate_text(one.interventional)}"
        )
        lines.append(f"{name}: {_borrowed(one.borrowed, fitted.model)}")
    return (*lines, *_live(fitted))


def _shared(shared: SharedLuck | None) -> str:
    """What the two runs' luck has in common."""
    if shared is None:
        return "too few recorded swaps at this step to say what luck the two runs share: none is assumed"
    return (
        f"share of luck that it keeps of this run: {estimate_text(shared.share)}, learned from {shared.swaps:,} "
        f"recorded swaps at that step, on {shared.tasks} tasks"
    )


def _borrowed(borrowed: Borrowed, model: str) -> str:
    """From which runs."""
    same = sum(borrowed.task_by.values())
    return (
        f"borrowed from {borrowed.runs:,} runs: {same} of this task by {len(borrowed.task_by)} models ({borrowed.item} "
        f"of this very item), {borrowed.model} of {model} on {borrowed.model_tasks} tasks ({borrowed.model_task} on it)"
    )


def _live(fitted: Fitted) -> tuple[str, ...]:
    if fitted.live_calls is None:
        return ()
    price = "at a price not known here" if fitted.live_usd is None else f"for about {fitted.live_usd:.4f} US dollars"
    return (f"a live re-run would take some {fitted.live_calls} calls, {price}: --continue live",)
