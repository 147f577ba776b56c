"""A free-text step whose words enter a later prompt, and do nothing there.

    note ---> action ---> success        the prompt of `action` holds the note; its law does not hang on it

The note has three wordings. The agent acts rightly with probability .6 whatever it reads. Truth: had the note been
worded otherwise, a failed run would have failed all the same; no credit is due.

Naive: replay the recorded replies. With another note the prompt of `action` is another one, no recorded reply fits it,
and it is drawn afresh: .6 of the failed runs succeed, and the note is given .6 of credit that is the action's. The
output cannot be held once its input changed; its noise can.
"""

from __future__ import annotations

from itertools import product
from typing import Final

from ifonly.scenarios.known import KnownWorld, Query, Respond, Unit, Values, law_of, mean_of
from ifonly.scm.actions import Put
from ifonly.scm.effect import effect
from ifonly.scm.finite import Finite, choice
from ifonly.scm.fixed import Function
from ifonly.scm.kernel import endogenous

__all__ = ["WORLDS"]

_RIGHT: Final = 0.6
_WORDINGS: Final = {0: 0.5, 1: 0.3, 2: 0.2}


def _world() -> None:
    note = endogenous("note", choice(tuple(_WORDINGS), tuple(_WORDINGS.values())))
    # The note is read and does nothing; times 0 keeps its plate.
    action = endogenous("action", Finite(lambda right, text: right + 0 * text, (0, 1), (1 - _RIGHT, _RIGHT)), note)
    endogenous("success", Function(lambda done: 1 * done), action)


def _unit(note: int, right: int) -> Respond:
    def respond(put: Values) -> Values:
        action = put.get("action", right)
        return {"note": put.get("note", note), "action": action, "success": put.get("success", action)}

    return respond


_UNITS: Final[list[Unit]] = [
    (p * q, _unit(note, right)) for (note, p), (right, q) in product(_WORDINGS.items(), ((0, 1 - _RIGHT), (1, _RIGHT)))
]
_FACTS: Final = {"note": 0, "action": 0, "success": 0}


def _gain(site: str, value: int) -> Query:
    """What a change of one step would have gained."""
    is_note = site == "note"
    return Query(
        name=f"gain had `{site}` been {value}",
        truth=0.0 if is_note else 1.0,
        brute=lambda: mean_of(_UNITS, lambda do: do({site: value})["success"] - do({})["success"], _FACTS),
        ours=lambda: effect(_world, _FACTS, {site: Put(value)}, "success").counterfactual.change,
        naive=_RIGHT if is_note else 1.0,
        mistake="later replies drawn afresh once their prompt changed" if is_note else "none: nothing is drawn later",
        span=(-1.0, 1.0),
    )


# The worlds of this file: `ifonly.scenarios.catalog` finds them.
WORLDS: Final = (
    KnownWorld(
        name="irrelevant text",
        question="Does a note that enters a later prompt share the credit, where the reply does not hang on it?",
        edges=frozenset({("note", "action"), ("action", "success")}),
        world=_world,
        facts=_FACTS,
        queries=(_gain("note", 1), _gain("note", 2), _gain("action", 1)),
        sites=("note", "action", "success"),
        law=lambda: law_of(_UNITS, ("note", "action", "success")),
        assumptions=("the reply's noise is its own: the same under every prompt",),
        decision="Leave the note as it is and mend the action: no wording of the note would have averted this failure.",
    ),
)
