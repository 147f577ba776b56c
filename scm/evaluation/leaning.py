"""What moves a judge with the human's verdict held: its bias by style, position and whose answer it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ifonly.scm.errors import NotApplicable
from ifonly.scm.policy.value import Value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ifonly.scm.evaluation.labels import Judged
    from ifonly.scm.policy.logged import Floats

__all__ = ["leanings"]

_VALUES = 10
"""More different human scores than this are held by a line, fewer by a column each."""


def leanings(judged: Judged, features: Mapping[str, Floats]) -> dict[str, Value]:
    """Return the controlled direct effect of each feature on the judge's score, the human's held: cluster-robust.

    Least squares of the judge's score on the human's (one column a value of it, where there are at most ten) and the
    features, over labelled items; influence functions by White 1980, Econometrica 48:817, weighted as HC1. A
    coefficient is the controlled direct effect if the human's score is the quality that the judge should see, labels
    are random given the columns, and the effects add up.

    Args:
        judged: the items.
        features: of each item, shape (n,): for instance 1 where the first answer is the longer one.

    Raises:
        NotApplicable: if a feature has another length, does not vary among labelled items, follows from the others, or
            labels are too few for so many.
    """
    seen = judged.seen
    design = _design(judged, features)
    rows, columns = design.shape
    inverse = np.linalg.inv(design.T @ design)
    solved = inverse @ (design.T @ judged.judge[seen])
    residual = judged.judge[seen] - design @ solved
    influence = rows * (design * residual[:, None]) @ inverse * np.sqrt(rows / (rows - columns))
    clusters = None if judged.clusters is None else judged.clusters[seen]
    start = columns - len(features)
    return {
        name: Value(name, float(solved[start + place]), influence[:, start + place], clusters=clusters)
        for place, name in enumerate(features)
    }


def _design(judged: Judged, features: Mapping[str, Floats]) -> Floats:
    """Columns of labelled items: one, the human's score, the features."""
    seen = judged.seen
    for name, column in features.items():
        if column.shape != (len(judged),) or not np.isfinite(column[seen]).all():
            raise NotApplicable(f"feature {name!r} needs a finite number for each of {len(judged)} items")
        if np.ptp(column[seen]) == 0:
            raise NotApplicable(
                f"feature {name!r} is {column[seen][0]:g} in all {len(seen)} labelled items: what it does to the judge "
                "cannot be told; label items on its other side too, or leave it out"
            )
    human = judged.human[seen]
    values = np.unique(human)
    held = [human] if len(values) > _VALUES else [1.0 * (human == value) for value in values[1:]]
    design = np.column_stack([np.ones(len(seen)), *held, *(column[seen] for column in features.values())])
    rows, columns = design.shape
    if rows <= columns or np.linalg.matrix_rank(design) < columns:
        raise NotApplicable(
            f"{rows} labelled items and {columns} columns that are not free of each other: leave a feature out that "
            "follows from the others, or label more items"
        )
    return design
