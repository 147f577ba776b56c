"""Labels that were not given at random: items that were easy, doubtful or noticed were labelled more often.

    features, judge ---> human ---> (seen)
          |                            ^
          +-------> labelled ----------+

What humans would say of all items is then the value of a policy that labels everything, in a log whose action was to
label or not: all of `ifonly.scm.policy` applies. Doubly robust (Robins, Rotnitzky and Zhao 1994, JASA 89:846; Bang and
Robins 2005): right where the chances of labels are, or the model of the human's score is. If labels hang on the human's
score itself, beyond judge and features, nothing identifies the mean; `selection_bounds` says what is left, and
`sensitivity_bounds` of `ifonly.scm.policy.marginal_sensitivity` takes the same evaluation.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np
from sklearn.linear_model import LinearRegression

from ifonly.scm.draw import Draw
from ifonly.scm.errors import NotApplicable
from ifonly.scm.policy.bounds import natural_bounds
from ifonly.scm.policy.doubly_robust import dr
from ifonly.scm.policy.evaluation import Evaluation
from ifonly.scm.policy.logged import Logged
from ifonly.scm.policy.nuisance import assign_folds, fit_propensities, fit_rewards

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator

    from ifonly.scm.estimate import Estimate
    from ifonly.scm.evaluation.labels import Judged
    from ifonly.scm.policy.logged import Floats
    from ifonly.scm.policy.value import Value

__all__ = ["doubly_robust", "labelling", "selection_bounds"]

_ARMS: Final = ("labelled", "not labelled")
_FOLDS: Final = 5


def labelling(
    judged: Judged,
    features: Floats | None = None,
    propensities: Floats | None = None,
    *,
    model: BaseEstimator | None = None,
    chooser: BaseEstimator | None = None,
    seed: int = 0,
) -> Evaluation:
    """Return the evaluation of the policy that labels everything: what the estimators of `ifonly.scm.policy` take.

    Args:
        judged: the items.
        features: of each item, beside the judge's score, shape (n, d); all that moved both label and human.
        propensities: how likely each item was to be labelled, shape (n,), where that is known; fitted if None.
        model: of the human's score; least squares if None, cross-fitted.
        chooser: of the chances of labels; logistic regression if None, cross-fitted.
        seed: of the folds.

    Raises:
        NotApplicable: if all items are labelled, shapes do not fit, a chance lies outside (0, 1], or labels are too
            few to fit on.
    """
    n, seen = len(judged), judged.labelled
    if seen.all():
        raise NotApplicable(f"all {n} items are labelled: take their mean, nothing is missing")
    if propensities is not None and not (
        propensities.shape == (n,) and ((propensities > 0) & (propensities <= 1)).all()
    ):
        raise NotApplicable(f"each of {n} items needs its chance of a label, in (0, 1]; got shape {propensities.shape}")
    judge = judged.judge[:, None]
    columns = judge if features is None else np.hstack([judge, features])
    actions = np.where(seen, 0, 1).astype(np.intp)
    behaviour = None if propensities is None else np.stack([propensities, 1 - propensities], 1)
    log = Logged(actions, np.where(seen, judged.human, 0.0), _ARMS, None, behaviour, columns, judged.clusters)
    folds = assign_folds(log, _FOLDS, Draw(seed))
    if behaviour is None:
        log = replace(log, behaviour=fit_propensities(log, folds, chooser))
    predicted = fit_rewards(log, folds, model or LinearRegression())
    return Evaluation.of(log, np.array([1.0, 0.0]), predicted)


def doubly_robust(evaluation: Evaluation) -> Value:
    """Return the mean of what humans would say of all items: model plus weighted residuals (AIPW).

    Args:
        evaluation: of `labelling`.
    """
    return dr(evaluation, name="doubly robust")


def selection_bounds(judged: Judged, low: float, high: float, level: float = 0.95) -> Estimate:
    """Return bounds on the mean that assume nothing of why items were labelled (Manski 1990).

    Args:
        judged: the items.
        low: smallest score a human can give.
        high: largest.
        level: coverage of the limits, in (0, 1).

    Raises:
        NotApplicable: if a label lies outside the range.
    """
    seen = judged.labelled
    log = Logged(
        np.where(seen, 0, 1).astype(np.intp), np.where(seen, judged.human, low), _ARMS, clusters=judged.clusters
    )
    return natural_bounds(Evaluation.of(log, np.array([1.0, 0.0])), low, high, level)
