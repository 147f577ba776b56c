"""Irrelevant text: a note enters the next prompt and moves nothing, so it gets no credit for the failure.

    note --> prompt --> answer --> success

The model answers rightly with probability .7, whatever the note says; its noise U decides. In the failed run U says
wrong, and it would have said so under every note. Outputs cannot be held once the prompt has changed; noise can.

Naive: change the note and ask the model again. It repairs .7 of the failures, all of it luck.
"""

from __future__ import annotations

from ifonly.scenarios.known_world import KnownWorld, Query, counterfactual_mean
from ifonly.scm.actions import Put, Redraw
from ifonly.scm.finite import Finite, choice
from ifonly.scm.fixed import Function
from ifonly.scm.kernel import endogenous
from ifonly.scm.queries import counterfactual

__all__ = ["IRRELEVANT_TEXT", "world"]

_RIGHT = 0.7
_NOTES = ("noted", "let me think", "as I said before")


def world() -> None:
    """The program."""
    note = endogenous("note/0", choice(_NOTES))
    prompt = endogenous("prompt/1", Function(lambda note: f"{note}. What is 6 times 7?"), note)
    answer = endogenous(
        "answer/1", Finite(lambda right, _: "42" if right else "43", (1, 0), (_RIGHT, 1 - _RIGHT)), prompt
    )
    endogenous("success", Function(lambda answer: int(answer == "42")), answer)


_FAILED = {"note/0": _NOTES[0], "answer/1": "43", "success": 0}
_OTHER = {"note/0": Put(_NOTES[1])}

IRRELEVANT_TEXT = KnownWorld(
    name="irrelevant text",
    stage="agents",
    question="The run failed after a rambling note. Had the note been another one, would it have succeeded?",
    world=world,
    edges=frozenset({("note/0", "prompt/1"), ("prompt/1", "answer/1"), ("answer/1", "success")}),
    queries=(
        Query(
            "P(success | do(other note), the failed run)",
            0.0,
            _RIGHT,
            lambda: counterfactual_mean(world, _FAILED, _OTHER, "success"),
        ),
        Query(
            "P(success | do(other note), answer redrawn): luck alone",
            _RIGHT,
            _RIGHT,
            lambda: counterfactual_mean(world, _FAILED, {**_OTHER, "answer/1": Redraw()}, "success"),
        ),
        Query(
            "whether the note changes the answer that was given",
            0.0,
            None,
            lambda: float("answer/1" in counterfactual(world, _FAILED, _OTHER).changed),
        ),
    ),
    naive="change the note, ask the model again, and credit the note with what improves",
    marginals={"success": {1: _RIGHT, 0: 1 - _RIGHT}, "note/0": dict.fromkeys(_NOTES, 1 / 3)},
    assumes=("The model's noise is the same whatever the prompt says: what the note cannot move stays.",),
)
