"""Rendering and writing pages.

How text is kept text stands in `ifonly.report.rendering`.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ifonly.agents.errors import InputError
from ifonly.agents.records import ToolStep, message_of
from ifonly.report.rendering import render_page
from ifonly.views.blocks import blocks
from ifonly.views.injected import injections_of
from ifonly.views.next_steps import after_whatif, words_of
from ifonly.views.run import run_view, saying
from ifonly.views.text import call_text, one_line, visible
from ifonly.views.whatif import whatif_view

if TYPE_CHECKING:
    from ifonly.agents.records import Message, Trajectory
    from ifonly.sim.answers import WhatIfAnswer

__all__ = ["run_page", "whatif_page", "write_page", "write_run", "write_whatif"]

_LINE = 150


def run_page(run: Trajectory, command: str) -> str:
    """The page of one recorded run.

    Args:
        run: what is shown.
        command: how the page was made.
    """
    steps = zip(run.steps, run_view(run).steps, strict=True)
    return render_page(
        "run.html",
        view=run_view(run),
        steps=[
            {"step": line, "call": visible(call_text(step.call)) if isinstance(step, ToolStep) else None}
            | _said(message_of(step), injections_of(run))
            for step, line in steps
        ],
        command=command,
    )


def whatif_page(run: Trajectory, answer: WhatIfAnswer, command: str) -> str:
    """The page of one answer: both worlds side by side.

    Args:
        run: the recorded run that was asked about.
        answer: to one what-if.
        command: how to ask again.
    """
    view, injections = whatif_view(run, answer), injections_of(run)
    pairs = [
        {"pair": pair, "left": _side(pair.factual, injections), "right": _side(pair.counterfactual, injections)}
        for pair in view.pairs
    ]
    actions = [action.model_dump(mode="json") for action in answer.actions]
    return render_page(
        "whatif.html",
        view=view,
        pairs=pairs,
        actions=json.dumps(actions, indent=2, ensure_ascii=True),
        changed=sum(not pair.same for pair in view.pairs),
        command=command,
        next_steps=after_whatif(run, answer, words_of(command)),
    )


def write_run(path: Path, run: Trajectory, command: str) -> None:
    """Write the page of a run."""
    write_page(path, run_page(run, command))


def write_whatif(path: Path, run: Trajectory, answer: WhatIfAnswer, command: str) -> None:
    """Write the page of an answer."""
    write_page(path, whatif_page(run, answer, command))


def write_page(path: Path, html: str) -> None:
    """Write a file whole or not at all; readable by its owner alone, since runs may hold secrets.

    Raises:
        InputError: the place cannot be written to.
    """
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(html)
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(path)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                Path(name).unlink()
            raise
    except OSError as error:
        fix = "Name a file in a folder that exists and that you may write to."
        raise InputError(str(path), f"cannot be written ({error.strerror})", fix) from error


def _side(message: Message | None, injections: tuple[str, ...]) -> dict[str, Any] | None:
    return None if message is None else _said(message, injections)


def _said(message: Message, injections: tuple[str, ...]) -> dict[str, Any]:
    shown = blocks(message, injections)
    return {
        "role": message.role,
        "line": one_line(saying(message), _LINE),
        "blocks": shown,
        "injected": any(piece.injected for block in shown for piece in block.pieces),
    }
