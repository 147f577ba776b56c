"""From tables to judged items: a judge's score of every row, and a human's where one looked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ifonly.agents.errors import InputError
from ifonly.agents.tables import Table
from ifonly.scm.errors import NotApplicable
from ifonly.scm.evaluation.labels import Judged
from ifonly.scm.policy.logged import group_numbers

if TYPE_CHECKING:
    from ifonly.scm.policy.logged import Floats

__all__ = ["judged_table"]


def judged_table(table: Table, human: str, judge: str, cluster: str | None = None) -> Judged:
    """Return the rows of a table as judged items.

    Args:
        table: one item a row.
        human: column of the human's score, empty where nobody looked.
        judge: column of the judge's score.
        cluster: column of what makes items dependent, for instance the prompt; None: each is its own.

    Raises:
        UnknownName: there is no such column.
        InputError: a cell is no number, a score of the judge is missing, or no row has a human's.
    """
    groups = None
    if cluster is not None:
        groups = group_numbers(np.unique(table.texts(cluster), return_inverse=True)[1], len(table))
    try:
        return Judged(_scores(table, human), _scores(table, judge), groups)
    except NotApplicable as error:
        fix = f"Column {judge!r} holds the judge's score of every row, {human!r} the human's of some."
        raise InputError(table.name, str(error), fix) from error


def _scores(table: Table, name: str) -> Floats:
    """A column of numbers, not a number where it is empty; row numbers in errors are those of the table."""
    cells = table.column(name)
    filled = Table(table.name, {name: [0.0 if cell is None else cell for cell in cells]})
    known = np.array([cell is not None for cell in cells])
    return np.where(known, np.array(filled.numbers(name)), np.nan)
