"""The live part of blame: open what-ifs, then the credit of model steps, on one set of re-runs."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING

from ifonly.sim.blame.arms import Arms, again, model_sites
from ifonly.sim.blame.live import ask_live, risk_of
from ifonly.sim.blame.live_game import live_credit
from ifonly.sim.blame.named import named_alternatives
from ifonly.sim.blame.numbers import averted
from ifonly.sim.blame.questions import open_questions
from ifonly.sim.rollout import max_steps_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ifonly.scm.estimate import Estimate
    from ifonly.sim.blame.alternatives import Alternative
    from ifonly.sim.blame.attempts import Asking
    from ifonly.sim.blame.live import LiveAsk
    from ifonly.sim.blame.live_answers import LiveBlame
    from ifonly.sim.blame.questions import Question

__all__ = ["LiveParts", "asked_live", "live_questions"]


@dataclass(frozen=True, slots=True)
class LiveParts:
    """What asking models adds to an answer.

    Args:
        alternatives: that only asking can answer.
        report: what was asked.
        luck: P(not failed) of the run asked again from its first model step, unchanged; None where that was no arm.
        shares: credit of the model steps by site; empty where it was not asked.
    """

    alternatives: tuple[Alternative, ...]
    report: LiveBlame
    luck: Estimate | None = None
    shares: Mapping[str, Estimate] = field(default_factory=dict)


def live_questions(
    asking: Asking, known: Sequence[Alternative], ask: LiveAsk
) -> tuple[tuple[Alternative, ...], tuple[Question, ...]]:
    """The alternatives that only asking can answer, and all that is to be asked.

    Args:
        asking: asks of the run.
        known: the alternatives that the log knows.
        ask: how models are asked.
    """
    run = asking.run
    named = named_alternatives(run, ask.models, ask.prompts, redraw=ask.noise == "fresh")
    limit = ask.effort.max_steps or max_steps_of(run)
    place = {site: index for index, site in enumerate(run.sites)}
    everything = sorted((*known, *named), key=lambda one: place.get(one.site, -1))
    return named, open_questions(asking, everything, limit, ask.sites)


def asked_live(asking: Asking, known: Sequence[Alternative], ask: LiveAsk) -> LiveParts:
    """Ask what is open, and give the answers to `asking`.

    Args:
        asking: takes the answers.
        known: the alternatives that the log knows.
        ask: how to ask.

    Raises:
        IfonlyError: nothing at all could be had, for another reason than the budget.
    """
    named, questions = live_questions(asking, known, ask)
    return asyncio.run(_asked(asking, named, questions, ask))


async def _asked(
    asking: Asking, named: tuple[Alternative, ...], questions: Sequence[Question], ask: LiveAsk
) -> LiveParts:
    run, began = asking.run, monotonic()
    worlds = ask.effort.particles if ask.worlds is None else ask.worlds
    async with Arms(run, asking.rerun, ask.voices, ask.effort) as arms:
        report = await ask_live(asking, questions, ask, arms)
        luck = again(run, next(iter(model_sites(run)), None))
        shares, made, why = await live_credit(
            arms,
            asking.failure,
            worlds=0 if report.stopped else worlds,
            batch=max(1, ask.effort.workers // 2),
            seed=ask.seed,
            level=asking.level,
            progress=ask.progress,
        )
        told = None if luck is None else risk_of(asking, arms, luck, ask)
    seen = {
        "runs": arms.made,
        "worlds": made,
        "stopped": report.stopped or why,
        "recorded": ask.counted.recorded,
        "seconds": monotonic() - began,
    }
    return LiveParts(named, report.model_copy(update=seen), None if told is None else averted(told), shares)
