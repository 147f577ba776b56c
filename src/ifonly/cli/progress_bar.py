"""The progress bar itself: imported only where there is a terminal to show it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.text import Text

from ifonly.cli.output import stderr

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["terminal_bar"]


class _Rate(ProgressColumn):
    """How many a second, lately."""

    def render(self, task: Task) -> Text:
        """See rich."""
        rate = task.finished_speed or task.speed
        return Text("" if rate is None else f"{rate:,.1f}/s")


@contextmanager
def terminal_bar(what: str, unit: str) -> Iterator[Callable[[int, int], None]]:
    """A bar that goes away when it is done; gives the function to be told (done, total).

    Args:
        what: is going on.
        unit: that is counted; ``bytes`` are shown as such.
    """
    count, rate = (DownloadColumn(), TransferSpeedColumn()) if unit == "bytes" else (MofNCompleteColumn(), _Rate())
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), count, rate, TimeRemainingColumn())
    console = stderr()
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(what, total=None)

        def told(done: int, total: int) -> None:
            progress.update(task, completed=done, total=total)

        yield told
