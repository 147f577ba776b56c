"""Items with a judge's score, and a human's where one looked."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from ifonly.scm.errors import NotApplicable

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ifonly.scm.policy.logged import Floats, Ints

__all__ = ["Judged", "check_pair"]

_SHOWN = 5


@dataclass(frozen=True, eq=False)
class Judged:
    """Items that a judge scored, some of which a human scored too.

    Attributes:
        human: shape (n,); not a number where no human looked.
        judge: shape (n,), finite; on any scale, that of the human where errors are counted.
        clusters: group of each item (for instance its prompt), shape (n,), numbered from 0; None: each is its own.

    Raises:
        NotApplicable: if lengths differ, a score of the judge is missing, or no item has a human label.
    """

    human: Floats
    judge: Floats
    clusters: Ints | None = None

    def __post_init__(self) -> None:
        """Check what the types do not say."""
        n = len(self.judge)
        if self.judge.ndim != 1 or self.human.shape != (n,) or (self.clusters is not None and len(self.clusters) != n):
            raise NotApplicable(
                f"human and judge are two columns of one length, got shapes {self.human.shape} and {self.judge.shape}: "
                "give one row an item, and leave the human's score empty where nobody looked"
            )
        if not np.isfinite(self.judge).all():
            rows = np.flatnonzero(~np.isfinite(self.judge))
            raise NotApplicable(
                f"the judge's score is missing for {len(rows)} of {n} items (rows {rows[:_SHOWN].tolist()}): let the "
                "judge score them, or leave them out and say so"
            )
        if np.isinf(self.human).any():
            raise NotApplicable("a human's score is infinite: leave it empty where nobody looked")
        if not self.labelled.any():
            raise NotApplicable(
                f"none of the {n} items has a human label: what the judge gets wrong cannot be told. Have some items "
                "labelled, drawn at random: 50 are a start, and `ifonly.scm.evaluation.stratified.labels_needed` says "
                "how many more"
            )

    def __len__(self) -> int:
        """How many items there are."""
        return len(self.judge)

    @cached_property
    def labelled(self) -> NDArray[np.bool_]:
        """Which items a human scored, shape (n,)."""
        return np.isfinite(self.human)

    @cached_property
    def seen(self) -> Ints:
        """Rows of the items that a human scored."""
        rows: Ints = np.flatnonzero(self.labelled)
        return rows

    def take(self, rows: Ints | NDArray[np.bool_]) -> Judged:
        """These items alone.

        Args:
            rows: indices, or a mask of shape (n,).
        """
        return Judged(self.human[rows], self.judge[rows], None if self.clusters is None else self.clusters[rows])


def check_pair(human: Floats, judge: Floats) -> None:
    """Refuse scores that are not one a labelled item.

    Raises:
        NotApplicable: if lengths differ, or there are fewer than two.
    """
    if human.ndim != 1 or human.shape != judge.shape:
        raise NotApplicable(
            f"a human's score and a judge's are needed of each labelled item, got shapes {human.shape} and "
            f"{judge.shape}: leave items without a human out of both"
        )
    if len(human) < 2:  # noqa: PLR2004 -- a variance takes two
        raise NotApplicable(f"{len(human)} labelled item(s) give no interval: label at least two, best fifty or more")
