"""The dispatcher: tickets of known kind and difficulty go to one of three models, the hard ones to the strong one.

    kind, difficulty (context) ---> model (action) ---> solved (reward)
            |                                             ^
            +---------------------------------------------+

A ticket has one of two kinds and one of six difficulties, twelve contexts x in all, each of known share P(x). The
logging policy draws the model by pi_b(a | x); the ticket is solved with probability m(x, a).

Truth: V(pi) = sum over x of P(x) sum over a of pi(a | x) m(x, a), by enumeration over the twelve contexts.
Naive: the mean reward of a model's own tickets, sum over x of P(x | a) m(x, a). The strong model is the best in every
context and looks the worst, since it was given the hard tickets.

Three things that may go wrong, each as a field: arms that were never tried (`untried`), rewards with a heavy tail
(`tail`), and rounds that are not independent (several of one ticket, as `log` may be asked for).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np

from ifonly.scm.policy.logged import Floats, Ints, Logged

if TYPE_CHECKING:
    from ifonly.scm.draw import Draw

__all__ = ["ARMS", "CONTEXTS", "Dispatcher", "Ticketed"]

ARMS: Final = ("weak", "middle", "strong")
"""The three models, in the order of all arrays here."""

_KINDS: Final = 2
_LEVELS: Final = 6

CONTEXTS: Final = _KINDS * _LEVELS
"""How many contexts there are: kind k and difficulty d make context 6 k + d."""

_CHANCE: Final = 0.3
"""How often the dispatcher picks a model by lot."""


@dataclass(frozen=True, eq=False)
class Ticketed:
    """A log of the dispatcher.

    Attributes:
        log: the rounds: propensities are known, and the context stands as kind, difficulty and one column a context.
        contexts: of each round, shape (n,), in 0..11.
    """

    log: Logged
    contexts: Ints


@dataclass(frozen=True, eq=False)
class Dispatcher:
    """The world.

    Attributes:
        tail: index alpha > 1 of a Pareto factor of mean 1 on each reward: at or below 2 its variance is infinite; None
            for rewards of 0 and 1.
        untried: whether the strong model was never tried at the two greatest difficulties.
    """

    tail: float | None = None
    untried: bool = False

    @cached_property
    def shares(self) -> Floats:
        """P(x), shape (12,)."""
        weights = np.array([5.0, 4.0, 4.0, 3.0, 2.0, 2.0, 1.0, 2.0, 3.0, 4.0, 4.0, 5.0])
        shares: Floats = weights / weights.sum()
        return shares

    @cached_property
    def means(self) -> Floats:
        """m(x, a), shape (12, 3)."""
        kind, level = np.divmod(np.arange(CONTEXTS), _LEVELS)
        logits = 1.8 - 0.9 * level[:, None] + 0.5 * kind[:, None] + np.array([0.0, 0.4, 0.8])
        means: Floats = 1 / (1 + np.exp(-logits))
        return means

    @cached_property
    def logging(self) -> Floats:
        """pi_b(a | x), shape (12, 3)."""
        level = np.arange(CONTEXTS) % _LEVELS
        likes = np.exp(0.7 * (level[:, None] - 2.5) * np.arange(len(ARMS)))
        chances = _CHANCE / len(ARMS) + (1 - _CHANCE) * likes / likes.sum(1, keepdims=True)
        if self.untried:
            chances[level >= _LEVELS - 2, -1] = 0.0
        logging: Floats = chances / chances.sum(1, keepdims=True)
        return logging

    def value(self, policy: Floats) -> float:
        """V(pi), exactly.

        Args:
            policy: pi(a | x), shape (12, 3).
        """
        return float(self.shares @ (policy * self.means).sum(1))

    def looks(self) -> Floats:
        """What the mean reward of each model's own tickets tends to, shape (3,)."""
        joint = self.shares[:, None] * self.logging
        looks: Floats = (joint * self.means).sum(0) / joint.sum(0)
        return looks

    def log(self, rounds: int, draw: Draw, together: int = 1) -> Ticketed:
        """Draw a log.

        Args:
            rounds: n, a multiple of `together`.
            draw: of contexts, actions and rewards, keyed by "bandit/context", "bandit/action", "bandit/reward" and
                "bandit/tail".
            together: rounds of one ticket: they share its context, and are one cluster.
        """
        tickets = draw.uniform("bandit/context", (rounds // together,))
        contexts = np.repeat(_picked(self.shares[None], tickets), together)
        actions = _picked(self.logging[contexts], draw.uniform("bandit/action", (rounds,)))
        means = self.means[contexts, actions]
        if self.tail is None:
            rewards = (draw.uniform("bandit/reward", (rounds,)) < means).astype(float)
        else:
            scale = (self.tail - 1) / self.tail
            rewards = means * scale * draw.uniform("bandit/tail", (rounds,)) ** (-1 / self.tail)
        kind, level = np.divmod(contexts, _LEVELS)
        log = Logged(
            actions,
            rewards,
            ARMS,
            propensities=self.logging[contexts, actions],
            behaviour=self.logging[contexts],
            contexts=np.column_stack([kind, level, np.eye(CONTEXTS)[contexts]]).astype(float),
            clusters=None if together == 1 else np.repeat(np.arange(rounds // together), together),
        )
        return Ticketed(log, contexts)

    def misread(self, ticketed: Ticketed) -> Logged:
        """The log with wrong propensities: as if models had been picked by lot."""
        return replace(ticketed.log, propensities=np.full(len(ticketed.log), 1 / len(ARMS)), behaviour=None)


def _picked(chances: Floats, uniform: Floats) -> Ints:
    """The option of each row at which its distribution function passes the uniform."""
    found: Ints = (chances.cumsum(1)[:, :-1] <= uniform[:, None]).sum(1)
    return found
