"""Runs of several choices: the log as arrays, seen under a target policy.

At step t of run i a state s_it was seen, an action a_it taken with propensity p_it, and a reward r_it seen. The value
of a policy is V(pi) = E[sum over t of discount^t R_t] had pi chosen at every step. A run that has ended keeps its
weight and earns nothing. All need sequential ignorability: what moved a choice and what came later is in the state, or
in the propensity. `ifonly.scm.policy.sequence_weighting` has the estimators that weigh alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Self

import numpy as np

from ifonly.scm.errors import NotApplicable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from ifonly.scm.policy.logged import Floats, Ints

__all__ = ["SequenceEvaluation", "Sequences"]

_ROUNDING = 1e-6


@dataclass(frozen=True, eq=False)
class Sequences:
    """Runs of at most T steps, padded at the end. `of_runs` makes them from runs of several lengths.

    Attributes:
        actions: index of the action taken, shape (n, T), in 0..K-1; anything such where a run has ended.
        rewards: what came of it, shape (n, T); 0 where a run has ended.
        propensities: pi_b(a_it | s_it) of the action taken, shape (n, T), in (0, 1]; 1 where a run has ended.
        arms: names of the K actions.
        lengths: number of steps of each run, shape (n,), in 1..T.
        states: features of what was seen before each choice, shape (n, T, d); d may be 0.
        clusters: group of each run (for instance its task), shape (n,), numbered from 0; None: each is its own.

    Raises:
        NotApplicable: if shapes differ, a number is not finite, an index has no arm, a propensity lies outside (0, 1],
            or a run earns after its end.
    """

    actions: Ints
    rewards: Floats
    propensities: Floats
    arms: tuple[str, ...]
    lengths: Ints
    states: Floats
    clusters: Ints | None = None

    def __post_init__(self) -> None:
        """Check what the types do not say."""
        shape = self.rewards.shape
        if self.rewards.ndim != 2 or 0 in shape:  # noqa: PLR2004 -- runs and steps
            raise NotApplicable(f"rewards have shape {shape}: need (runs, steps), at least one of each")
        for name, got, want in (
            ("actions", self.actions.shape, shape),
            ("propensities", self.propensities.shape, shape),
            ("lengths", self.lengths.shape, shape[:1]),
            ("states", self.states.shape[:2], shape),
            ("clusters", shape[:1] if self.clusters is None else self.clusters.shape, shape[:1]),
        ):
            if got != want:
                raise NotApplicable(f"{name} have shape {got}, but rewards of shape {shape} want {want}")
        if not ((self.lengths >= 1) & (self.lengths <= shape[1])).all():
            raise NotApplicable(f"each run has between 1 and {shape[1]} steps, got lengths {np.unique(self.lengths)}")
        if not (np.isfinite(self.rewards).all() and np.isfinite(self.states).all()):
            raise NotApplicable("rewards and states must be finite")
        if not ((self.actions >= 0) & (self.actions < len(self.arms))).all():
            raise NotApplicable(f"actions must be indices of the {len(self.arms)} arms {list(self.arms)}")
        inside = (self.propensities > 0) & (self.propensities <= 1 + _ROUNDING)
        if not inside.all():
            run, step = np.argwhere(~inside)[0].tolist()
            raise NotApplicable(
                f"an action that was taken had a chance: propensity {self.propensities[run, step]:g} at step {step} of "
                f"run {run} is not in (0, 1]"
            )
        if self.rewards[~self.mask].any():
            raise NotApplicable("a run that has ended earns nothing: set the rewards after its last step to 0")

    def __len__(self) -> int:
        """How many runs there are."""
        return len(self.rewards)

    @property
    def steps(self) -> int:
        """T, the most steps of a run."""
        return int(self.rewards.shape[1])

    @cached_property
    def mask(self) -> NDArray[np.bool_]:
        """Whether a run still goes on, shape (n, T)."""
        running: NDArray[np.bool_] = np.arange(self.steps) < self.lengths[:, None]
        return running

    @classmethod
    def of_runs(
        cls,
        actions: Sequence[ArrayLike],
        rewards: Sequence[ArrayLike],
        propensities: Sequence[ArrayLike],
        arms: tuple[str, ...],
        states: Sequence[ArrayLike] | None = None,
        clusters: Ints | None = None,
    ) -> Self:
        """Pad runs of several lengths.

        Args:
            actions: of each run, shape (steps of the run,).
            rewards: of each run, the same shape.
            propensities: of each run, the same shape.
            arms: names of the actions.
            states: of each run, shape (steps of the run, d); None where nothing was seen.
            clusters: group of each run.

        Raises:
            NotApplicable: if a run has no step, or its parts differ in length.
        """
        lengths = np.array([len(np.atleast_1d(row)) for row in rewards], dtype=np.intp)
        seen = [np.zeros((n, 0)) for n in lengths] if states is None else [np.asarray(s, float) for s in states]
        for name, rows in (("actions", actions), ("propensities", propensities), ("states", seen)):
            if [len(np.atleast_1d(row)) for row in rows] != lengths.tolist():
                raise NotApplicable(f"{name} and rewards must have the same number of steps in every run")
        if not len(lengths) or not lengths.all():
            raise NotApplicable("need at least one run, and at least one step in each")
        shape = len(lengths), int(lengths.max())
        made = np.zeros(shape, np.intp), np.zeros(shape), np.ones(shape), np.zeros((*shape, seen[0].shape[1]))
        for i, n in enumerate(lengths):
            for padded, rows in zip(made, (actions, rewards, propensities, seen), strict=True):
                padded[i, :n] = rows[i]
        return cls(*made[:3], arms, lengths, made[3], clusters)


@dataclass(frozen=True, eq=False)
class SequenceEvaluation:
    """A log of runs, a target policy, and perhaps a model of what is to come: the input of the estimators.

    Attributes:
        log: the runs.
        policy: pi(a | s_it), shape (n, T, K), rows summing to 1; also where a run has ended.
        discount: of each step over the one before, in (0, 1].
        model: q_t(s_it, a), the expected discounted reward from step t on if pi follows, shape (n, T, K); None without
            one. `ifonly.scm.policy.fitted_q.fit_q` fits one.

    Raises:
        NotApplicable: if a shape is another, a row is no distribution, the discount lies outside (0, 1], or the model
            is not finite.
    """

    log: Sequences
    policy: Floats
    discount: float = 1.0
    model: Floats | None = None

    def __post_init__(self) -> None:
        """Check what the types do not say."""
        want = (*self.log.rewards.shape, len(self.log.arms))
        for name, array in (("policy", self.policy), ("model", self.model)):
            if array is not None and array.shape != want:
                raise NotApplicable(f"the {name} has shape {array.shape}: these runs, steps and arms want {want}")
        if not ((self.policy >= 0).all() and np.allclose(self.policy.sum(-1), 1.0, atol=_ROUNDING)):
            raise NotApplicable("each row of a policy must be a distribution over the arms: at least 0, summing to 1")
        if self.model is not None and not np.isfinite(self.model).all():
            raise NotApplicable("the model must be finite")
        if not 0 < self.discount <= 1:
            raise NotApplicable(f"a discount lies in (0, 1], not {self.discount}")

    @classmethod
    def of(cls, log: Sequences, policy: ArrayLike, discount: float = 1.0, model: Floats | None = None) -> Self:
        """Return the evaluation of a policy that may look at the step alone, or at nothing.

        Args:
            log: the runs.
            policy: shape (n, T, K), (T, K) or (K,).
            discount: of each step over the one before.
            model: shape (n, T, K).
        """
        want = (*log.rewards.shape, len(log.arms))
        array = np.asarray(policy, dtype=float)
        if array.shape not in {want, want[1:], want[2:]}:
            raise NotApplicable(f"a policy for runs, steps and arms {want} has no shape {array.shape}")
        return cls(log, np.broadcast_to(array, want), discount, model)

    @cached_property
    def ratios(self) -> Floats:
        """rho_it = pi(a_it | s_it) / p_it, shape (n, T); 1 where a run has ended."""
        ratios: Floats = np.where(self.log.mask, self.taken(self.policy) / self.log.propensities, 1.0)
        return ratios

    @cached_property
    def weights(self) -> Floats:
        """W_it, the product of the ratios up to step t, shape (n, T)."""
        return np.asarray(np.cumprod(self.ratios, axis=1), dtype=np.float64)

    @cached_property
    def discounts(self) -> Floats:
        """discount^t, shape (T,)."""
        return np.asarray(self.discount ** np.arange(self.log.steps), dtype=np.float64)

    @property
    def matching(self) -> int:
        """How many runs took, at every step, an action that the policy might have taken."""
        return int((self.weights[:, -1] > 0).sum())

    def check_overlap(self) -> None:
        """See that weighting has something to go by: else its sums are 0 with an error of 0, which is no estimate.

        Choices count up to the last step that earned anything in any run.

        Raises:
            NotApplicable: if no run took, up to there, what the policy might have taken.
        """
        earning = np.flatnonzero(self.log.rewards.any(0))
        upto = int(earning[-1]) + 1 if len(earning) else 1
        lost = np.flatnonzero(~(self.weights[:, :upto] > 0).any(0))
        if len(lost):
            raise NotApplicable(
                f"no logged run took, up to step {lost[0]}, what the policy might have taken: weighting has nothing to "
                "go by. Use a model (ifonly.scm.policy.fitted_q) or abduction (ifonly.scm.policy.replayed)"
            )

    def taken(self, table: Floats) -> Floats:
        """The entries of the actions taken, of a table of shape (n, T, K): shape (n, T)."""
        entries: Floats = np.take_along_axis(table, self.log.actions[..., None], -1)[..., 0]
        return entries
