"""Preempted: two agents would both have deleted the file; the first one did.

    cleaner/0 --> deletes/0 -----------> file_lost
                     |                     ^
    helper/0  -----> deletes/1 ------------+        (the helper deletes what is still there)

Suzy and Billy throw rocks at a bottle (Halpern and Pearl 2005; Hall 2004: late preemption). Had the cleaner not
called, the helper's call would have lost the file: no single call is a but-for cause. Held at what it did (nothing),
the helper lets the cleaner's call be seen as the cause.

Naive: but-for effects, which acquit both.
"""

from __future__ import annotations

from ifonly.scenarios.known_world import KnownWorld, Query, counterfactual_mean
from ifonly.scm.actions import Put
from ifonly.scm.effect import question
from ifonly.scm.finite import choice
from ifonly.scm.fixed import Function
from ifonly.scm.joint_causes import joint_causes
from ifonly.scm.kernel import endogenous

__all__ = ["PREEMPTED", "world"]

_CALLS = 0.6


def world() -> None:
    """The program."""
    cleaner = endogenous("cleaner/0", choice((1, 0), (_CALLS, 1 - _CALLS)))
    helper = endogenous("helper/0", choice((1, 0), (_CALLS, 1 - _CALLS)))
    first = endogenous("deletes/0", Function(lambda calls: calls), cleaner)
    second = endogenous("deletes/1", Function(lambda calls, gone: int(calls and not gone)), helper, first)
    endogenous("file_lost", Function(max), first, second)


_LOST = {"cleaner/0": 1, "helper/0": 1, "deletes/0": 1, "deletes/1": 0, "file_lost": 1}


def _causes(site: str) -> float:
    """Whether a call is named as the cause of the loss."""
    happens = question(world, _LOST, "file_lost")
    others = {"cleaner/0": (0,), "helper/0": (0,)}
    actual = {name: value for name, value in _LOST.items() if name != "file_lost"}
    (found,) = joint_causes(happens, actual, others, size=2, witness=1)
    return float(found.kind == "preemption" and site in {flip.sites[0] for flip in found.causes})


PREEMPTED = KnownWorld(
    name="preempted",
    stage="agents",
    question="Two agents would both have deleted the file. Who lost it?",
    world=world,
    edges=frozenset(
        {
            ("cleaner/0", "deletes/0"),
            ("helper/0", "deletes/1"),
            ("deletes/0", "deletes/1"),
            ("deletes/0", "file_lost"),
            ("deletes/1", "file_lost"),
        }
    ),
    queries=(
        Query("whether the cleaner's call is the cause", 1.0, 0.0, lambda: _causes("cleaner/0")),
        Query("whether the helper's call is the cause", 0.0, 0.0, lambda: _causes("helper/0")),
        Query(
            "P(file lost | do(the cleaner does not call), the run)",
            1.0,
            1.0,
            lambda: counterfactual_mean(world, _LOST, {"cleaner/0": Put(0)}, "file_lost"),
        ),
    ),
    naive="but-for: a call is to blame if without it the file had been kept",
    marginals={"file_lost": {1: 1 - (1 - _CALLS) ** 2, 0: (1 - _CALLS) ** 2}},
    assumes=("A cause is one by the modified definition of Halpern and Pearl (Halpern 2015).",),
)
