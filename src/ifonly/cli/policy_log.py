"""What ``ifonly policy`` reads off its options about the log: columns, propensities, and the period of interest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ifonly.agents.errors import ActionError, UnknownName
from ifonly.scm.policy.nuisance import FOLDS
from ifonly.sim.policy.targets import parse_shares

if TYPE_CHECKING:
    from ifonly.agents.tables import Table
    from ifonly.sim.policy import Decisions
    from ifonly.sim.policy.answers import Propensities

__all__ = ["check_since", "must", "propensities_of"]


def must(table: Table, action: str | None, reward: str | None, score: str | None) -> tuple[str, str]:
    """The columns of actions and rewards.

    Args:
        table: the log.
        action: as typed; None: not said.
        reward: as typed; None: not said.
        score: of runs, in place of the reward.

    Raises:
        ActionError: one of them was not named.
    """
    came, names = reward or (None if score is None else f"score.{score}"), ", ".join(table.columns)
    if action is None:
        raise ActionError("ifonly policy", "no column of actions was named", f"Name it with --action: {names}.")
    if came is None:
        fix = f"Name it with --reward (of runs: --score): {names}."
        raise ActionError("ifonly policy", "no column of rewards was named", fix)
    return action, came


def propensities_of(table: Table, action: str, given: str | None) -> tuple[str | dict[str, float] | None, Propensities]:
    """A column, or chances that are declared, or neither; and where they come from.

    Args:
        table: the log.
        action: column of actions.
        given: as typed; None: not said.

    Raises:
        UnknownName: it is neither a column nor any of the other ways to say it.
    """
    if given is None or given in table.columns:
        return given, "logged"
    if given == "fit":
        return None, "fitted"
    if given == "uniform":
        arms = sorted(set(table.texts(action)))
        return dict.fromkeys(arms, 1 / len(arms)), "declared"
    if "=" in given:
        return parse_shares("--propensity", given), "declared"
    raise UnknownName("column of --propensity", given, [*table.columns, "uniform", "fit"])


def check_since(decisions: Decisions, since: float | None) -> None:
    """See that there is a period to re-weight to.

    Args:
        decisions: the log.
        since: when it begins; None: none was asked for.

    Raises:
        ActionError: there are no times, no contexts, or too few decisions in it.
    """
    if since is None:
        return
    times, contexts = decisions.log.times, decisions.log.contexts
    if times is None or contexts is None or not contexts.shape[1]:
        fix = "Name the column of times with --time, and what is known before the choice with --context."
        raise ActionError(f"--since {since:g}", "no times, or no contexts to re-weight", fix)
    later = int((times >= since).sum())
    if later < FOLDS:
        found = f"{later} decisions are from then on, and {FOLDS} are needed"
        fix = f"Name an earlier time: times go from {times.min():g} to {times.max():g}."
        raise ActionError(f"--since {since:g}", found, fix)
