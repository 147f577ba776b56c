"""The log of a policy, as arrays: what was seen, what was done, with what probability, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ifonly.scm.errors import NotApplicable

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = ["Floats", "Ints", "Logged", "check_policy", "group_numbers"]

Floats = NDArray[np.float64]
"""An array of float64."""

Ints = NDArray[np.intp]
"""An array of indices."""

_ROUNDING = 1e-6


@dataclass(frozen=True, eq=False)
class Logged:
    """Rounds in which one action each was taken: a log of bandit feedback.

    Attributes:
        actions: index of the action taken, shape (n,), in 0..K-1.
        rewards: what came of it, shape (n,), finite.
        arms: names of the K actions.
        propensities: pi_b(a_i | x_i) of the action taken, shape (n,), in (0, 1]; None where the log does not say.
        behaviour: pi_b(a | x_i) of every action, shape (n, K); None where it is not known.
        contexts: features of each round, shape (n, d); d may be 0.
        clusters: group of each round (for instance its task), shape (n,), numbered from 0: rounds of one group are
            dependent. None: every round is its own.
        times: when each round was, shape (n,), in any unit; None where that is not known.

    Raises:
        NotApplicable: if lengths differ, an index has no arm, a number is not finite, or a propensity lies outside
            (0, 1].
    """

    actions: Ints
    rewards: Floats
    arms: tuple[str, ...]
    propensities: Floats | None = None
    behaviour: Floats | None = None
    contexts: Floats | None = None
    clusters: Ints | None = None
    times: Floats | None = None

    def __post_init__(self) -> None:
        """Check what the types do not say."""
        n, k = len(self.rewards), len(self.arms)
        for name, want in {
            "actions": (n,),
            "propensities": (n,),
            "behaviour": (n, k),
            "clusters": (n,),
            "times": (n,),
        }.items():
            value = getattr(self, name)
            if value is not None and value.shape != want:
                raise NotApplicable(f"{name} have shape {value.shape}, but {n} rewards and {k} arms want {want}")
        if self.contexts is not None and (self.contexts.ndim, len(self.contexts)) != (2, n):
            raise NotApplicable(f"contexts have shape {self.contexts.shape}: one row for each of {n} rounds is needed")
        if n == 0 or not np.isfinite(self.rewards).all():
            raise NotApplicable(f"need at least one round and finite rewards, got {n} rounds")
        if not ((self.actions >= 0) & (self.actions < k)).all():
            raise NotApplicable(f"actions must be indices of the {k} arms {list(self.arms)}")
        for given in (self.propensities, self.behaviour):
            if given is not None and not ((given >= 0) & (given <= 1 + _ROUNDING)).all():
                raise NotApplicable("propensities must be probabilities: finite, and in [0, 1]")
        if self.propensities is not None and not (self.propensities > 0).all():
            rows = np.flatnonzero(self.propensities <= 0)[:5].tolist()
            raise NotApplicable(f"an action that was taken had a chance: propensities of 0 in rounds {rows}")

    def __len__(self) -> int:
        """How many rounds there are."""
        return len(self.rewards)

    def take(self, rows: Ints) -> Logged:
        """The log of these rounds alone.

        Args:
            rows: indices, shape (m,).
        """

        def part(array: NDArray[Any] | None) -> Any:
            return None if array is None else array[rows]

        return Logged(
            self.actions[rows],
            self.rewards[rows],
            self.arms,
            part(self.propensities),
            part(self.behaviour),
            part(self.contexts),
            part(self.clusters),
            part(self.times),
        )

    @cached_property
    def chances(self) -> Floats:
        """pi_b(a_i | x_i) of the action taken, shape (n,).

        Raises:
            NotApplicable: if neither propensities nor the behaviour policy are known, or the latter excludes what was
                done.
        """
        if self.propensities is not None:
            return self.propensities
        if self.behaviour is None:
            raise NotApplicable(
                "the log has no propensities: the probability with which each logged action was taken. Log them, "
                "declare them, or fit them from the contexts (ifonly.scm.policy.nuisance.fit_propensities)"
            )
        chances: Floats = self.behaviour[np.arange(len(self)), self.actions]
        if not (chances > 0).all():
            rows = np.flatnonzero(chances <= 0)[:5].tolist()
            raise NotApplicable(
                f"an action that was taken had a chance: the behaviour policy gives it 0 in rounds {rows}"
            )
        return chances


def group_numbers(clusters: Ints | None, rounds: int) -> Ints:
    """Return the group of each round, numbered from 0 without gaps: its cluster, or the round itself.

    Args:
        clusters: shape (rounds,), or None: every round is its own.
        rounds: how many there are.
    """
    if clusters is None:
        return np.arange(rounds)
    numbers: Ints = np.unique(clusters, return_inverse=True)[1].astype(np.intp)
    return numbers


def check_policy(policy: ArrayLike, rounds: int, arms: int) -> Floats:
    """Return a target policy as an array of shape (rounds, arms).

    Args:
        policy: pi(a | x_i), shape (rounds, arms), or (arms,) for one that looks at nothing.
        rounds: n.
        arms: K.

    Raises:
        NotApplicable: if the shape is another, or a row is no distribution.
    """
    array = np.asarray(policy, dtype=float)
    if array.shape not in {(arms,), (rounds, arms)}:
        raise NotApplicable(f"a policy for {rounds} rounds and {arms} arms has that shape, not {array.shape}")
    # A product with ones: numpy sums short rows ten times as slowly. What is no number fails both comparisons.
    if not (array.min() >= 0 and np.abs(array @ np.ones(arms) - 1.0).max() <= _ROUNDING):
        raise NotApplicable("each row of a policy must be a distribution over the arms: at least 0, and summing to 1")
    return np.broadcast_to(array, (rounds, arms))
