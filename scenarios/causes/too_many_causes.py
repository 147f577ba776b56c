"""More causes than one, as agents' stories: late preemption (two rocks, one bottle), overdetermination (a forest fire).

Two pushes: two agents push a bad change. Ann's lands first and breaks the service; Bob's is then refused.

    ann ---> ann_lands ---> broken
                 |            ^
                 v            |
    bob ---> bob_lands -------+        bob_lands = bob and not ann_lands

Without Ann's push Bob's would have landed, so that no push is a but-for cause. Truth by the modified definition of
Halpern and Pearl: Ann's is an actual cause (hold what is a fact: Bob's change did not land), Bob's is not.

Two documents: two searches each return a wrong document, and either is enough for a wrong answer.

    left ---> wrong <--- right

Truth: neither is a cause alone, whatever is held; both together are. Naive in both worlds: "but for this step, would it
have failed?" has no answer but "yes" for either, so that nobody is to blame; or, counting who was there, everybody is.
"""

from __future__ import annotations

from itertools import chain, combinations, product
from typing import TYPE_CHECKING, Final

from ifonly.scenarios.known import KnownWorld, Query, Respond, Unit, Values, law_of
from ifonly.scm.effect import question
from ifonly.scm.estimate import Estimate
from ifonly.scm.finite import choice
from ifonly.scm.fixed import Function
from ifonly.scm.joint_causes import actual_cause, joint_causes
from ifonly.scm.kernel import endogenous

if TYPE_CHECKING:
    from ifonly.scm.steps import World

__all__ = ["WORLDS"]

_FIRST, _SECOND = 0.8, 0.6


def _pushes() -> None:
    ann = endogenous("ann", choice((0, 1), (1 - _FIRST, _FIRST)))
    bob = endogenous("bob", choice((0, 1), (1 - _SECOND, _SECOND)))
    ann_lands = endogenous("ann_lands", Function(lambda pushed: 1 * pushed), ann)
    bob_lands = endogenous("bob_lands", Function(lambda pushed, other: pushed * (1 - other)), bob, ann_lands)
    endogenous("broken", Function(lambda a, b: a + b - a * b), ann_lands, bob_lands)


def _documents() -> None:
    left = endogenous("left", choice((0, 1), (1 - _FIRST, _FIRST)))
    right = endogenous("right", choice((0, 1), (1 - _SECOND, _SECOND)))
    endogenous("wrong", Function(lambda a, b: a + b - a * b), left, right)


def _pushing(ann: int, bob: int) -> Respond:
    def respond(put: Values) -> Values:
        made = {"ann": put.get("ann", ann), "bob": put.get("bob", bob)}
        made["ann_lands"] = put.get("ann_lands", made["ann"])
        made["bob_lands"] = put.get("bob_lands", int(made["bob"] and not made["ann_lands"]))
        return {**made, "broken": made["ann_lands"] | made["bob_lands"]}

    return respond


def _searching(left: int, right: int) -> Respond:
    def respond(put: Values) -> Values:
        made = {"left": put.get("left", left), "right": put.get("right", right)}
        return {**made, "wrong": made["left"] | made["right"]}

    return respond


def _by_definition(respond: Respond, sites: tuple[str, ...], event: str) -> bool:
    """Halpern 2015, AC2 for sites that were 1: with some others held as they were, the change averts the event."""
    actual = respond({})
    others = [site for site in actual if site not in (*sites, event)]
    held = chain.from_iterable(combinations(others, n) for n in range(len(others) + 1))
    changed = dict.fromkeys(sites, 0)
    return any(not respond({**{site: actual[site] for site in kept}, **changed})[event] for kept in held)


def _found(world: World, facts: Values, pair: tuple[str, str], event: str, site: str) -> Estimate:
    happens = question(world, facts, event)
    actual = {name: value for name, value in facts.items() if name != event}
    cause = actual_cause(happens, actual, dict.fromkeys(pair, (0,)), (site,))
    return Estimate.settled(float(cause is not None), "counterfactual")


def _alone(world: World, facts: Values, pair: tuple[str, str], event: str) -> Estimate:
    """How many members of the joint cause are causes by themselves, as its kind says."""
    actual = {name: value for name, value in facts.items() if name != event}
    (joint,) = joint_causes(question(world, facts, event), actual, dict.fromkeys(pair, (0,)))
    number = {"preemption": len(joint.causes), "overdetermination": 0}[joint.kind]
    return Estimate.settled(float(number), "counterfactual")


def _queries(world: World, unit: Respond, pair: tuple[str, str], event: str, truths: tuple[int, int]) -> list[Query]:
    facts = unit({})
    made = [
        Query(
            name=f"`{site}` is an actual cause",
            truth=float(truth),
            brute=lambda site=site: float(_by_definition(unit, (site,), event)),  # type: ignore[misc]
            ours=lambda site=site: _found(world, facts, pair, event, site),  # type: ignore[misc]
            naive=0.0,
            mistake="but for the step it would have failed all the same",
        )
        for site, truth in zip(pair, truths, strict=True)
    ]
    made.append(
        Query(
            name="how many of the two are causes alone",
            truth=float(sum(truths)),
            brute=lambda: float(sum(_by_definition(unit, (site,), event) for site in pair)),
            ours=lambda: _alone(world, facts, pair, event),
            naive=2.0,
            mistake="counting whoever was there",
            span=(0.0, 2.0),
        )
    )
    return made


_CHANCES: Final = tuple(product(enumerate((1 - _FIRST, _FIRST)), enumerate((1 - _SECOND, _SECOND))))
_PUSHING: Final[list[Unit]] = [(p * q, _pushing(a, b)) for (a, p), (b, q) in _CHANCES]
_SEARCHING: Final[list[Unit]] = [(p * q, _searching(a, b)) for (a, p), (b, q) in _CHANCES]

# The worlds of this file: `ifonly.scenarios.catalog` finds them.
WORLDS: Final = (
    KnownWorld(
        name="two pushes",
        question="Ann's bad change lands first and shuts out Bob's: who broke the service?",
        edges=frozenset(
            {
                ("ann", "ann_lands"),
                ("bob", "bob_lands"),
                ("ann_lands", "bob_lands"),
                ("ann_lands", "broken"),
                ("bob_lands", "broken"),
            }
        ),
        world=_pushes,
        facts=_pushing(1, 1)({}),
        queries=tuple(_queries(_pushes, _pushing(1, 1), ("ann", "bob"), "broken", (1, 0))),
        sites=("ann", "bob", "ann_lands", "bob_lands", "broken"),
        law=lambda: law_of(_PUSHING, ("ann", "bob", "ann_lands", "bob_lands", "broken")),
        assumptions=("an actual cause is one by Halpern 2015, def. 2.2",),
        decision="Roll Ann's change back: hers broke the service, and Bob's never took effect.",
    ),
    KnownWorld(
        name="two documents",
        question="Either of two wrong documents is enough: whose is the wrong answer?",
        edges=frozenset({("left", "wrong"), ("right", "wrong")}),
        world=_documents,
        facts=_searching(1, 1)({}),
        queries=tuple(_queries(_documents, _searching(1, 1), ("left", "right"), "wrong", (0, 0))),
        sites=("left", "right", "wrong"),
        law=lambda: law_of(_SEARCHING, ("left", "right", "wrong")),
        assumptions=("an actual cause is one by Halpern 2015, def. 2.2",),
        decision="Take both documents out of the index: neither is the cause alone, and one less would change nothing.",
    ),
)
