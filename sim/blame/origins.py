"""Where a blamed call came from: the results that carried an injection, and what ties them to it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

from ifonly.agents.actions import ENVIRONMENT, ResultAction
from ifonly.agents.canonical import canonical_json
from ifonly.agents.records import ToolStep
from ifonly.sim.blame.answers import Origin

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pydantic import JsonValue

    from ifonly.agents.records import Content, Trajectory
    from ifonly.sim.blame.answers import StepBlame

__all__ = ["origins"]

_SHORT = 2
"""Characters below which an argument is found everywhere."""
_WRAPPED = re.compile(r"\\[nrt]|\\")


def origins(run: Trajectory, steps: Sequence[StepBlame], blamed: str) -> tuple[Origin, ...]:
    """The results and the first state before the blamed step from which it came, in order.

    Args:
        run: the failed run.
        steps: what was asked of each of its steps.
        blamed: the site of the call or reply that is blamed.
    """
    place = {site: index for index, site in enumerate((ENVIRONMENT, *run.sites))}
    made = {step.site: step for step in run.steps}
    found = []
    for row in steps:
        if row.part not in ("result", "environment") or place[row.site] >= place[blamed]:
            continue
        evidence: list[Literal["effect", "injection", "arguments"]] = []
        total = [one for one in row.attempts if one.estimand == "total" and one.failure.value is not None]
        effect = row.counterfactual if row.estimand == "total" else None
        if any(one.failure.value is not None and one.failure.value < 0.5 for one in total):  # noqa: PLR2004 -- likelier
            evidence.append("effect")
        clean = next((one.action for one in row.attempts if one.source == "clean"), None)
        if clean is not None:
            evidence.append("injection")
        carrier, call = made.get(row.site), made[blamed]
        if isinstance(clean, ResultAction) and isinstance(carrier, ToolStep) and isinstance(call, ToolStep):
            put = _put_there(_text(carrier.result.content), _text(clean.content), call)
            evidence += ["arguments"] if put else []
        if evidence:
            found.append(Origin(site=row.site, leads_to=blamed, evidence=tuple(evidence), effect=effect))
    return tuple(found)


def _put_there(recorded: str, clean: str, call: ToolStep) -> bool:
    """Whether some argument of the call stands in the recorded result more often than in the clean one."""
    return any(_count(value, recorded) > _count(value, clean) for value in _values(call.call.arguments))


def _count(value: str, text: str) -> int:
    return len(re.findall(rf"(?<!\w){re.escape(value)}(?!\w)", text))


def _values(value: JsonValue) -> Iterator[str]:
    if isinstance(value, dict):
        for one in value.values():
            yield from _values(one)
    elif isinstance(value, list):
        for one in value:
            yield from _values(one)
    elif isinstance(value, str | int | float) and not isinstance(value, bool):
        text = _plain(str(value))
        if len(text) >= _SHORT:
            yield text


def _text(content: Content) -> str:
    return _plain(content if isinstance(content, str) else canonical_json(content))


def _plain(text: str) -> str:
    """Text but for how it was wrapped and quoted."""
    return " ".join(_WRAPPED.sub(" ", text).split())
