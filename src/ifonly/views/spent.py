"""What an answer of blame took, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ifonly.sim.blame.numbers import averted
from ifonly.views.scores import estimate_text, number

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ifonly.sim.blame.answers import BlameAnswer, StepBlame
    from ifonly.sim.blame.live_answers import LiveBlame

__all__ = ["live_lines", "live_notes", "spent"]


def spent(answer: BlameAnswer) -> str:
    """Executions, calls and their price."""
    cost = "price not known" if answer.cost is None else f"{answer.cost:.2f} US dollars"
    return f"{answer.executions:,} re-executions, {answer.calls:,} model calls, {cost}"


def live_lines(live: LiveBlame) -> tuple[str, ...]:
    """What was asked of models, and what was left."""
    lines = [
        f"{live.asked} what-ifs, {live.noise} noise, seed {live.seed}: {live.runs} re-runs in {live.seconds:.0f} s"
    ]
    if live.early:
        lines.append(f"{live.early} of them ended early, since they were decided")
    if live.worlds:
        lines.append(f"live shares of model steps from {live.worlds} worlds")
    if live.recorded:
        lines.append(f"{live.recorded} replies came from the cassette and were not paid again")
    if live.stopped:
        lines.append(f"not all was asked: {live.stopped}")
    return tuple(lines)


def live_notes(row: StepBlame) -> Iterator[str]:
    """What asking models says of a step beside its numbers: the control, its live share, and the noise models."""
    asked = (one for one in row.attempts if one.continuation == "live" and one.action == row.action)
    live = next(asked, None)
    if live is not None and live.control is not None and live.particles:
        again = estimate_text(averted(live.control))
        yield f"{live.particles} live re-runs; asked again unchanged, averted in {again}"
    if row.live_share is not None:
        yield f"live share of the failure beyond luck: {estimate_text(row.live_share)}"
    if row.sensitivity is not None:
        told = ", ".join(f"{name} {estimate_text(one)}" for name, one in row.sensitivity.averted.items())
        yield f"by noise model: {told}; spread {number(row.sensitivity.spread)}"
