"""Where things are printed: data on standard output, all else on standard error."""

from __future__ import annotations

import io
import json
import os
import shlex
import sys
import warnings
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from ifonly.views.text import visible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydantic import BaseModel

    from ifonly.agents.errors import IfonlyError

__all__ = [
    "command_line",
    "command_words",
    "complain",
    "emit",
    "note",
    "prepare_streams",
    "problems",
    "stderr",
    "stdout",
]

_PIPED_WIDTH = 120
_PROBLEMS_SHOWN = 10


def prepare_streams() -> None:
    """Let a character that the terminal's encoding lacks be escaped, and keep libraries' warnings to developers."""
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def stdout() -> Console:
    """For data. Nothing printed is taken for markup; a pipe gets a fixed width."""
    return _console(stderr=False)


def stderr() -> Console:
    """For progress and problems."""
    return _console(stderr=True)


def emit(data: BaseModel | dict[str, object]) -> None:
    """Print JSON. Only ASCII, so that no value can act on a terminal."""
    value = data if isinstance(data, dict) else data.model_dump(mode="json")
    sys.stdout.write(json.dumps(value, indent=2, allow_nan=False).replace("\x7f", "\\u007f") + "\n")


def note(text: str) -> None:
    """Tell something beside the data."""
    stderr().print(Text(visible(text)))


def complain(error: IfonlyError) -> None:
    """Say what was asked, found, near, and what to do."""
    lines = Text()
    for label, text in (
        ("asked", error.asked),
        ("found", error.found),
        ("near", ", ".join(error.near)),
        ("fix", error.fix),
    ):
        if text:
            lines.append(f"{label:>6}  ", style="bold red" if label == "found" else "bold").append(visible(text) + "\n")
    console = stderr()
    console.print(Text("ifonly cannot answer this", style="bold red"))
    console.print(lines, end="")


def problems(errors: Sequence[IfonlyError]) -> None:
    """List what was left out of the input."""
    console = stderr()
    for error in errors[:_PROBLEMS_SHOWN]:
        console.print(Text("left out  ", style="bold yellow").append(visible(str(error)), style="default"))
    if len(errors) > _PROBLEMS_SHOWN:
        console.print(Text(f"          and {len(errors) - _PROBLEMS_SHOWN:,} more"))


def command_words() -> tuple[str, ...]:
    """The command that is running, in words."""
    return ("ifonly", *sys.argv[1:])


def command_line() -> str:
    """The command that is running, as it can be typed again."""
    return shlex.join(command_words())


def _console(*, stderr: bool) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() or os.environ.get("COLUMNS") else _PIPED_WIDTH
    return Console(stderr=stderr, width=width, markup=False, emoji=False, highlight=False, soft_wrap=False)
