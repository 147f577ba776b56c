"""The public annotations of AlpacaEval 2: a judge's preferences between models and one baseline, with style of answers.

Three files: preferences (``annotations.csv.gz``), style of answers of models told to be concise or verbose
(``verbosity_arm_outputs.csv.gz``), and published win rates (``leaderboard_published.csv``).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np

from ifonly.agents.errors import InputError
from ifonly.agents.tables import Table, read_table
from ifonly.scenarios.alignment.style import Style, style_of
from ifonly.scm.preference.length import instruction_difficulty, length_term

if TYPE_CHECKING:
    from pathlib import Path

    from ifonly.scm.policy.logged import Floats, Ints

__all__ = ["FILES", "AlpacaLog", "Published", "Row", "read_log"]

FILES: Final = ("annotations.csv.gz", "verbosity_arm_outputs.csv.gz", "leaderboard_published.csv")
"""What the folder holds."""

_LEAST, _MOST = 1.0, 2.0


@dataclass(frozen=True)
class Published:
    """A row of the leaderboard, in shares.

    Attributes:
        rate: raw win rate.
        error: its standard error.
        controlled: length-controlled win rate.
        total: instructions behind it.
    """

    rate: float
    error: float
    controlled: float
    total: int


@dataclass(frozen=True, eq=False)
class Row:
    """The comparisons of one model with the baseline, one an instruction.

    Attributes:
        name: of the model.
        instruction: numbers of the instructions, shape (n,), rising.
        liked: the judge's preference for the model, in [0, 1].
        own: style of its answers.
        other: style of the baseline's.
    """

    name: str
    instruction: Ints
    liked: Floats
    own: Style
    other: Style

    @property
    def scale(self) -> float:
        """Standard deviation of the length differences, in characters."""
        return float((self.own.length - self.other.length).std(ddof=1))


@dataclass(frozen=True, eq=False)
class AlpacaLog:
    """All of it.

    Attributes:
        baseline: name of the baseline.
        models: the comparisons of each other model, by name.
        base: style of the baseline's answers, one an instruction.
        outputs: of models told to be concise or verbose: style, and which instructions were answered.
        published: the leaderboard, by name.
        instructions: how many there are.
    """

    baseline: str
    models: dict[str, Row]
    base: Style
    outputs: dict[str, tuple[Style, Floats]]
    published: dict[str, Published]
    instructions: int

    @cached_property
    def difficulty(self) -> Floats:
        """Of each instruction, fitted over all models."""
        rows = list(self.models.values())
        model = np.concatenate([np.full(len(row.liked), at) for at, row in enumerate(rows)])
        term = np.concatenate([length_term(row.own.length, row.other.length) for row in rows])
        instruction = np.concatenate([row.instruction for row in rows])
        return instruction_difficulty(model, instruction, term, np.concatenate([row.liked for row in rows]))


def read_log(folder: Path) -> AlpacaLog:
    """Read the three files.

    Args:
        folder: that holds them.

    Raises:
        InputError: a file is missing or unreadable, preferences are out of range, or there is no model to compare.
        UnknownName: a column is missing.
    """
    for name in FILES:
        if not (folder / name).is_file():
            found = f"there is no {name}"
            raise InputError(str(folder), found, f"Name the folder alpaca_eval_style, which holds {', '.join(FILES)}.")
    table, arms, board = (read_table([folder / name]) for name in FILES)
    names, known = table.texts("model"), sorted(set(table.texts("instr_id")))
    number = {text: at for at, text in enumerate(known)}
    instruction = np.array([number[text] for text in table.texts("instr_id")])
    liked, own, other = _liked(table), style_of(table, "o2_"), style_of(table, "o1_")
    baselines = sorted(set(table.texts("generator_1")))
    if len(baselines) != 1:
        fix = "Keep the comparisons with one baseline: a win rate is against one."
        raise InputError(table.name, f"has {len(baselines)} baselines ({', '.join(baselines[:3])})", fix)
    models = {}
    for name in dict.fromkeys(names):
        rows = np.flatnonzero(np.array(names) == name)
        rows = rows[np.argsort(instruction[rows], kind="stable")]
        models[name] = Row(name, instruction[rows], liked[rows], own.at(rows), other.at(rows))
    models.pop(baselines[0], None)
    if not models:
        found = f"has one arm only: {baselines[0]}, which is the baseline"
        raise InputError(table.name, found, "Add comparisons of other models with the baseline.")
    first = np.array([int(np.argmax(instruction == at)) for at in range(len(known))])
    return AlpacaLog(baselines[0], models, other.at(first), _outputs(arms, number), _published(board), len(known))


def _liked(table: Table) -> Floats:
    liked = np.array(table.numbers("preference"))
    if not ((liked >= _LEAST) & (liked <= _MOST)).all():
        found = f"column 'preference' goes from {liked.min():g} to {liked.max():g}"
        fix = "It is 1 where the baseline is preferred, 2 where the model is, and between where the judge wavers."
        raise InputError(table.name, found, fix)
    return np.asarray(liked - 1)


def _outputs(table: Table, number: dict[str, int]) -> dict[str, tuple[Style, Floats]]:
    """Style of the arms' answers, one an instruction, and where there is one."""
    style, names = style_of(table), np.array(table.texts("model"))
    place = np.array([number.get(text, -1) for text in table.texts("instr_id")])
    found = {}
    for name in dict.fromkeys(names.tolist()):
        rows = np.flatnonzero((names == name) & (place >= 0))
        spread = Style(*(np.zeros(len(number)) for _ in range(3)))
        for to, values in zip(
            (spread.length, spread.lists, spread.emphasis), (style.length, style.lists, style.emphasis), strict=True
        ):
            to[place[rows]] = values[rows]
        answered = np.zeros(len(number))
        answered[place[rows]] = 1.0
        found[name] = (spread, answered)
    return found


def _published(table: Table) -> dict[str, Published]:
    """The leaderboard; its first column, without a title, names the models."""
    title = next(iter(table.columns))
    names = table.texts(title)
    columns = [table.numbers(one) for one in ("win_rate", "standard_error", "length_controlled_winrate", "n_total")]
    return {
        name: Published(rate / 100, error / 100, controlled / 100, int(total))
        for name, rate, error, controlled, total in zip(names, *columns, strict=True)
    }
