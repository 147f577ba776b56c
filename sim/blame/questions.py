"""What blame asks models now: the what-ifs that the log leaves open, each with the control that belongs to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ifonly.agents.actions import RedrawAction
from ifonly.agents.canonical import canonical_json
from ifonly.agents.errors import ActionError
from ifonly.agents.records import ModelStep
from ifonly.sim.blame.arms import Doing, again, model_sites
from ifonly.sim.intervention import compile_actions
from ifonly.sim.live import Wanted
from ifonly.sim.rollout import probe

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from ifonly.agents.records import Trajectory
    from ifonly.sim.blame.alternatives import Alternative
    from ifonly.sim.blame.attempts import Asking

__all__ = ["Question", "open_questions"]


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """One what-if that is asked live.

    Args:
        alternative: what is done.
        doing: the arm in which it is done.
        parted: the first model step that must be asked, and with what; None where the recording settles all.
        control: the unchanged run, asked again from there (of a redraw, from the next model step on); None where
            nothing is left to ask, so that it fails as recorded.
    """

    alternative: Alternative
    doing: Doing
    parted: Wanted | None
    control: Doing | None


def open_questions(
    asking: Asking, alternatives: Iterable[Alternative], max_steps: int, sites: Collection[str] = ()
) -> tuple[Question, ...]:
    """Those alternatives whose total effect nothing recorded settles, in their order; equal actions once.

    A step of which a recorded answer is exact and averts the failure is settled, and not asked again.

    Args:
        asking: asks of the run, and keeps what is known.
        alternatives: what steps might have been.
        max_steps: model steps after which a re-run is stopped.
        sites: only of these; all, if empty.
    """
    alternatives = tuple(alternatives)
    settled = {(one.site, one.part) for one in alternatives if _settled(asking, one)}
    found: dict[str, Question] = {}
    for one in alternatives:
        asked = asking.asked(one)
        total = [answer for answer in asked if answer.attempt.estimand == "total"]
        named = one.source in ("named", "redraw")
        wanted = named or all(answer.open for answer in total)
        if wanted and (named or (one.site, one.part) not in settled) and (not sites or one.site in sites):
            key = canonical_json(one.action.model_dump(mode="json"))
            question = None if key in found else _question(asking, one, key, max_steps)
            if question is not None:
                found[key] = question
    return tuple(found.values())


def _settled(asking: Asking, one: Alternative) -> bool:
    return any(answer.effect.identified == "exact" and answer.effect.value == 1 for answer in asking.asked(one))


def _question(asking: Asking, one: Alternative, key: str, max_steps: int) -> Question | None:
    """None where the world never comes to the action."""
    run = asking.run
    if isinstance(one.action, RedrawAction):
        step = next(step for step in run.steps if isinstance(step, ModelStep) and step.site == one.site)
        sites = model_sites(run)
        after = next(iter(sites[sites.index(one.site) + 1 :]), None)
        doing = again(run, one.site)
        return None if doing is None else Question(one, doing, Wanted(one.site, step.request), again(run, after))
    try:
        parted = probe(run, [one.action], asking.rerun, max_steps)
        doing = Doing(key, compile_actions([one.action], run))
    except ActionError:
        return None
    here = parted.site if parted is not None and parted.site in _asked_of(run) else None
    return Question(one, doing, parted, again(run, here))


def _asked_of(run: Trajectory) -> Iterator[str]:
    return iter(model_sites(run))
