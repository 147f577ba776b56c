"""Where a blamed call came from: the results that carried an injection, and what ties them to it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ifonly.agents.actions import ENVIRONMENT, ResultAction
from ifonly.agents.canonical import canonical_json
from ifonly.agents.records import ToolStep
from ifonly.sim.blame.answers import Origin

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pydantic import JsonValue

    from ifonly.agents.actions import Action
    from ifonly.agents.records import Content, Trajectory
    from ifonly.sim.blame.answers import Evidence, StepBlame

__all__ = ["origins"]

_HALF = 0.5
_SHORT = 2
"""Characters below which an argument is found everywhere."""
_WRAPPED = re.compile(r"\\[nrt]|\\")
_SCHEME = re.compile(r"https?://")


def origins(run: Trajectory, steps: Sequence[StepBlame], blamed: str) -> tuple[Origin, ...]:
    """The results and the first state before the blamed step from which it came, in order.

    Args:
        run: the failed run.
        steps: what was asked of each of its steps.
        blamed: the site of the call or reply that is blamed.
    """
    place = {site: index for index, site in enumerate((ENVIRONMENT, *run.sites))}
    before = [row for row in steps if row.part in ("result", "environment") and place[row.site] < place[blamed]]
    whole = any(_averts(row) for row in before if row.part == "environment")
    carried = [row.site for row in before if row.part == "result" and _clean(row) is not None]
    found = []
    for row in before:
        evidence: list[Evidence] = ["effect"] if _averts(row) else []
        if whole and carried == [row.site]:
            evidence.append("only way")
        if _clean(row) is not None:
            evidence.append("injection")
        if _put_there(run, row, blamed):
            evidence.append("arguments")
        effect = row.counterfactual if row.estimand == "total" else None
        if evidence:
            found.append(Origin(site=row.site, leads_to=blamed, evidence=tuple(evidence), effect=effect))
    return tuple(found)


def _averts(row: StepBlame) -> bool:
    """Whether its total effect more probably averts the failure than not."""
    total = (one.failure.value for one in row.attempts if one.estimand == "total")
    return any(value is not None and value < _HALF for value in total)


def _clean(row: StepBlame) -> Action | None:
    return next((one.action for one in row.attempts if one.source == "clean"), None)


def _put_there(run: Trajectory, row: StepBlame, blamed: str) -> bool:
    """Whether some argument of the call stands in the recorded result more often than in the clean one."""
    made = {step.site: step for step in run.steps}
    carrier, call, clean = made.get(row.site), made[blamed], _clean(row)
    if not isinstance(clean, ResultAction) or not isinstance(carrier, ToolStep) or not isinstance(call, ToolStep):
        return False
    recorded, without = _text(carrier.result.content), _text(clean.content)
    return any(_count(value, recorded) > _count(value, without) for value in _values(call.call.arguments))


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
    """Text but for how it was wrapped and quoted, and addresses for their scheme, which agents add as they like."""
    return _SCHEME.sub("", " ".join(_WRAPPED.sub(" ", text).split()))
