"""Rescue: a bad plan at step 0 that a self-check at step 3 would have caught one time in ten.

    plan/0 --> draft/1 --> check/3 --> success

The plan is bad with probability .4, and the draft follows it. The check finds a bad draft with probability .1 and mends
it. In the failed run the plan was bad and the check found nothing: mending either averts the failure, and the earliest
decisive step is 0.

Naive: do the logged plan again and look: .1 of these runs succeed, by luck of the check. Replay keeps them failed.
"""

from __future__ import annotations

from ifonly.scenarios.known_world import KnownWorld, Query, counterfactual_mean
from ifonly.scm.actions import Put
from ifonly.scm.effect import effect, question
from ifonly.scm.finite import Finite, choice
from ifonly.scm.fixed import Function
from ifonly.scm.joint_causes import flip_sets
from ifonly.scm.kernel import endogenous

__all__ = ["RESCUE", "world"]

_BAD, _FOUND = 0.4, 0.1
_STEPS = ("plan/0", "draft/1", "check/3")


def world() -> None:
    """The program."""
    plan = endogenous("plan/0", choice(("good", "bad"), (1 - _BAD, _BAD)))
    draft = endogenous("draft/1", Function(lambda plan: plan), plan)
    look = Finite(lambda finds, draft: "mended" if finds and draft == "bad" else "passed", (1, 0), (_FOUND, 1 - _FOUND))
    check = endogenous("check/3", look, draft)
    endogenous("success", Function(lambda draft, check: int(draft == "good" or check == "mended")), draft, check)


_FAILED = {"plan/0": "bad", "draft/1": "bad", "check/3": "passed", "success": 0}


def _earliest() -> float:
    """The first step whose change alone averts the failure."""
    happens = question(world, _FAILED, lambda run: 1 - run["success"])
    others = {"plan/0": ("good",), "draft/1": ("good",), "check/3": ("mended",)}
    return float(min(int(flip.sites[0].rpartition("/")[2]) for flip in flip_sets(happens, others, size=1)))


RESCUE = KnownWorld(
    name="rescue",
    stage="agents",
    question="A bad plan was not caught by the check. Which step was decisive, and what does doing it again show?",
    world=world,
    edges=frozenset({("plan/0", "draft/1"), ("draft/1", "check/3"), ("draft/1", "success"), ("check/3", "success")}),
    queries=(
        Query("the earliest decisive step", 0.0, 3.0, _earliest),
        Query(
            "P(success | do(good plan), the failed run)",
            1.0,
            1.0,
            lambda: counterfactual_mean(world, _FAILED, {"plan/0": Put("good")}, "success"),
        ),
        Query(
            "P(success | do(the logged plan), the failed run)",
            0.0,
            _FOUND,
            lambda: counterfactual_mean(world, _FAILED, {"plan/0": Put("bad")}, "success"),
        ),
        Query(
            "P(success | do(the logged plan)), fresh noise",
            _FOUND,
            _FOUND,
            lambda: effect(world, _FAILED, {"plan/0": Put("good")}, "success").interventional.undone.value or 0.0,
        ),
    ),
    naive="blame the last step that could have prevented it; judge a change by re-running what follows",
    marginals={"success": {1: 1 - _BAD + _BAD * _FOUND, 0: _BAD * (1 - _FOUND)}},
)
