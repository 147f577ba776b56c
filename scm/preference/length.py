"""The length-controlled win rate: P(model preferred to baseline | do(both answers equally long)).

Dubois, Galambosi, Liang and Hashimoto 2024, "Length-controlled AlpacaEval: a simple way to debias automatic
evaluators", arXiv 2404.04475, sec. 3. For a model m against a baseline on instruction x,

    log-odds of preferring m = theta_m + phi_m tanh((len_m(x) - len_0(x)) / sd) + psi_m gamma_x

where sd is that of the model's length differences and gamma_x is the difficulty of the instruction, fitted once over
all models. The win rate under do() leaves the middle term out and averages over instructions. Regularisation: an L1
penalty chosen by five-fold cross-validation, and *anchors*, the baseline's own answers when it is told to be short or
long, which have no theta and count a tenth each: they hold phi against answers that game it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy import sparse
from scipy.optimize import root
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from ifonly.scm.errors import NotApplicable, NotIdentified
from ifonly.scm.preference.logistic import Fit, cross_validated, fit_logistic

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike

    from ifonly.scm.policy.logged import Floats, Ints
    from ifonly.scm.policy.value import Value

__all__ = [
    "Anchor",
    "LengthControlled",
    "anchor_of",
    "instruction_difficulty",
    "length_controlled",
    "length_term",
]

_PENALTIES: Final = tuple(1 / np.logspace(-4, 4, 10))
"""scikit-learn's grid, which they search."""
_ANCHORED: Final = 0.2
"""What all anchors of an instruction weigh together."""
_STRENGTH: Final = 2.783
"""C of the joint fit: of scikit-learn's grid the one that cross-validation takes on the public annotations."""


@dataclass(frozen=True, eq=False)
class Anchor:
    """Comparisons of the baseline, told to be short or long, against itself.

    Attributes:
        term: its length terms, shape (n,).
        difficulty: of the instructions, shape (n,).
        liked: preferences, or what is expected of them, shape (n,).
    """

    term: Floats
    difficulty: Floats
    liked: Floats


@dataclass(frozen=True, eq=False)
class LengthControlled:
    """A model's fitted preferences.

    Attributes:
        fit: with the columns "longer", "difficulty" and "model".
        penalty: the one that cross-validation took.
    """

    fit: Fit
    penalty: float

    @property
    def rate(self) -> Value:
        """P(model preferred | do(length difference = 0)), over the instructions."""
        return self.under(0.0)

    def under(self, term: ArrayLike) -> Value:
        """P(model preferred | do(length term)).

        Args:
            term: `length_term` as it is put, one for all or for each instruction.
        """
        return self.fit.mean({"longer": term})

    def gap_error(self, total: int) -> float:
        """Standard error of the rate less the one that all `total` instructions would give, n of which were sampled.

        sd(influence) sqrt((1 - n / total) / n), sampling without replacement (Cochran 1977, sec. 2.6).

        Args:
            total: how many instructions there are, n or more.
        """
        influence = self.rate.influence
        n = len(influence)
        return float(influence.std(ddof=1) * np.sqrt(max(1 - n / total, 0.0) / n))


def length_term(own: ArrayLike, other: ArrayLike) -> Floats:
    """Return tanh((own - other) / sd of the differences): above 0 where the model's answer is the longer one.

    Args:
        own: lengths of the model's answers, shape (n,), in characters.
        other: lengths of the baseline's.

    Raises:
        NotIdentified: if all differences are equal, from which no effect of length can be told.
    """
    gap = np.asarray(own, dtype=float) - np.asarray(other, dtype=float)
    sd = float(gap.std(ddof=1)) if len(gap) > 1 else 0.0
    if sd == 0:
        raise NotIdentified(
            "all answers are as much longer than the baseline's: style is constant, and its effect cannot be told. "
            "Add comparisons in which lengths differ, or report the raw win rate."
        )
    term: Floats = np.tanh(gap / sd)
    return term


def instruction_difficulty(
    models: Ints, instructions: Ints, term: Floats, liked: Floats, strength: float = _STRENGTH
) -> Floats:
    """Return gamma_x of each instruction, from one regression over all models; larger: the baseline loses more often.

    Columns: each model, each model times its length term, each instruction; L1 penalty 1 / strength. All models but
    the one at hand may serve, since gamma enters the regression of one model as a column (sec. 3.2).

    Args:
        models: number of the model of each row, from 0, shape (n,).
        instructions: number of the instruction, from 0.
        term: `length_term` of the row.
        liked: preference for the model, in [0, 1].
        strength: C of scikit-learn.

    Raises:
        NotApplicable: there is one model only, whose preferences difficulty would merely repeat.
    """
    m, i, n = int(models.max()) + 1, int(instructions.max()) + 1, len(liked)
    if m == 1:
        raise NotApplicable("difficulty is told from several models on the same instructions: give at least two")
    row = np.tile(np.arange(n), 3)
    column = np.concatenate([models, m + models, 2 * m + instructions])
    design = sparse.csr_matrix((np.concatenate([np.ones(n), term, np.ones(n)]), (row, column)), (n, 2 * m + i))
    fitted = LogisticRegression(C=strength, l1_ratio=1, solver="liblinear", fit_intercept=False, random_state=0)
    twice = sparse.vstack([design, design]).tocsr()
    fitted.fit(twice, np.repeat([1, 0], n), sample_weight=np.concatenate([liked, 1 - liked]))
    difficulty: Floats = fitted.coef_[0][2 * m :]
    return difficulty


def length_controlled(
    term: Floats, difficulty: Floats, liked: Floats, anchors: Sequence[Anchor] = ()
) -> LengthControlled:
    """Fit one model's preferences.

    Args:
        term: `length_term` of each instruction, shape (n,).
        difficulty: of each.
        liked: preference for the model, in [0, 1].
        anchors: of the baseline.
    """
    columns = {
        "longer": np.concatenate([term, *(one.term for one in anchors)]),
        "difficulty": np.concatenate([difficulty, *(one.difficulty for one in anchors)]),
        "model": np.concatenate([np.ones(len(term)), *(np.zeros(len(one.term)) for one in anchors)]),
    }
    y = np.concatenate([liked, *(one.liked for one in anchors)])
    weights = np.where(columns["model"] == 1, 1.0, _ANCHORED / max(len(anchors), 1))
    penalty = cross_validated(columns, y, _PENALTIES, weights=weights)
    return LengthControlled(fit_logistic(columns, y, weights=weights, penalty=penalty, sampled=len(term)), penalty)


def anchor_of(term: Floats, difficulty: Floats, rate: float, controlled: float) -> Anchor:
    """Return what is expected of an anchor of which only two win rates are known, the raw and the controlled one.

    Solves mean expit(theta + phi term + difficulty) = rate and mean expit(theta + difficulty) = controlled for theta
    and phi, and puts each preference at what they expect: enough for a regression, whose scores are linear in it.

    Args:
        term: its length terms, shape (n,).
        difficulty: of the instructions.
        rate: the raw win rate, in (0, 1).
        controlled: the length-controlled one, in (0, 1).

    Raises:
        NotIdentified: no theta and phi give these rates.
    """

    def missed(at: Floats) -> list[float]:
        level = at[0] + difficulty
        return [float(expit(level + at[1] * term).mean()) - rate, float(expit(level).mean()) - controlled]

    found = root(missed, np.zeros(2))
    if not found.success:
        raise NotIdentified(f"no preferences have a win rate of {rate:.3g}, length-controlled {controlled:.3g}")
    return Anchor(term, difficulty, expit(found.x[0] + difficulty + found.x[1] * term))
