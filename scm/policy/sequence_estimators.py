"""The estimators of runs side by side, in the order in which tables show them, and those that refuse."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ifonly.scm.errors import NotApplicable
from ifonly.scm.policy.fitted_q import fit_q, fqe
from ifonly.scm.policy.sequence_weighting import naive_return, pdis, snpdis, sntis, tis
from ifonly.scm.policy.sequential_dr import sequential_dr

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ifonly.scm.draw import Draw
    from ifonly.scm.policy.sequences import SequenceEvaluation
    from ifonly.scm.policy.value import Value

__all__ = ["SequenceValues", "sequence_estimators"]


@dataclass(frozen=True, eq=False)
class SequenceValues:
    """What every estimator of runs says.

    Attributes:
        values: by name, in the order of tables.
        refused: why others say nothing, by name.
    """

    values: Mapping[str, Value]
    refused: Mapping[str, str]


def sequence_estimators(evaluation: SequenceEvaluation, draw: Draw | None = None) -> SequenceValues:
    """Return the value of a policy by every estimator of runs: each says in its docstring when to believe it.

    Args:
        evaluation: the log under the policy; a model that it has is not looked at.
        draw: of the folds of fitted-Q evaluation; seed 0 if None.

    Raises:
        NotApplicable: if there are fewer than two groups of runs.
    """
    values, refused = {"naive": naive_return(evaluation)}, dict[str, str]()
    for weighted in (tis, pdis, sntis, snpdis):
        try:
            values[weighted.__name__] = weighted(evaluation)
        except NotApplicable as error:
            refused[weighted.__name__] = str(error)
    fitted = fit_q(evaluation, draw=draw)
    try:
        values["sequential dr"] = sequential_dr(replace(evaluation, model=fitted.model))
    except NotApplicable as error:
        refused["sequential dr"] = str(error)
    values["fqe"] = fqe(evaluation, fitted)
    return SequenceValues(values, refused)
