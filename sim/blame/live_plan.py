"""What a live blame will ask, and at what price, before any call is made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from ifonly.agents.actions import Action
from ifonly.agents.records import ModelStep
from ifonly.scm.draw import Draw
from ifonly.scm.shapley import world_coalitions
from ifonly.sim.blame.alternatives import alternatives, good_runs
from ifonly.sim.blame.answers import BlameAnswer
from ifonly.sim.blame.arms import keeping, model_sites
from ifonly.sim.blame.asked_live import live_questions
from ifonly.sim.blame.assign import asking_of, not_again
from ifonly.sim.plan import CALLS, later_requests, priced
from ifonly.sim.rollout import max_steps_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ifonly.agents.budget import Price
    from ifonly.agents.corpus import Corpus
    from ifonly.agents.environments.base import Environment
    from ifonly.agents.records import Request, Trajectory
    from ifonly.sim.blame.attempts import Asking
    from ifonly.sim.blame.failure import Failure
    from ifonly.sim.blame.live import LiveAsk
    from ifonly.sim.blame.questions import Question

__all__ = ["BlamePlan", "plan_blame"]


class BlamePlan(BaseModel):
    """What a live blame is expected to ask, and at most.

    Attributes:
        run: id of the recorded run.
        actions: what is asked of it, one what-if each; empty where nothing is open.
        particles: re-runs in each arm, at most.
        arms: changed and unchanged ones of the what-ifs, each counted once.
        credit_arms: those that the credit of model steps needs beside them.
        calls: expected, if re-runs are as long as the recorded run, and none ends early.
        calls_at_most: if every re-run goes on to the step limit.
        usd: expected price; None where a model's price is not known.
        usd_at_most: if every reply is as long as it may be, in runs of the recorded length.
        why: why nothing is asked; None if something is.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int = 1
    run: str
    actions: tuple[Action, ...] = ()
    particles: int = 0
    arms: int = 0
    credit_arms: int = 0
    calls: int = 0
    calls_at_most: int = 0
    usd: float | None = 0.0
    usd_at_most: float | None = 0.0
    why: str | None = None


def plan_blame(
    run: Trajectory,
    ask: LiveAsk,
    price: Callable[[Request], Price | None],
    *,
    corpus: Corpus | None = None,
    environment: Environment | None = None,
    score: Failure | str | None = None,
) -> BlamePlan:
    """The plan of `ifonly.sim.blame.blame` with these arguments; `price` is that of one call. Asks nothing.

    Long because one record is filled.

    Raises:
        ActionError: the run is not one growing conversation.
        ToolEnvironmentError: the run's environment is known but not installed, or does not know the task.
    """
    asking = asking_of(run, corpus=corpus, environment=environment, score=score)
    if isinstance(asking, BlameAnswer):
        return BlamePlan(run=run.id, why=asking.reason)
    if (why := not_again(asking)) is not None:
        return BlamePlan(run=run.id, why=why)
    good = good_runs(run, corpus, asking.failure)
    known = alternatives(run, asking.held, asking.rerun, good, corpus)
    _, questions = live_questions(asking, known, ask)
    arms = dict(_arms(asking, questions))
    shared = {key: at for key, at in _credit_arms(run, ask) if key not in arms}
    worlds = ask.effort.particles if ask.worlds is None else ask.worlds
    limit = ask.effort.max_steps or max_steps_of(run)
    # Each abducted noise asks its own changed arms; all controls, and the credit, have fresh noise.
    times = [_times(key, ask) * ask.effort.particles for key in arms] + [worlds] * len(shared)
    wanted = [*arms.values(), *shared.values()]
    later = [later_requests(run, site, request) for site, request in wanted]
    prices = [priced(requests, price) for requests in later]
    known_prices = None not in [usd for usd, _ in prices]
    return BlamePlan(
        run=run.id,
        actions=tuple(one.alternative.action for one in questions),
        particles=ask.effort.particles,
        arms=len(arms),
        credit_arms=len(shared),
        calls=sum(n * len(requests) for n, requests in zip(times, later, strict=True)),
        calls_at_most=sum(n * (limit - _index(site)) for n, (site, _) in zip(times, wanted, strict=True)),
        usd=sum(n * (usd or 0.0) for n, (usd, _) in zip(times, prices, strict=True)) if known_prices else None,
        usd_at_most=sum(n * (most or 0.0) for n, (_, most) in zip(times, prices, strict=True))
        if known_prices
        else None,
        why=None if wanted else "nothing is open",
    )


def _arms(asking: Asking, questions: tuple[Question, ...]) -> Iterator[tuple[str, tuple[str, Request]]]:
    """The arms that are asked, each with its first live request."""
    requests = _requests(asking.run)
    for one in questions:
        if one.parted is not None:
            yield one.doing.key, (one.parted.site, one.parted.request)
        if one.control is not None:
            site = one.control.key.removeprefix("again/")
            yield one.control.key, (site, requests[site])


def _credit_arms(run: Trajectory, ask: LiveAsk) -> Iterator[tuple[str, tuple[str, Request]]]:
    """The arms of the credit of model steps: those of the first world, since each asks for as many."""
    sites, requests = model_sites(run), _requests(run)
    if not sites or ask.worlds == 0:
        return
    for row in world_coalitions(len(sites), 0, Draw(ask.seed)):
        kept = [site for site, in_ in zip(sites, row, strict=True) if in_]
        doing = keeping(run, kept, sites)
        first = next((site for site in sites if site not in kept), None)
        if first is not None:
            yield doing.key, (first, requests[first])


def _times(key: str, ask: LiveAsk) -> int:
    """Calls at each step of an arm: of a changed one under each noise, of a control under fresh noise."""
    return 1 if key.startswith("again/") else 1 + (len(ask.voices) - 1) * CALLS[ask.noise]


def _requests(run: Trajectory) -> dict[str, Request]:
    return {step.site: step.request for step in run.steps if isinstance(step, ModelStep)}


def _index(site: str) -> int:
    return int(site.rpartition("/")[2])
