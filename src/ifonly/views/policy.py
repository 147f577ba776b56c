"""Values of policies in words, for the terminal and the page alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ifonly.scm.policy.rules import Constant, Leaf, Linear, Mixed
from ifonly.views.grid import Grid
from ifonly.views.scores import estimate_text, number

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ifonly.scm.estimate import Estimate
    from ifonly.scm.policy.rules import Rule, Split
    from ifonly.sim.policy import PolicyAnswer, PolicyReport

__all__ = ["AnswerView", "PolicyView", "policy_view", "rule_lines"]

_SHOWN = 8
"""Features of a linear rule that are told: those with the largest weights."""
_ENOUGH = 8
"""Other runs of a task from which on intervals by abduction were seen to hold what they say."""


@dataclass(frozen=True, slots=True)
class AnswerView:
    """One policy.

    Args:
        target: its name.
        verdict: of the answer.
        lines: the answer in words.
        estimates: of every estimator.
    """

    target: str
    verdict: str
    lines: tuple[str, ...]
    estimates: Grid


@dataclass(frozen=True, slots=True)
class PolicyView:
    """A whole report.

    Args:
        log: what was there, in a line.
        arms: what a naive analysis compares.
        answers: of the targets.
        front: quality against cost; None where nothing was designed.
        rules: of the front, in words, by name.
        assumes: what all of it rests on.
    """

    log: str
    arms: Grid
    answers: tuple[AnswerView, ...]
    front: Grid | None
    rules: Mapping[str, tuple[str, ...]]
    assumes: tuple[str, ...]


def policy_view(report: PolicyReport) -> PolicyView:
    """The report in words."""
    log = report.log
    what = f"{log.rounds:,} decisions" if log.runs is None else f"{log.runs:,} runs of {log.rounds:,} decisions"
    told = f"{what} in {log.groups:,} independent groups, propensities {log.propensities}"
    if log.left_out:
        told += f"; {log.left_out:,} runs left out"
    arms = tuple((arm, f"{share:.1%}", "" if m is None else number(m)) for arm, (share, m) in log.arms.items())
    assumes = dict.fromkeys([line for one in report.answers for line in one.assumes] + list(report.assumes))
    return PolicyView(
        log=told,
        arms=Grid(("arm", "share of the log", "mean reward there"), arms),
        answers=tuple(_answer(one, log.runs) for one in report.answers),
        front=_front(report) if report.pareto else None,
        rules={
            one.target.name: rule_lines(one.target.rule)
            for one in report.pareto
            if one.budget is not None and not one.dominated
        },
        assumes=tuple(assumes),
    )


def rule_lines(rule: Rule) -> tuple[str, ...]:
    """A rule as a person reads it."""
    match rule:
        case Constant(arms=arms):
            return (arms[0],)
        case Mixed(arms=arms, shares=shares):
            return tuple(f"{arm} with probability {number(share)}" for arm, share in zip(arms, shares, strict=True))
        case Linear():
            return _linear(rule)
        case _:
            return tuple(_tree(rule.root, ""))


def _answer(answer: PolicyAnswer, runs: int | None) -> AnswerView:
    lines = [
        f"would have been worth {estimate_text(answer.value)} ({answer.estimator})",
        f"what was done came to {estimate_text(answer.logging)}",
    ]
    if answer.change is not None:
        lines.append(f"change {estimate_text(answer.change)}")
    for name, priced in (("cost", answer.cost), ("seconds", answer.seconds)):
        if priced is not None:
            lines.append(f"{name} {estimate_text(priced)} a decision")
    knows = answer.support
    lines.append(
        f"support: {number(knows.effective)} effective of {knows.rounds:,} {'rounds' if runs is None else 'runs'} "
        f"({knows.matching:,} took only what the policy might), largest weight {knows.largest:.1%}"
        + (f"; {knows.why}" if knows.why else "")
    )
    lines += _replayed(answer)
    lines += [f"assuming nothing of {_silent(name)}: {estimate_text(one)}" for name, one in answer.bounds.items()]
    lines += _sensitivity(answer)
    for one in answer.controls:
        odd = " -- the choice seems to move what it cannot move: something is missing" if one.p_value < 0.01 else ""  # noqa: PLR2004
        lines.append(f"negative control {one.name}: {estimate_text(one.difference)}, p = {number(one.p_value)}{odd}")
    lines += _drift(answer)
    for why in dict.fromkeys(answer.refused.values()):
        silent = [name for name, one in answer.refused.items() if one == why]
        lines.append(f"no value by {', '.join(silent)}: {why}")
    rows = tuple((name, *_cells(one)) for name, one in answer.estimates.items())
    interval = "interval" if answer.intervals == "influence" else "interval (groups resampled)"
    return AnswerView(
        answer.target.name, answer.verdict, tuple(lines), Grid(("estimator", "value", interval, "effective"), rows)
    )


def _replayed(answer: PolicyAnswer) -> list[str]:
    known = answer.replayed
    if known is None:
        return []
    told = f"abduction: {known.share:.1%} of the log put to another model, in a world of {known.runs:,} runs, "
    told += f"{known.of_models:,} of them of the policy's models"
    if known.others is not None:
        told += f"; what a replayed run met was met by {number(known.others)} others, as a median"
        told += " -- few: the interval is too narrow, more runs of the same tasks (--corpus) mend it" * (
            known.others < _ENOUGH
        )
    return [told]


def _drift(answer: PolicyAnswer) -> list[str]:
    found = answer.drift
    if found is None:
        return []
    spans = [one.value for one in found.slices.slices if one.value is not None]
    p = "" if found.slices.p_value is None else f", p = {number(found.slices.p_value)} of one value for all"
    lines = [f"over time: {'; '.join(map(estimate_text, spans))}{p}"]
    if found.changed is not None and found.at is not None:
        change = found.changed
        told = (
            f"{number(change.before)} before, {number(change.after)} after; p = {number(change.p_value)} of no change"
        )
        lines.append(f"likeliest change at time {number(found.at)}: {told}")
    if found.period is not None:
        lines.append(
            f"with contexts as in the period of --since: {estimate_text(found.period)}, if nothing else changed"
        )
    return lines


def _silent(name: str) -> str:
    return "what was never tried" if name == "support" else "how choices were made"


def _sensitivity(answer: PolicyAnswer) -> list[str]:
    found = answer.sensitivity
    if found is None:
        return []
    spans = ", ".join(f"{gamma}: {estimate_text(one).removeprefix('between ')}" for gamma, one in found.bounds.items())
    lines = [f"if a hidden cause moved the odds of choices by a factor of at most {spans} (sharp bounds)"]
    gamma = "more than 1,000" if found.breaking is None else number(found.breaking)
    told = f"no difference to the log can be excluded from a factor of {gamma} on"
    if found.e_value is not None:
        told += f"; E-value {number(found.e_value)}"
    if found.robustness is not None:
        told += f"; robustness value {number(found.robustness)}"
    return [*lines, told]


def _cells(estimate: Estimate) -> tuple[str, str, str]:
    value = "" if estimate.value is None else number(estimate.value)
    effective = "" if estimate.effective is None else number(estimate.effective)
    return value, f"[{number(estimate.low)}, {number(estimate.high)}]", effective


def _front(report: PolicyReport) -> Grid:
    timed = any(one.seconds for one in report.pareto)
    titles = ("policy", "value", "interval", "cost", *(("seconds",) if timed else ()), "")
    rows = []
    for one in report.pareto:
        value, interval, _ = _cells(one.value)
        cost = "" if one.cost.value is None else number(one.cost.value)
        taken = () if not timed else ("" if one.seconds is None else number(one.seconds.value or 0.0),)
        rows.append((one.target.name, value, interval, cost, *taken, "dominated" if one.dominated else ""))
    return Grid(titles, tuple(rows))


def _tree(node: Leaf | Split, indent: str) -> list[str]:
    if isinstance(node, Leaf):
        return [f"{indent}{node.arm}"]
    column, equals, value = node.feature.partition("=")
    yes, no = (node.above, node.at_most) if equals else (node.at_most, node.above)
    asked = f"{column} is {value}" if equals else f"{node.feature} at most {node.at:g}"
    return [f"{indent}if {asked}:", *_tree(yes, indent + "    "), f"{indent}else:", *_tree(no, indent + "    ")]


def _linear(rule: Linear) -> tuple[str, ...]:
    lines = ["the arm with the largest score:"]
    for arm, start, weights in zip(rule.arms, rule.intercepts, rule.weights, strict=True):
        terms = sorted(zip(rule.features, weights, strict=True), key=lambda pair: -abs(pair[1]))
        told = " ".join(f"{w:+.3g} {name}" for name, w in terms[:_SHOWN] if w)
        rest = sum(1 for _, w in terms[_SHOWN:] if w)
        lines.append(f"{arm}: {start:.3g} {told}" + (f" and {rest} more" if rest else ""))
    return tuple(lines)
