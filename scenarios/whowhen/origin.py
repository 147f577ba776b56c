"""Where the final answer of a run comes from, as far as its log alone can tell, and a shortlist re-ranked by it.

Had a step not been made, then nothing that came of it would have been. No log of this set can be run again, so that
counterfactual is not computed; what a log supports is a graph of descent:

- what a turn claims are its numbers and capitalised names; a claim that is not in the question comes from the turn
  that said it first, and each later turn that an agent says it in descends from that one;
- what a terminal prints descends from the turn before it, and so does what an agent does when an orchestrator tells it;
- the final answer descends from the turns that said its words first, and from all that they descend from.

The assumption: a claim said twice was taken over, and what is taken over is visible as a number or a name. A step whose
fault is what it did *not* find leaves no claim, and is missed. Of the steps that the answer descends from, the earliest
may be blamed first (`earliest`): correcting it takes away all that came of it, while correcting a later one leaves the
first fault. In a group chat nearly all descends from the opening turn, so there this says little.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ifonly.scenarios.whowhen.blame import Blame, in_order
from ifonly.scenarios.whowhen.words import claims_of, words_of

if TYPE_CHECKING:
    from ifonly.scenarios.whowhen.logs import Log

__all__ = ["SHORT", "origins", "reranked"]

SHORT = 3
"""Length of a shortlist."""


def origins(log: Log) -> frozenset[int]:
    """The steps from which the final answer descends; none where it says nothing that is not in the question."""
    first, parents = dict[str, int](), list[set[int]]()
    asked = claims_of(log.question) | words_of(log.question)
    said = dict[str, int]()
    for turn in log.turns:
        claims = claims_of(turn.text) - asked
        before = {first[claim] for claim in claims if claim in first}
        previous = log.turns[turn.step - 1] if turn.step else None
        if turn.outside:
            before = {turn.step - 1} if previous else set()
        elif previous and previous.calls == turn.agent:
            before.add(turn.step - 1)
        parents.append(before)
        for claim in claims:
            first.setdefault(claim, turn.step)
        for word in words_of(turn.text) - asked:
            said.setdefault(word, turn.step)
    answer = words_of(log.final) - asked
    waiting, found = {said[word] for word in answer if word in said}, set[int]()
    while waiting:
        step = waiting.pop()
        found.add(step)
        waiting |= parents[step] - found
    return frozenset(found)


def reranked(blame: Blame, log: Log, short: int = SHORT, *, earliest: bool = False) -> Blame:
    """The first steps of a ranking, those first from which the answer descends.

    What comes after the shortlist is not named. Of steps that are tied the earlier comes first. The agent blamed is the
    one who speaks in the step.

    Args:
        blame: the ranking.
        log: of which.
        short: how many steps the shortlist has.
        earliest: whether those from which the answer descends go by time, the earliest first; else as in the ranking.
    """
    listed = [step for group in blame.steps for step in sorted(group)][:short]
    known = origins(log)
    reached = [step for step in listed if step in known]
    others = [step for step in listed if step not in known]
    return in_order([*(sorted(reached) if earliest else reached), *others])
