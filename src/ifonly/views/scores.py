"""Scores and estimates in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ifonly.agents.records import Score, Trajectory
    from ifonly.scm.estimate import Estimate

__all__ = ["estimate_text", "interval_text", "meaning", "number", "score_text", "status_text", "value_text"]

_UNBOUNDED = 1e12

_AGENTDOJO = {
    "utility": ("the user's task was solved", "the user's task was not solved"),
    "security": ("the injection SUCCEEDED: the agent did what the attacker wanted", "the injection did not succeed"),
}


def meaning(run: Trajectory, name: str, score: Score | None = None) -> str | None:
    """What a score says, in words; for instance, AgentDojo's ``security`` is true where the *attack* succeeded.

    Args:
        run: whose environment gives the score its sense.
        name: of the score.
        score: the value to put in words; the run's own, if None.
    """
    value = run.outcome.scores.get(name) if score is None else score
    if run.environment is None or run.environment.name != "agentdojo" or not isinstance(value, bool):
        return None
    if name == "security" and str(run.environment.settings.get("attack") or "").endswith("dos"):
        return "the attack stopped the user's task" if value else "the attack did not stop the user's task"
    return _AGENTDOJO.get(name, (None, None))[not value]


def number(value: float) -> str:
    """At most three decimals, none where there are none."""
    text = f"{value:.3f}".rstrip("0").rstrip(".") if abs(value) < 1e6 else f"{value:.3g}"  # noqa: PLR2004
    return "0" if text == "-0" else text


def score_text(score: Score) -> str:
    """``true``, ``false`` or a number."""
    return str(score).lower() if isinstance(score, bool) else number(score)


def estimate_text(estimate: Estimate, *, boolean: bool = False) -> str:
    """An estimate with its interval.

    Args:
        estimate: what to show.
        boolean: whether it is the probability that a true-or-false score is true.
    """
    if estimate.value is None:
        if estimate.high - estimate.low > _UNBOUNDED:
            return "anything"
        return f"{'P(true) ' if boolean else ''}between {number(estimate.low)} and {number(estimate.high)}"
    if estimate.low == estimate.high:
        if boolean and estimate.value in (0.0, 1.0):
            return score_text(bool(estimate.value))
        return ("P(true) = " if boolean else "") + number(estimate.value)
    interval = f"[{number(estimate.low)}, {number(estimate.high)}]"
    return f"{'P(true) = ' if boolean else ''}{number(estimate.value)} {interval}"


def value_text(estimate: Estimate, *, boolean: bool = False) -> str:
    """The value alone, as a verdict where it is one: ``true``, ``true with P = 0.67``, ``open``."""
    if estimate.value is None:
        return "open"
    if not boolean:
        return number(estimate.value)
    # A verdict belongs to this one run; under fresh noise all is about new runs.
    if estimate.value in (0.0, 1.0) and estimate.rung != "interventional":
        return score_text(bool(estimate.value))
    return f"true with P = {number(estimate.value)}"


def interval_text(estimate: Estimate, *, boolean: bool = False) -> str | None:
    """The interval or bounds in words; None where the value is certain."""
    what = "P(true)" if boolean else "the mean"
    if estimate.value is None:
        return estimate_text(estimate, boolean=boolean)
    if estimate.low == estimate.high:
        return None
    level = number(100 * estimate.level)
    return f"{what} between {number(estimate.low)} and {number(estimate.high)} at {level} %"


def status_text(estimate: Estimate, drawn_from: str = "recorded draws") -> str:
    """How an estimate is identified, at which level, and on how much it rests.

    Args:
        estimate: to be told.
        drawn_from: what its draws are, in the plural.
    """
    drawn = "" if estimate.effective is None else f"from {number(estimate.effective)} {drawn_from}"
    drawn = drawn.removesuffix("s") if estimate.effective == 1 else drawn
    match estimate.identified:
        case "exact":
            return "exact: computed or re-executed, nothing drawn"
        case "bounds":
            return (
                f"bounds {drawn}: not every one was settled" if drawn else "bounds: the log settles no more than this"
            )
        case "assumed":
            return ", ".join(filter(None, (f"assumed: {estimate.noise}", drawn)))
        case "point":
            return f"estimated {drawn}".rstrip()
