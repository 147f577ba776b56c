"""Laws of choices where no log-probabilities were logged: counted over many runs, with how faults fall.

Of each choice in the logs it is known under which model it was made, whether its law read something of the worst class,
and which kind of option was taken. Two logistic regressions tell P(worst) and P(best | not worst),

    logit P = model + harm + step + harm at that step

where harm says that something read is of its step's worst class; terms of steps are pulled to 0 (a normal prior of
deviation `SPREAD`: partial pooling). A fault takes the worst option, so that P(worst) = eps + (1 - eps) logistic(...).
eps is told apart from the laws by the additive form alone, hence badly: it is averaged over its posterior on a grid
(Laplace's approximation, the marginal likelihood of eps by its best fit), and options of one kind share alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

from ifonly.scm.contamination import Contamination

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ifonly.scenarios.credit.automaton import Parents
    from ifonly.scenarios.credit.structure import Digest
    from ifonly.scm.gumbel import Floats

__all__ = ["Counted", "CountedLaws", "count"]

SPREAD = 0.5
"""Standard deviation, in logits, of what is particular to a step."""

_WIDE = 3.0
_GRID = 25


@dataclass(frozen=True, eq=False)
class Counted:
    """Fitted laws over kinds of options.

    Attributes:
        models: names, in the order of the table.
        kinds: P(best, between, worst) by step, model and harm, shape (steps, models, 2, 3), without faults.
        contamination: how faults fall.
    """

    models: tuple[str, ...]
    kinds: Floats
    contamination: Contamination


@dataclass(frozen=True, eq=False)
class CountedLaws:
    """The laws of one run by kinds of options alone.

    Attributes:
        one: the run.
        counted: what was fitted.
        reads: of each step, the earlier steps whose classes its law reads.
    """

    one: Digest
    counted: Counted
    reads: Parents

    @property
    def own(self) -> Floats:
        """Of the logged contexts, shape (steps, options)."""
        return np.stack([self.law(step.k, step.model, 0) for step in self.one.run.steps])

    @property
    def asked(self) -> int:
        """None: nothing is asked."""
        return 0

    def law(self, k: int, model: str, state: int) -> Floats:
        """Return log-probabilities of the options of a step, in menu order.

        Args:
            k: the step.
            model: that chooses.
            state: before the step.
        """
        harm = _harmed(self.one, self.reads, k, state)
        kinds = np.array(self.one.kinds[k])
        share = self.counted.kinds[k, self.counted.models.index(model), harm] / np.maximum(
            np.bincount(kinds, minlength=3), 1
        )
        law: Floats = np.log(share[kinds] / share[kinds].sum())
        return law


def count(digests: Sequence[Digest], reads: Parents) -> Counted:
    """Fit laws and faults to the kinds of options that were taken.

    Args:
        digests: of the logged runs; their log-probabilities are not read.
        reads: of each step, the earlier steps whose classes its law reads.
    """
    models = tuple(sorted({step.model for one in digests for step in one.run.steps}))
    table = np.zeros((len(reads), len(models), 2, 3))
    for one in digests:
        for step in one.run.steps:
            kind = one.kinds[step.k][one.taken[step.k]]
            table[step.k, models.index(step.model), _harmed(one, reads, step.k, 0), kind] += 1
    worst, rest = table[..., 2], table[..., :2].sum(-1)
    most = min(0.3, float(worst.sum() / table.sum()))
    grid = np.linspace(0, most, _GRID)
    fits = [_logistic(worst, rest, eps) for eps in grid]
    weights = np.exp([fit[0] - max(fit[0] for fit in fits) for fit in fits])
    weights /= weights.sum()
    eps = float(weights @ grid)
    # Steps that have both kinds tell how they divide; what they would give the others is theirs to share as one kind.
    both = np.array([{0, 1} <= set(kinds) for kinds in digests[0].kinds])[:, None, None]
    best, between = table[..., 0] * both, table[..., 1] * both
    p_worst, p_best = _logistic(worst, rest, eps)[1], _logistic(best, between, 0.0)[1]
    kinds = np.stack([(1 - p_worst) * p_best, (1 - p_worst) * (1 - p_best), p_worst], -1)
    return Counted(models, kinds, Contamination("independent", eps, (0.0, 0.0, 1.0)))


def _harmed(one: Digest, reads: Parents, k: int, state: int) -> int:
    """Whether something that a law reads is of its step's worst class."""
    ranks = one.automaton.class_ranks
    return int(
        any(ranks[j][c] == max(ranks[j]) > 0 for j, c in zip(reads[k], one.automaton.read[k][state], strict=True))
    )


def _logistic(hits: Floats, misses: Floats, eps: float) -> tuple[float, Floats]:
    """Maximum a posteriori: (log posterior, probabilities) by step, model and harm; eps adds hits that ignore both."""
    design, penalty = _design(hits.shape)
    n, m = hits.ravel(), misses.ravel()

    def loss(theta: Floats) -> tuple[float, Floats]:
        own = np.clip(expit(design @ theta), 1e-9, 1 - 1e-9)
        p = eps + (1 - eps) * own
        slope = (n / p - m / (1 - p)) * (1 - eps) * own * (1 - own)
        value = n @ np.log(p) + m @ np.log1p(-p) - (penalty * theta**2).sum() / 2
        return -float(value), -(design.T @ slope - penalty * theta)

    found = minimize(loss, np.zeros(design.shape[1]), jac=True, method="L-BFGS-B")
    own: Floats = expit(design @ found.x).reshape(hits.shape)
    return -float(found.fun), own


def _design(shape: tuple[int, ...]) -> tuple[Floats, Floats]:
    """Columns for each model, harm, each step, and harm at each step; and the precision of each one's prior."""
    step, model, harm = (axis.ravel() for axis in np.indices(shape))
    columns = [*(model == m for m in range(shape[1])), harm]
    columns += [step == k for k in range(shape[0])] + [(step == k) & (harm == 1) for k in range(shape[0])]
    design: NDArray[np.float64] = np.stack(columns, -1).astype(float)
    spread = np.r_[np.full(shape[1] + 1, _WIDE), np.full(2 * shape[0], SPREAD)]
    return design, spread**-2
