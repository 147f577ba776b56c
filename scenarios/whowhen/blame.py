"""What an attributor says of a log, and the Protocol of everything that says it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ifonly.scenarios.whowhen.logs import Labelled, Log

__all__ = ["NOBODY", "Attributor", "Blame", "Learner", "by_probability", "in_order"]


@dataclass(frozen=True, slots=True)
class Blame:
    """Steps from the most to the least suspect.

    Attributes:
        steps: groups of steps, best first. Steps of one group are tied: scores are expectations over a fair draw among
            them, so nothing is sampled. A step in no group was not named, and is never counted as found.
        agents: groups of agents, likewise; None blames the agent who speaks in the step that is blamed.
        probabilities: of every step, summing to one; None if none are given.
    """

    steps: tuple[tuple[int, ...], ...]
    agents: tuple[tuple[str, ...], ...] | None = None
    probabilities: tuple[float, ...] | None = None


T = TypeVar("T")

NOBODY = Blame(())
"""Names no step."""


class Attributor(Protocol):
    """Whatever says at which step a failed log went wrong."""

    def attribute(self, log: Log, /) -> Blame:
        """Say it. The log carries no label."""
        ...


class Learner(Protocol):
    """What becomes an attributor once it has seen labelled logs; it is never shown the question that is scored."""

    def learn(self, logs: Sequence[Labelled], /) -> Attributor:
        """Learn from logs, which may be none."""
        ...


def in_order(steps: Iterable[int]) -> Blame:
    """Blame these steps in this order, and no others."""
    return Blame(tuple((step,) for step in steps))


def by_probability(probabilities: Sequence[float], log: Log) -> Blame:
    """Blame all steps in the order of their probabilities, and agents by the sum over their steps; equal ones tied.

    Raises:
        ValueError: there is not one for each step, or they do not sum to one.
    """
    if len(probabilities) != len(log) or not math.isclose(math.fsum(probabilities), 1.0, abs_tol=1e-6):
        raise ValueError(f"{len(probabilities)} probabilities of {len(log)} steps sum to {math.fsum(probabilities)}")
    agents = dict.fromkeys(log.agents, 0.0)
    for turn, probability in zip(log.turns, probabilities, strict=True):
        agents[turn.agent] += probability
    return Blame(_tied(dict(enumerate(probabilities))), _tied(agents), tuple(probabilities))


def _tied(weights: Mapping[T, float]) -> tuple[tuple[T, ...], ...]:
    """The keys in groups of equal weight, heaviest first."""
    ranked = sorted(weights, key=lambda key: -weights[key])
    return tuple(tuple(group) for _, group in groupby(ranked, key=lambda key: weights[key]))
