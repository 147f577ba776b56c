"""What queries return: weighted answers and twins, and the estimates read off them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import numpy as np
import torch
from torch import Tensor

from ifonly.scm.estimate import Estimate, Rung
from ifonly.scm.intervals import effective_size, weighted_mean

if TYPE_CHECKING:
    from ifonly.scm.runs import Run

__all__ = ["Answer", "Target", "Twin", "Verdict"]

A = TypeVar("A", bound="Answer")
Target = str | Callable[[A], Tensor | float | bool]
"""A site, or a function of an answer, whose mean is wanted."""

Verdict = Literal["settled", "ample", "low"]
"""Whether the particles suffice: nothing is left to chance; they do; they do not (see `handover`)."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A weighted sample from a distribution over worlds.

    Attributes:
        run: the run that the question is about.
        weights: normalised over particles, shape (particles,) or (particles, rows); None where there are no
            particles: then each row, or the single draw, stands for itself.
        rung: rung of the ladder.
        chance: number of noise sites drawn at random.
        unweighed: facts that inform the noise, in a single draw that cannot be weighed by them.
    """

    run: Run
    weights: Tensor | None
    rung: Rung
    chance: int
    unweighed: tuple[str, ...] = ()

    def __getitem__(self, site: str) -> Any:
        """Return the value of a site in the run that the question is about."""
        return self.run[site]

    @cached_property
    def effective(self) -> float:
        """The effective sample size, of the worst row; 1 without particles."""
        if self.weights is None:
            return 1.0
        rows = self.weights.reshape(len(self.weights), -1).T
        return min(effective_size(row.numpy()) for row in rows)

    @property
    def verdict(self) -> Verdict:
        """`settled` if nothing was drawn, `low` under 30 effective particles or a tenth, else `ample`."""
        if self.chance == 0:
            return "settled"
        particles = 1 if self.weights is None else len(self.weights)
        return "low" if self.effective < max(30.0, particles / 10) else "ample"

    @property
    def assumed(self) -> str | None:
        """The noise models that the answer rests on; None on the first two rungs."""
        return None

    def mean(self: A, target: Target[A]) -> Tensor:
        """Return the weighted mean over particles: a scalar, or one number for each row.

        Args:
            target: a site, or a function of this answer.
        """
        values = self._evaluate(target)
        if self.weights is None:
            return values
        # A particle of weight 0 may hold anything, NaN included.
        return torch.where(self.weights > 0, self.weights * values, 0.0).sum(0)

    def estimate(self: A, target: Target[A], level: float = 0.95) -> Estimate:
        """Return the mean with its interval: Monte Carlo error over particles, or sampling error over rows.

        Args:
            target: a site, or a function of this answer.
            level: coverage.

        Raises:
            ValueError: if there is chance in the answer but no two effective draws to judge it by, or facts that a
                single draw cannot be weighed by.
        """
        if self.unweighed:
            raise ValueError(
                f"facts at {list(self.unweighed)} inform noise that was drawn only once: ask for particles"
            )
        rows = self.mean(target).reshape(-1).numpy().astype(float)
        if self.chance == 0 and len(rows) == 1:
            return Estimate.settled(float(rows[0]), self.rung, self.assumed)
        if len(rows) > 1 or self.weights is None:
            value, (low, high) = weighted_mean(rows, np.ones(len(rows)), level)
            effective = float(len(rows))
        else:
            draws = self._evaluate(target).expand(self.weights.shape)
            weights = self.weights.numpy()
            value, (low, high) = weighted_mean(np.where(weights > 0, draws.numpy(), 0.0), weights, level)
            effective = self.effective
        return Estimate(
            value=value,
            low=low,
            high=high,
            level=level,
            effective=effective,
            rung=self.rung,
            identified="point" if self.assumed is None else "assumed",
            noise=self.assumed,
        )

    def _evaluate(self: A, target: Target[A]) -> Tensor:
        values = torch.as_tensor(self[target] if isinstance(target, str) else target(self))
        return values if values.is_floating_point() else values.double()


@dataclass(frozen=True, kw_only=True)
class Twin(Answer):
    """A counterfactual beside its facts, in the same noise. `run` is the counterfactual one.

    Attributes:
        factual: the factual run.
        fresh: sites whose noise the facts say nothing about: new in the changed world, or redrawn.
    """

    factual: Run
    fresh: tuple[str, ...]
    rung: Rung = "counterfactual"

    @property
    def counterfactual(self) -> Run:
        """The counterfactual run."""
        return self.run

    @cached_property
    def changed(self) -> tuple[str, ...]:
        """The sites whose value differs from the factual one, in order; those newly reached count."""
        return tuple(site for site in self.run.sites if self.run.node(site).changed)

    @property
    def assumed(self) -> str | None:
        """The noise models that carried facts over to the changed world, joined by "+"; None without any."""
        shared = [site for site in self.run.sites if site in self.factual and self._carries(site)]
        couplings = {self.factual.equation(site).mechanism.coupling for site in shared} - {None}
        return "+".join(sorted(str(coupling) for coupling in couplings)) or None

    def _carries(self, site: str) -> bool:
        """Return whether a site was computed anew from its old noise."""
        equation = self.run.equation(site)
        moved = equation.intervened or any(parent.changed for parent in equation.parents)
        return moved and equation.noise == self.factual.equation(site).noise
