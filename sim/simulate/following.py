"""A saved rule followed on recorded runs: which model each run would have been given."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

from ifonly.agents.errors import ActionError
from ifonly.scm.errors import NotApplicable
from ifonly.sim.policy.choices import choices_table, parse_choice

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ifonly.agents.records import Trajectory
    from ifonly.sim.simulate.edits import Follow

__all__ = ["Chances", "follow"]


@dataclass(frozen=True, slots=True)
class Chances:
    """With which probability a run is given which model.

    Attributes:
        recorded: the model that it had.
        arms: that the rule chooses among.
        shares: their probabilities.
    """

    recorded: str
    arms: tuple[str, ...]
    shares: tuple[float, ...]

    def pick(self, u: float) -> str:
        """The model at a uniform: a larger share keeps what a smaller one had."""
        return next(
            (arm for arm, end in zip(self.arms, accumulate(self.shares), strict=True) if u < end), self.arms[-1]
        )

    @property
    def certain(self) -> bool:
        """Whether nothing is left to chance."""
        return max(self.shares) > 1.0 - 1e-9


def follow(edit: Follow, runs: Sequence[Trajectory]) -> dict[str, Chances]:
    """The chances of each run; runs with an error keep their model.

    Raises:
        UnknownName: the runs lack a column that the rule reads.
        ActionError: the rule cannot be followed.
    """
    table, _ = choices_table(runs, parse_choice("model"), "the runs")
    rule, arms = edit.rule.rule, edit.rule.rule.arms
    try:
        policy = rule.policy(edit.rule.encoding.names, edit.rule.encoding.features(table), arms)
    except NotApplicable as error:
        raise ActionError(f"--follow {edit.name}", str(error), "Give a rule whose features runs have.") from error
    return {
        run: Chances(model, arms, tuple(shares))
        for run, model, shares in zip(table.texts("run"), table.texts("model"), policy.tolist(), strict=True)
    }
