"""What a live what-if will cost, before any call is made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict

from ifonly.agents.records import ModelStep
from ifonly.sim.rollout import max_steps_of, probe

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ifonly.agents.actions import Action
    from ifonly.agents.budget import Price
    from ifonly.agents.records import Request, Trajectory
    from ifonly.agents.rerun import Rerun
    from ifonly.sim.live import Noise
    from ifonly.sim.rollout import Effort

__all__ = ["CALLS", "LivePlan", "later_requests", "plan", "priced"]

CALLS = {"fresh": 1, "choice": 2, "token": 1}
"""Calls a step: abducting a choice asks once for the law, and again where the noise chooses another option."""


class LivePlan(BaseModel):
    """What a live what-if is expected to ask, and at most.

    Attributes:
        run: id of the recorded run.
        site: the first step that needs a live call; None where the recording settles all.
        model: that is asked there.
        particles: re-runs in each arm.
        arms: two where the control is asked, too.
        calls: expected, if re-runs are as long as the recorded run.
        calls_at_most: if every re-run goes on to the step limit.
        usd: expected price; None where the model's price is not known.
        usd_at_most: if every reply is as long as it may be, in runs of the recorded length.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal[1] = 1
    run: str
    site: str | None = None
    model: str | None = None
    particles: int = 0
    arms: int = 0
    calls: int = 0
    calls_at_most: int = 0
    usd: float | None
    usd_at_most: float | None


def plan(
    run: Trajectory,
    actions: Sequence[Action],
    rerun: Rerun,
    effort: Effort,
    noise: Noise,
    price: Callable[[Request], Price | None],
) -> LivePlan:
    """The plan of `ifonly.sim.whatif_live.whatif_live` with these arguments; `price` is that of one call. Asks nothing.

    Raises:
        UnknownName: an action names a site that the run does not have.
        ActionError: an action does not fit the step at its site.
    """
    limit = effort.max_steps or max_steps_of(run)
    wanted = probe(run, actions, rerun, limit)
    if wanted is None:
        return LivePlan(run=run.id, usd=0.0, usd_at_most=0.0)
    later = later_requests(run, wanted.site, wanted.request)
    arms = 2 if noise == "fresh" and any(step.site == wanted.site for step in run.steps) else 1
    times = effort.particles * arms * CALLS[noise]
    usd, usd_at_most = priced(later, price)
    return LivePlan(
        run=run.id,
        site=wanted.site,
        model=wanted.request.model,
        particles=effort.particles,
        arms=arms,
        calls=times * len(later),
        calls_at_most=times * (limit - int(wanted.site.rpartition("/")[2])),
        usd=None if usd is None else times * usd,
        usd_at_most=None if usd_at_most is None else times * usd_at_most,
    )


def priced(
    requests: Sequence[Request], price: Callable[[Request], Price | None]
) -> tuple[float, float] | tuple[None, None]:
    """What these requests cost together, about and at most; None where one has no known price."""
    prices = [price(request) for request in requests]
    known = [found for found in prices if found is not None]
    if len(known) < len(prices):
        return None, None
    return sum(found.estimate_usd for found in known), sum(found.bound_usd for found in known)


def later_requests(run: Trajectory, site: str, request: Request) -> list[Request]:
    """The first live request, and the recorded ones after it, put to the same model."""
    steps = [step for step in run.steps if isinstance(step, ModelStep)]
    index = next((number for number, step in enumerate(steps) if step.site == site), len(steps))
    return [request, *(step.request.model_copy(update={"model": request.model}) for step in steps[index + 1 :])]
