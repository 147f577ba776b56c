"""A bandit of which everything is known: contexts are few, so that the value of a policy is a finite sum.

    difficulty, code ---> arm
           |               |
           +---> reward <--+

A task has a difficulty in {-1.5, -.5, .5, 1.5} and does or does not need code; harder tasks need it more often. The
behaviour policy chooses one of three models by a multinomial logit that is linear in both; the model chosen solves the
task, reward 1, with a probability whose logit is linear in both, with coefficients of each model. Exactly,

    V(pi) = sum over x of P(x) sum over a of pi(a | x) E[r | x, a].

Logs can hide an arm from some contexts (`without_overlap`): no weighting can then say what it is worth there. They
can all but hide it (`with_heavy_tails`): weighting can say it in the long run alone. Rounds can come in groups that
share context and luck.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.special import expit, softmax

from ifonly.scm.policy.logged import Logged

if TYPE_CHECKING:
    from ifonly.scm.draw import Draw
    from ifonly.scm.policy.logged import Floats, Ints

__all__ = ["ARMS", "FEATURES", "Bandit", "known_bandit", "with_heavy_tails", "without_overlap"]

ARMS: Final = ("small", "coder", "large")
"""The models, in the order of all arrays here."""

FEATURES: Final = ("difficulty", "code")
"""The columns of contexts."""


@dataclass(frozen=True, eq=False)
class Bandit:
    """A world of m contexts and K arms, by its tables.

    Attributes:
        contexts: features of each, shape (m, 2).
        chances: P(x), shape (m,).
        behaviour: pi_b(a | x), shape (m, K).
        rewards: E[r | x, a], shape (m, K); rewards are 0 or 1.
        target: a policy that is another than the behaviour, pi(a | x), shape (m, K).
    """

    contexts: Floats
    chances: Floats
    behaviour: Floats
    rewards: Floats
    target: Floats

    def value(self, policy: Floats) -> float:
        """The exact value of a policy.

        Args:
            policy: pi(a | x), shape (m, K).
        """
        return float(self.chances @ (policy * self.rewards).sum(1))

    @cached_property
    def best(self) -> Floats:
        """The policy that takes the best arm in every context, shape (m, K)."""
        policy: Floats = np.eye(self.rewards.shape[1])[self.rewards.argmax(1)]
        return policy

    def log(self, rounds: int, draw: Draw, size: int = 1) -> tuple[Logged, Ints]:
        """Draw a log under the behaviour policy; returns it with the row of each round's context, shape (n,).

        Args:
            rounds: n.
            draw: of contexts, arms and rewards.
            size: of groups of rounds that share their context and the luck of their rewards, and choose arms anew; the
                last may be smaller. The value of a policy is the same, whatever it is.
        """
        place, arm, solved = draw.uniform("log", (rounds, 3)).T
        groups = np.arange(rounds) // size
        place, solved = place[groups * size], solved[groups * size]
        cells = _inverted(np.broadcast_to(self.chances, (rounds, len(self.chances))), place)
        actions = _inverted(self.behaviour[cells], arm)
        rewards = (solved < self.rewards[cells, actions]).astype(float)
        behaviour = self.behaviour[cells]
        taken = behaviour[np.arange(rounds), actions]
        clusters = groups if size > 1 else None
        return Logged(actions, rewards, ARMS, taken, behaviour, self.contexts[cells], clusters), cells


def known_bandit() -> Bandit:
    """Return the world of the module's docstring."""
    contexts = np.array([[difficulty, code] for difficulty in (-1.5, -0.5, 0.5, 1.5) for code in (0.0, 1.0)])
    difficulty, code = contexts.T[:, :, None]
    needs = expit(0.8 * contexts[:, 0])
    chances = 0.25 * np.where(contexts[:, 1] == 1, needs, 1 - needs)
    return Bandit(
        contexts,
        chances,
        softmax([0.5, 0.0, 0.0] + [-0.5, 0.0, 0.5] * difficulty + [-0.4, 0.4, 0.0] * code, axis=1),
        expit([0.3, 0.2, 1.2] + [-1.2, -0.8, -0.5] * difficulty + [-0.8, 0.9, 0.2] * code),
        softmax([0.9, -0.3, 0.0] + [0.5, 0.0, -0.3] * difficulty + [0.3, -0.5, 0.0] * code, axis=1),
    )


def without_overlap(world: Bandit) -> Bandit:
    """Return the world with a behaviour policy that never sends easy tasks to the large model.

    Args:
        world: with three arms.
    """
    behaviour = world.behaviour.copy()
    behaviour[world.contexts[:, 0] < 0, ARMS.index("large")] = 0
    return replace(world, behaviour=behaviour / behaviour.sum(1, keepdims=True))


def with_heavy_tails(world: Bandit, rare: float = 0.002) -> Bandit:
    """Return the world with a behaviour policy that sends hardly any hard task to the arm that the target favours.

    Args:
        world: with three arms.
        rare: the chance of that arm there.
    """
    behaviour = world.behaviour.copy()
    hard = np.flatnonzero(world.contexts[:, 0] > 0)
    favourite = world.target[hard].argmax(1)
    behaviour[hard, favourite] = 0
    behaviour[hard] *= (1 - rare) / behaviour[hard].sum(1, keepdims=True)
    behaviour[hard, favourite] = rare
    return replace(world, behaviour=behaviour)


def _inverted(laws: Floats, uniform: Floats) -> Ints:
    """One draw from each row of probabilities."""
    drawn: Ints = (laws.cumsum(1)[:, :-1] < uniform[:, None]).sum(1)
    return drawn
