"""How far humans and judges move with style: PandaLM's pairs with three humans and two judges, and hh-rlhf's pairs.

For each rater, the log-odds of preferring the first answer of a pair are linear in the log of the length ratio and the
differences in lists and emphasis; in PandaLM with a level for each pair of models, whose answers always stand in one
order. Told as chances: that of preferring an answer twice as long as the other, all else equal; 1/2 is no effect.
Intervals are clustered by prompt, where the data tell it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import log
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from scipy.special import expit
from scipy.stats import chi2

from ifonly.agents.errors import InputError
from ifonly.agents.tables import Table, read_table
from ifonly.scenarios.alignment.style import LISTS, RATIO, style_of
from ifonly.scm.policy.value import Value, covariance
from ifonly.scm.preference.annotators import remixed
from ifonly.scm.preference.logistic import Fit, fit_logistic

if TYPE_CHECKING:
    from pathlib import Path

    from ifonly.scm.estimate import Estimate
    from ifonly.scm.policy.logged import Floats, Ints

__all__ = [
    "HARMLESS",
    "HUMANS",
    "JUDGES",
    "PANDALM",
    "Harmless",
    "Pairs",
    "Placed",
    "chance",
    "read_harmless",
    "read_pairs",
]

PANDALM: Final = "pandalm_judges"
"""The folder of PandaLM's pairs."""
HARMLESS: Final = "hh_rlhf_harmless_test"
"""The folder of hh-rlhf's pairs."""
HUMANS: Final = ("annotator1", "annotator2", "annotator3")
"""Columns of the human raters."""
JUDGES: Final = ("judge_gpt35", "judge_pandalm7b")
"""Columns of the judges."""
_DOUBLED: Final = {RATIO: log(2), LISTS: log(3), "emphasis": log(3)}
"""What an effect is told for: twice as long; two list items, or two emphases, against none."""
_CHOICE: Final = {"0": 0.5, "Tie": 0.5, "1": 1.0, "2": 0.0, "garbage": np.nan}
"""Preference for the first answer by what a rater said; garbage is what could not be read as a choice."""
_LEVEL: Final = 0.95


def chance(value: Value, column: str, level: float = _LEVEL) -> Estimate:
    """A coefficient as a chance: expit(coefficient times what the column is told for), with its interval.

    Args:
        value: the coefficient.
        column: of `_DOUBLED`; any other is told for 1.
        level: of the interval.
    """
    told, size = value.estimate(level), _DOUBLED.get(column, 1.0)
    at, low, high = (float(expit(end * size)) for end in (value.value, told.low, told.high))
    return told.model_copy(update={"value": at, "low": low, "high": high})


class Placed(NamedTuple):
    """What standing first does.

    Attributes:
        odds: log-odds that the first of two equally strong answers is preferred; 0 is no effect.
        adding: p-value of strengths that add up, which it takes for granted.
    """

    odds: Value
    adding: float


@dataclass(frozen=True, eq=False)
class Pairs:
    """Pairs of answers that several raters saw in one order.

    Attributes:
        columns: differences in style, first less second, by name; those that vary.
        levels: the pair of models of each, as columns.
        raters: preference for the first answer by rater, in [0, 1].
        prompt: number of the prompt.
        longer: 1 where the first is the longer one, 0 where the second is, 1/2 where neither.
        left_out: how many pairs were left out, since what a rater said of them is no choice.
    """

    columns: dict[str, Floats]
    levels: dict[str, Floats]
    raters: dict[str, Floats]
    prompt: Ints
    longer: Floats
    left_out: int

    @cached_property
    def human(self) -> Floats:
        """The mean of the humans."""
        return np.asarray(np.mean([self.raters[name] for name in HUMANS], 0))

    def fit(self, liked: Floats, *, content: bool = False) -> Fit:
        """A rater's regression on style, with what the humans said of the pair as a column if `content`."""
        held = {"human": self.human - 0.5} if content else {}
        return fit_logistic({**self.levels, **self.columns, **held}, liked)

    def effect(self, rater: str, column: str, *, content: bool = False) -> Value:
        """A rater's coefficient; "humans" are all three."""
        liked = self.human if rater == "humans" else self.raters[rater]
        return self.fit(liked, content=content).coefficient(column, self.prompt)

    def first(self, rater: str) -> Value:
        """How much more often a rater takes the first answer than the humans do, on the same pairs."""
        gap = self.raters[rater] - self.human
        mean = float(gap.mean())
        return Value("first", mean, gap - mean, None, self.prompt)

    def placed(self, rater: str) -> Placed:
        """What standing first does to a rater, if log-odds of models are differences of their strengths.

        Each pair of models stands in one order, so that pair by pair its order and its models cannot be told apart. But
        strengths that add up leave something over: of a before b, b before c and a before c, logit(a, b) +
        logit(b, c) - logit(a, c) is the order's alone. Least squares over all pairs of models, weighed by their
        covariance; what is left of them is chi-square if strengths add up.
        """
        fit = fit_logistic(self.levels, self.human if rater == "humans" else self.raters[rater])
        found = [fit.coefficient(key, self.prompt) for key in self.levels]
        models = sorted({name for key in self.levels for name in key.split("_")})
        sides = [[(name == key.split("_")[0]) - (name == key.split("_")[1]) for name in models] for key in self.levels]
        design = np.column_stack([np.array(sides, dtype=float)[:, 1:], np.ones(len(found))])
        precision, odds = np.linalg.inv(covariance(found)), np.array([one.value for one in found])
        solved = np.linalg.solve(design.T @ precision @ design, design.T @ precision)
        left = odds - design @ (solved @ odds)
        influence = np.sum([share * one.influence for share, one in zip(solved[-1], found, strict=True)], 0)
        adding = float(chi2.sf(left @ precision @ left, len(found) - design.shape[1]))
        return Placed(Value("placed", float(solved[-1] @ odds), influence, None, self.prompt), adding)

    def mixed(self, humans: float) -> Value:
        """P(the longer answer is preferred) by a mix of annotators.

        Args:
            humans: their share; the judges share the rest.
        """
        kept = np.flatnonzero(self.longer != 0.5)  # noqa: PLR2004 -- equally long
        names = (*HUMANS, *JUDGES)
        for_longer = [np.where(self.longer[kept] == 1, y, 1 - y) for y in (self.raters[name][kept] for name in names)]
        who = [group for name in names for group in ["human" if name in HUMANS else "judge"] * len(kept)]
        prompts = np.tile(np.unique(self.prompt[kept], return_inverse=True)[1], len(names))
        return remixed(np.concatenate(for_longer), who, {"human": humans, "judge": 1 - humans}, prompts)


@dataclass(frozen=True, eq=False)
class Harmless:
    """Pairs of which one answer was chosen.

    Attributes:
        fit: of the chance that the chosen one is chosen, on its style less the other's; no order, so no level.
        longer: P(the longer answer was chosen), of pairs that differ in length.
    """

    fit: Fit
    longer: Value


def read_pairs(folder: Path) -> Pairs:
    """Read PandaLM's pairs.

    Args:
        folder: that holds ``pairs.jsonl.gz``.

    Raises:
        InputError: the file is missing, or a rater said something that is no choice, no tie and not known garbage.
        UnknownName: a column is missing.
    """
    whole = _table(folder, "pairs.jsonl.gz")
    said = {name: _choices(whole, name) for name in (*HUMANS, *JUDGES)}
    kept = np.flatnonzero(np.isfinite(list(said.values())).all(0))
    table = Table(whole.name, {name: [cells[row] for row in kept.tolist()] for name, cells in whole.columns.items()})
    one, other = style_of(table, "r1_"), style_of(table, "r2_")
    keys = np.array(table.texts("cmp_key"))
    prompts = [f"{a}\n{b}" for a, b in zip(table.texts("instruction"), table.texts("input"), strict=True)]
    return Pairs(
        columns=_varying(one.ratios(other)),
        levels={key: (keys == key).astype(float) for key in np.unique(keys).tolist()},
        raters={name: liked[kept] for name, liked in said.items()},
        prompt=np.unique(np.array(prompts), return_inverse=True)[1],
        longer=(1 + np.sign(one.length - other.length)) / 2,
        left_out=len(whole) - len(kept),
    )


def read_harmless(folder: Path) -> Harmless:
    """Read hh-rlhf's pairs and fit them.

    Args:
        folder: that holds ``pairs_features.csv.gz``.

    Raises:
        InputError: the file is missing.
        UnknownName: a column is missing.
    """
    table = _table(folder, "pairs_features.csv.gz")
    chosen, rejected = style_of(table, "chosen_"), style_of(table, "rejected_")
    columns = _varying(chosen.ratios(rejected))
    gap = chosen.length - rejected.length
    longer = (gap[gap != 0] > 0).astype(float)
    share = float(longer.mean())
    return Harmless(fit_logistic(columns, np.ones(len(gap))), Value("longer", share, longer - share))


def _table(folder: Path, name: str) -> Table:
    if not (folder / name).is_file():
        raise InputError(str(folder), f"there is no {name}", f"Name the folder {folder.name}, which holds it.")
    return read_table([folder / name])


def _choices(table: Table, name: str) -> Floats:
    said = table.texts(name)
    if wrong := sorted(set(said) - _CHOICE.keys()):
        found = f"column {name!r} holds {', '.join(map(repr, wrong[:3]))}"
        raise InputError(table.name, found, "A rater says 1 or 2 for the answer preferred, 0 for a tie.")
    return np.array([_CHOICE[one] for one in said])


def _varying(columns: dict[str, Floats]) -> dict[str, Floats]:
    """The columns that differ in a tenth of the pairs or more, or are the length: others tell nothing."""
    return {name: c for name, c in columns.items() if name == RATIO or np.mean(c != 0) >= 0.1}  # noqa: PLR2004
