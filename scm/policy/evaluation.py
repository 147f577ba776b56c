"""A log seen under a target policy: what every estimator needs of the two, computed once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Self

import numpy as np

from ifonly.scm.errors import NotApplicable
from ifonly.scm.policy.logged import Floats, Logged, check_policy

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = ["Evaluation"]


@dataclass(frozen=True, eq=False)
class Evaluation:
    """A log, a target policy, and perhaps a reward model: the input of the estimators. Make it with `of`.

    The arrays below are computed when first asked for, and shared by all estimators.

    Attributes:
        log: the rounds.
        policy: pi(a | x_i), shape (n, K).
        model: q(x_i, a), the expected reward of each action as a model sees it, shape (n, K); None without one.
            `ifonly.scm.policy.nuisance.fit_rewards` fits one.
    """

    log: Logged
    policy: Floats
    model: Floats | None = None

    @classmethod
    def of(cls, log: Logged, policy: ArrayLike, model: ArrayLike | None = None) -> Self:
        """Return the evaluation of a policy on a log, with all shapes checked.

        Args:
            log: the rounds.
            policy: shape (n, K), or (K,) for a policy that looks at nothing.
            model: shape (n, K), or (K,) for one that looks at the action alone.

        Raises:
            NotApplicable: if a shape is another, a row of the policy is no distribution, or the model is not finite.
        """
        shape = len(log), len(log.arms)
        checked = check_policy(policy, *shape)
        if model is None:
            return cls(log, checked)
        rewards = np.asarray(model, dtype=float)
        if rewards.shape == shape[1:]:
            rewards = np.broadcast_to(rewards, shape)
        if rewards.shape != shape:
            raise NotApplicable(
                f"a reward model of {shape[0]} rounds and {shape[1]} arms has that shape, not {rewards.shape}"
            )
        evaluation = cls(log, checked, rewards)
        # A sum that is finite has finite terms wherever the policy goes, and costs no pass of its own.
        if not (np.isfinite(evaluation.expected).all() and np.isfinite(evaluation.predicted).all()):
            raise NotApplicable("the reward model must be finite wherever the policy or the log goes")
        return evaluation

    @cached_property
    def weights(self) -> Floats:
        """Importance weights w_i = pi(a_i | x_i) / pi_b(a_i | x_i), shape (n,).

        Raises:
            NotApplicable: if the log has no propensities.
        """
        chances = self.log.chances
        return self._taken(self.policy) / chances

    @cached_property
    def mean_weight(self) -> float:
        """The mean importance weight, which has expectation 1 where the log covers the policy.

        Raises:
            NotApplicable: if the log has no propensities.
        """
        return float(self.weights.mean())

    def check_overlap(self) -> None:
        """See that weighting has something to go by: else its sums are 0 with an error of 0, which is no estimate.

        Raises:
            NotApplicable: if the log has no propensities, or no logged action has a chance under the policy.
        """
        if self.mean_weight <= 0:
            raise NotApplicable(
                "no logged action has a chance under the policy: its value cannot be estimated by weighting, only "
                "bounded (ifonly.scm.policy.bounds), or taken from a reward model (dm)"
            )

    @cached_property
    def weighted(self) -> Floats:
        """Weighted rewards w_i r_i, shape (n,)."""
        return self.weights * self.log.rewards

    @cached_property
    def expected(self) -> Floats:
        """What the model expects of the policy: sum over a of pi(a | x_i) q(x_i, a), shape (n,).

        Raises:
            NotApplicable: if there is no reward model.
        """
        expected: Floats = np.einsum("nk,nk->n", self.policy, self._model)
        return expected

    @cached_property
    def predicted(self) -> Floats:
        """What the model expects of the action taken: q(x_i, a_i), shape (n,).

        Raises:
            NotApplicable: if there is no reward model.
        """
        return self._taken(self._model)

    @cached_property
    def residual(self) -> Floats:
        """What the model did not foresee: r_i - q(x_i, a_i), shape (n,)."""
        return self.log.rewards - self.predicted

    @property
    def _model(self) -> Floats:
        if self.model is None:
            raise NotApplicable(
                "this estimator needs a reward model: the expected reward of every action in every round. Give it as "
                "an array of shape (n, K), or fit one from the contexts (ifonly.scm.policy.nuisance.fit_rewards)"
            )
        return self.model

    def _taken(self, table: Floats) -> Floats:
        """The entry of the action taken, of a table of shape (n, K)."""
        if table.strides[0] == 0:  # the same row in every round
            row: Floats = table[0]
            return row.take(self.log.actions)
        taken: Floats = table[np.arange(len(table)), self.log.actions]
        return taken
