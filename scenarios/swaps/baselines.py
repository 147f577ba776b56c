"""What tables of averages and effects say: the predictions that a world has to beat."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import OneHotEncoder

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from ifonly.scm.item_response.facets import Floats
    from ifonly.sim.swaps.cells import Cell

__all__ = ["BASELINES", "average", "baselines", "ridge"]

BASELINES = ("model's average", "task's average", "ridge logistic")
"""Names of the baselines, in the order of `baselines`."""


def baselines(cells: Sequence[Cell], outcomes: Floats, asked: Sequence[Cell]) -> dict[str, Floats]:
    """The predictions of each baseline for the asked cells, by name.

    Args:
        cells: that were observed, of the same kind (clean or attacked) as those asked.
        outcomes: theirs, 0 or 1.
        asked: to be predicted.
    """
    unit, item = [(c.model, c.agent) for c in cells], [c.item for c in cells]
    asked_unit, asked_item = [(c.model, c.agent) for c in asked], [c.item for c in asked]
    found = (
        average(unit, outcomes, asked_unit),
        average(item, outcomes, asked_item),
        ridge([unit, item], outcomes, [asked_unit, asked_item]),
    )
    return dict(zip(BASELINES, found, strict=True))


def average(groups: Sequence[Hashable], outcomes: Floats, asked: Sequence[Hashable]) -> Floats:
    """The mean outcome of each asked group; of all where the group was not seen."""
    seen: dict[Hashable, list[float]] = defaultdict(list)
    for group, outcome in zip(groups, outcomes, strict=True):
        seen[group].append(float(outcome))
    overall = [float(np.mean(outcomes))]
    return np.array([np.mean(seen.get(group, overall)) for group in asked])


def ridge(columns: Sequence[Sequence[Hashable]], outcomes: Floats, asked: Sequence[Sequence[Hashable]]) -> Floats:
    """Logistic regression with an effect of each level and ridge penalty 1 (scikit-learn's default)."""
    encoder = OneHotEncoder(handle_unknown="ignore")
    known = encoder.fit_transform([list(map(str, row)) for row in zip(*columns, strict=True)])
    fitted = LogisticRegression(C=1.0, max_iter=2_000).fit(known, outcomes)
    told: Floats = fitted.predict_proba(encoder.transform([list(map(str, row)) for row in zip(*asked, strict=True)]))
    return told[:, 1]
