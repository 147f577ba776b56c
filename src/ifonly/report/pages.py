"""Rendering and writing pages.

All text goes through autoescape and `views.text.visible`. The only style sheet is named by its hash in a Content
Security Policy that allows nothing else, so that even text which got out of its place could load and run nothing.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from ifonly.agents.errors import InputError
from ifonly.agents.records import ToolStep, message_of
from ifonly.views.blocks import blocks
from ifonly.views.injected import injections_of
from ifonly.views.run import run_view, saying
from ifonly.views.scores import score_text
from ifonly.views.text import call_text, one_line, visible
from ifonly.views.whatif import whatif_view

if TYPE_CHECKING:
    from ifonly.agents.records import Message, Trajectory
    from ifonly.sim.answers import WhatIfAnswer

__all__ = ["run_page", "whatif_page", "write_page", "write_run", "write_whatif"]

_LINE = 150


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("ifonly.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"visible": visible, "score": score_text}
    return environment


def run_page(run: Trajectory, command: str) -> str:
    """The page of one recorded run.

    Args:
        run: what is shown.
        command: how the page was made.
    """
    steps = zip(run.steps, run_view(run).steps, strict=True)
    return _page(
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
    return _page(
        "whatif.html",
        view=view,
        pairs=pairs,
        actions=json.dumps(actions, indent=2, ensure_ascii=True),
        changed=sum(not pair.same for pair in view.pairs),
        command=command,
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


def _page(template: str, **values: Any) -> str:
    environment = _environment()
    style = environment.get_template("report.css").render()
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    return environment.get_template(template).render(style=style, policy=policy, **values)


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
