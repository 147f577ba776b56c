"""Tables of texts on the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich import box
from rich.table import Table
from rich.text import Text

from ifonly.views.text import visible

if TYPE_CHECKING:
    from ifonly.views.grid import Grid

__all__ = ["grid_table"]


def grid_table(grid: Grid, *, numbers: bool = True) -> Table:
    """A table as rich prints it.

    Args:
        grid: the table.
        numbers: whether all columns but the first hold numbers, and stand to the right.
    """
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for index, title in enumerate(grid.titles):
        table.add_column(title, justify="right" if numbers and index else "left", overflow="fold")
    for row in grid.rows:
        table.add_row(*(Text(visible(cell)) for cell in row))
    return table
