"""Fixes: the least that averts a failure, each verified by the what-if that anybody can run again."""

from __future__ import annotations

from itertools import combinations, islice
from typing import TYPE_CHECKING

from ifonly.agents.actions import DropAction, parse_action
from ifonly.agents.errors import ActionError
from ifonly.sim.blame.answers import Fix
from ifonly.sim.blame.numbers import averted, risk
from ifonly.sim.continuations import Hold
from ifonly.sim.whatif import counterfactual_paths, whatif

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ifonly.agents.actions import Action
    from ifonly.scm.estimate import Estimate
    from ifonly.sim.answers import WhatIfAnswer
    from ifonly.sim.blame.answers import Attempt, JointBlame, StepBlame
    from ifonly.sim.blame.attempts import Asking
    from ifonly.sim.continuations import Continuation

__all__ = ["fixes"]

_SHOWN = 6
"""Fixes that are given, at most."""
_PAIRS = 40
"""Pairs of actions that are tried, at most, where no single one is a fix."""
_BAD_IF_TRUE = "security"


def fixes(asking: Asking, steps: Sequence[StepBlame], joint: Sequence[JointBlame]) -> tuple[Fix, ...]:
    """Action lists that avert the failure: one action each where there are such, else pairs and the sets of `joint`.

    Single actions come first; among equals, what is certain, then what leaves fewer other scores bad, then the order
    of the run. Each is asked again as ``ifonly whatif --action`` would.

    Args:
        asking: asks of the run.
        steps: what was asked of each step.
        joint: sets of calls that avert the failure together.
    """
    single = [one for row in steps for one in row.attempts if one.averts and one.source != "redraw"]
    single.sort(key=lambda one: (one.failure.identified != "exact", _bad(one.others), one.continuation != "hold"))
    made = [_verified(asking, [one.action], one) for one in single[:_SHOWN]]
    if not any(fix is not None for fix in made):
        together = ([DropAction(site=site) for site in one.sites] for one in joint if len(one.sites) > 1)
        made = [_verified(asking, actions, None) for actions in islice(_several(together, steps), _PAIRS)]
    found = [fix for fix in made if fix is not None]
    found.sort(key=lambda fix: (len(fix.actions), fix.necessity.identified != "exact", _bad(fix.others)))
    return tuple(found[:_SHOWN])


def _bad(others: dict[str, Estimate]) -> float:
    """How many of the other scores are bad under a fix; one that is not settled counts half."""
    bad = 0.0
    for name, score in others.items():
        value = 0.5 if score.value is None else min(max(score.value, 0.0), 1.0)
        bad += value if name == _BAD_IF_TRUE else 1 - value
    return bad


def _several(together: Iterable[list[DropAction]], steps: Sequence[StepBlame]) -> Iterator[Sequence[Action]]:
    """Sets known to avert it; then pairs of what other runs did, and what is clean, at two sites."""
    yield from together
    known = [row.attempts for row in steps]
    for left, right in combinations(known, 2):
        for first, second in ((a, b) for a in left for b in right):
            better = {"good run", "clean", "recorded reply", "re-executed"}
            if first.estimand == second.estimand == "direct" and better & {first.source, second.source}:
                yield [first.action, second.action]


def _verified(asking: Asking, actions: Sequence[Action], attempt: Attempt | None) -> Fix | None:
    """The fix, if the what-if that its actions spell averts the failure; what models were asked for stands as it is."""
    if attempt is not None and attempt.continuation == "live":
        effect = averted(attempt.failure)
        return Fix(
            actions=tuple(actions), continuation="live", necessity=effect, others=attempt.others, rerun=_rerun(attempt)
        )
    spelled = [parse_action(action.model_dump_json()) for action in actions]
    later = _continuation(asking, attempt)
    try:
        answer = whatif(
            asking.run, spelled, continuation=later, environment=asking.rerun.environment, level=asking.level
        )
    except ActionError:
        # The second action's site is gone in the world of the first: no fix.
        return None
    effect = _effect(asking, answer, later)
    if effect.value is None or effect.value <= 0.5:  # noqa: PLR2004 -- likelier than not
        return None
    others = {n: o.counterfactual for n, o in answer.outcomes.items() if n != asking.failure.score}
    return Fix(
        actions=answer.actions,
        continuation=answer.continuation,
        necessity=effect,
        others=others,
        cost=answer.cost or 0.0,
        calls=answer.calls,
    )


def _rerun(attempt: Attempt) -> Estimate | None:
    """How often asking again averts it, unchanged."""
    return None if attempt.control is None else averted(attempt.control)


def _continuation(asking: Asking, attempt: Attempt | None) -> Continuation:
    named = (one for one in asking.continuations if attempt is not None and one.name == attempt.continuation)
    return next(named, Hold())


def _effect(asking: Asking, answer: WhatIfAnswer, later: Continuation) -> Estimate:
    """P(averted): read off the verdict, or for a score with a threshold off the paths themselves."""
    failure = asking.failure
    if isinstance(failure.value, bool):
        score = answer.outcomes[failure.score].counterfactual
        return averted(score) if failure.value else score
    paths = counterfactual_paths(asking.run, answer.actions, continuation=later, rerun=asking.rerun)
    return averted(risk(paths, failure, asking.level, assumed=later.noise, rung="counterfactual"))
