"""Random and trivial rules: what must be beaten before anything is claimed."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ifonly.scenarios.whowhen.blame import NOBODY, Attributor, Blame, in_order

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ifonly.scenarios.whowhen.blame import Learner
    from ifonly.scenarios.whowhen.logs import Labelled, Log

__all__ = ["RULES", "Fixed", "Rule", "UsualStep"]


@dataclass(frozen=True)
class Rule:
    """A rule as an attributor."""

    says: Callable[[Log], Blame]

    def attribute(self, log: Log) -> Blame:
        """See `Attributor`."""
        return self.says(log)


@dataclass(frozen=True)
class Fixed:
    """An attributor that has nothing to learn, as a learner."""

    attributor: Attributor

    def learn(self, logs: Sequence[Labelled]) -> Attributor:
        """See `Learner`."""
        return self.attributor


@dataclass(frozen=True)
class UsualStep:
    """Blames the steps in the order of how often other logs of the same part have them as their label."""

    def learn(self, logs: Sequence[Labelled]) -> Attributor:
        """See `Learner`."""
        counts: dict[str, Counter[int]] = {}
        for one in logs:
            counts.setdefault(one.log.part, Counter())[one.label.step] += 1

        def says(log: Log) -> Blame:
            usual = counts.get(log.part, Counter())
            order = sorted((step for step in usual if step < len(log)), key=lambda step: (-usual[step], step))
            return in_order(order)

        return Rule(says)


def _uniform(log: Log) -> Blame:
    n = len(log)
    return Blame((tuple(range(n)),), agents=(log.agents,), probabilities=(1 / n,) * n)


def _always(step: int) -> Rule:
    return Rule(lambda log: in_order([step]) if step < len(log) else NOBODY)


def _first_of(agent: str, log: Log) -> Blame:
    mine = [turn.step for turn in log.turns if turn.agent == agent]
    return Blame(in_order(mine).steps, agents=((agent,),))


def _talkative(log: Log) -> Blame:
    said = Counter[str]()
    for turn in log.turns:
        said[turn.agent] += 0 if turn.outside else len(turn.text)
    return _first_of(max(log.agents, key=lambda agent: said[agent]), log)


def _frequent(log: Log) -> Blame:
    turns = Counter(turn.agent for turn in log.turns if not turn.outside)
    return _first_of(max(log.agents, key=lambda agent: turns[agent]), log)


_STEPS = 6

RULES: dict[str, Learner] = {
    "random": Fixed(Rule(_uniform)),
    **{f"always step {step}": Fixed(_always(step)) for step in range(_STEPS)},
    "last step": Fixed(Rule(lambda log: in_order([len(log) - 1]))),
    "first step of who says most": Fixed(Rule(_talkative)),
    "first step of who speaks most often": Fixed(Rule(_frequent)),
    "usual step of other logs": UsualStep(),
}
"""The rules by name. Steps count from 0, as the labels do."""
