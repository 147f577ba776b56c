"""The length-controlled win rates of AlpacaEval 2, made again from its preferences and held to the published ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.stats import norm, spearmanr

from ifonly.scm.preference.length import Anchor, LengthControlled, anchor_of, length_controlled, length_term

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ifonly.scenarios.alignment.log import AlpacaLog, Published, Row
    from ifonly.scm.policy.logged import Floats

__all__ = ["Agreement", "Reproduced", "agreement", "anchors", "reproduce"]

_TOLD: Final = ("concise", "verbose")
_LEVEL: Final = 0.95
_FEWEST: Final = 3
"""Published rates that a correlation takes."""


@dataclass(frozen=True, eq=False)
class Reproduced:
    """One model's length-controlled win rate.

    Attributes:
        row: its comparisons.
        made: ours.
        published: theirs; None where the leaderboard has none.
    """

    row: Row
    made: LengthControlled
    published: Published | None

    @property
    def rate(self) -> float:
        """Ours."""
        return self.made.rate.value

    @property
    def difference(self) -> float | None:
        """Ours less theirs."""
        return None if self.published is None else self.rate - self.published.controlled

    @property
    def error(self) -> float:
        """Standard error of the difference, from having a part of the instructions only."""
        total = len(self.row.liked) if self.published is None else self.published.total
        return self.made.gap_error(max(total, len(self.row.liked)))

    @property
    def inside(self) -> bool | None:
        """Whether the difference is within its sampling error at 95 %."""
        if self.difference is None:
            return None
        return bool(abs(self.difference) <= norm.isf((1 - _LEVEL) / 2) * self.error)


@dataclass(frozen=True)
class Agreement:
    """How well published rates are made again.

    Attributes:
        models: how many have a published rate.
        pearson: correlation of ours and theirs.
        spearman: of their ranks.
        largest: largest absolute difference, in shares.
        of: the model it is of.
        typical: root mean square difference.
        bias: mean difference, ours less theirs.
        inside: share of models whose difference is within the sampling error of having a part of the instructions.
    """

    models: int
    pearson: float
    spearman: float
    largest: float
    of: str
    typical: float
    bias: float
    inside: float


def anchors(log: AlpacaLog) -> list[Anchor]:
    """The baseline told to be concise and verbose; what is expected of their preferences, from the published rates.

    The judge's preferences for these two are not in the annotations. None for one without outputs or published rates.

    Args:
        log: the annotations.
    """
    found = []
    for told in _TOLD:
        name = f"{log.baseline}_{told}"
        if name not in log.outputs or name not in log.published:
            continue
        style, answered = log.outputs[name]
        rows = answered > 0
        term = length_term(style.length[rows], log.base.length[rows])
        board = log.published[name]
        found.append(anchor_of(term, log.difficulty[rows], board.rate, board.controlled))
    return found


def reproduce(log: AlpacaLog, names: Iterable[str] | None = None) -> dict[str, Reproduced]:
    """Make the length-controlled win rates again.

    Args:
        log: the annotations.
        names: of which models; all if None.
    """
    held, made = anchors(log), {}
    for name in log.models if names is None else names:
        row = log.models[name]
        term = length_term(row.own.length, row.other.length)
        fit = length_controlled(term, log.difficulty[row.instruction], row.liked, held)
        made[name] = Reproduced(row, fit, log.published.get(name))
    return made


def agreement(made: Iterable[Reproduced]) -> Agreement | None:
    """Hold rates to the published ones; None where fewer than three are published, or all are the same.

    Args:
        made: the models.
    """
    found = [one for one in made if one.published is not None]
    ours = np.array([one.rate for one in found])
    theirs: Floats = np.array([one.published.controlled for one in found if one.published is not None])
    if len(found) < _FEWEST or np.ptp(theirs) == 0:
        return None
    gap = ours - theirs
    worst = int(np.abs(gap).argmax())
    return Agreement(
        models=len(found),
        pearson=float(np.corrcoef(ours, theirs)[0, 1]),
        spearman=float(spearmanr(ours, theirs).statistic),
        largest=float(np.abs(gap).max()),
        of=found[worst].row.name,
        typical=float(np.sqrt(np.square(gap).mean())),
        bias=float(gap.mean()),
        inside=float(np.mean([one.inside for one in found])),
    )
