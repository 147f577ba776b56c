"""The shape of answers on policies: what `--json`, Python and the page show alike. Imports no torch."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from ifonly.scm.estimate import Estimate
from ifonly.scm.policy.drift import ChangePoint, Slices
from ifonly.scm.policy.placebo import Check
from ifonly.scm.policy.support import Support
from ifonly.sim.policy.targets import Target

__all__ = [
    "DesignedPolicy",
    "Drift",
    "Intervals",
    "LogSummary",
    "PolicyAnswer",
    "PolicyReport",
    "PolicyVerdict",
    "Propensities",
    "Replayed",
    "Sensitivity",
]

Propensities = Literal["logged", "declared", "fitted"]
"""Where the chances of the logged actions come from."""

PolicyVerdict = Literal["answered", "thin support", "bounds only"]
"""Whether the log settles the value; with a doubtful interval; or bounds it alone."""


Intervals = Literal["influence", "bootstrap"]
"""Of values: from influence functions and Student's t; or percentiles of a bootstrap over whole groups."""


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class LogSummary(_Answer):
    """The log that answers rest on.

    Attributes:
        rounds: decisions.
        groups: independent groups of them.
        arms: of each arm, its share and its mean reward in the log: what a naive analysis compares.
        propensities: where they come from.
        context: features that choice and reward are adjusted for.
        left_out: runs without such a choice, with an error, or without steps.
        runs: that the decisions are steps of, where whole runs are valued; then no reward belongs to one arm.
    """

    rounds: int
    groups: int
    arms: dict[str, tuple[float, float | None]]
    propensities: Propensities
    context: tuple[str, ...]
    left_out: int = 0
    runs: int | None = None


class Sensitivity(_Answer):
    """How much an unmeasured cause would have to do.

    Attributes:
        bounds: on the value, by the factor Gamma by which odds of choices may be wrong (marginal sensitivity model);
            sharp (Dorn and Guo 2023; `ifonly.scm.policy.sharp_sensitivity` says for which policies), as shown.
        unbalanced: the same where true weights need not balance the contexts: valid, not sharp, and free of any model
            of rewards (Zhao, Small and Bhattacharya 2019).
        breaking: by the sharp bounds, the Gamma at which the policy may be no better, or no worse, than what was done;
            None: beyond 1,000.
        e_value: of the ratio of both means, where rewards are 0 and 1: the risk ratio that an unmeasured cause must
            have with choice and reward to explain it away.
        robustness: share of the remaining variance of choice and reward that it would have to explain.
    """

    bounds: dict[str, Estimate]
    unbalanced: dict[str, Estimate]
    breaking: float | None
    e_value: float | None = None
    robustness: float | None = None


class Drift(_Answer):
    """Whether what the log says of the policy changed with time.

    Attributes:
        slices: its value in stretches of equally many rounds, with the p-value of one value for all.
        changed: the likeliest change of its value, in order of time, with the p-value of no change; None where there
            are too few groups to tell.
        at: time of the first group of rounds after that change.
        period: the value in the period that was asked for, contexts re-weighted to it; holds if only these changed.
    """

    slices: Slices
    changed: ChangePoint | None
    at: float | None = None
    period: Estimate | None = None


class Replayed(_Answer):
    """What the value by abduction of recorded runs was learned from.

    Attributes:
        runs: that the item-response world was fitted to.
        of_models: of them, runs of the policy's models.
        share: of the log, that the policy would have put to another model: what was replayed.
        others: median number of other recorded runs of what a replayed run met; None where none was replayed.
    """

    runs: int
    of_models: int
    share: float
    others: float | None


class PolicyAnswer(_Answer):
    """What a policy would have been worth.

    Attributes:
        target: the policy.
        logging: mean reward of the log: the value of what was done.
        value: the estimate to quote; bounds where there is no support.
        estimator: that gave it.
        estimates: of all estimators.
        change: value less `logging`, paired round by round; None where there are bounds only.
        cost: mean cost of a round under the policy; None where costs are not known.
        seconds: mean duration; None where it is not known.
        support: what the log knows of the policy.
        bounds: on the value, by what they assume: ``support`` (only where the log is silent), ``nothing`` (of choices).
        sensitivity: to unmeasured causes; None where there are bounds only.
        controls: negative controls: columns that the choice cannot have moved, valued as if they were the reward.
        drift: over time; None where the log has no times, or there are bounds only.
        verdict: whether the log settles it.
        assumes: what `value` rests on.
        intervals: of `estimates`, `value`, `change`, `cost` and `seconds`. Where there are bounds only, none were
            resampled.
        refused: why an estimator says nothing, by name.
        replayed: what abduction of recorded runs learned from; None where it was not asked, or says nothing.
    """

    target: Target
    logging: Estimate
    value: Estimate
    estimator: str
    estimates: dict[str, Estimate]
    change: Estimate | None
    cost: Estimate | None = None
    seconds: Estimate | None = None
    support: Support
    bounds: dict[str, Estimate] = Field(default_factory=dict)
    sensitivity: Sensitivity | None = None
    controls: tuple[Check, ...] = ()
    drift: Drift | None = None
    verdict: PolicyVerdict
    assumes: tuple[str, ...]
    intervals: Intervals = "influence"
    refused: dict[str, str] = Field(default_factory=dict)
    replayed: Replayed | None = None

    def beside(self, name: str, estimate: Estimate, rests: str, replayed: Replayed | None = None) -> PolicyAnswer:
        """The answer with one more estimator, what it rests on, and what it learned from."""
        estimates, assumes = {**self.estimates, name: estimate}, (*self.assumes, rests)
        return self.model_copy(update={"estimates": estimates, "assumes": assumes, "replayed": replayed})

    def refusing(self, name: str, why: Exception) -> PolicyAnswer:
        """The answer with an estimator that says nothing, and why."""
        return self.model_copy(update={"refused": {**self.refused, name: str(why)}})


class DesignedPolicy(_Answer):
    """A point of the front of quality against cost.

    Attributes:
        budget: that it was designed for; None of a policy that was not.
        target: the policy.
        value: of the procedure that learned it, on folds that it did not see.
        cost: of the same.
        seconds: of the same; None where it is not known.
        dominated: whether another point is at least as good in all, and better in one.
    """

    budget: float | None
    target: Target
    value: Estimate
    cost: Estimate
    seconds: Estimate | None = None
    dominated: bool


class PolicyReport(_Answer):
    """All that one question asks of a log.

    Attributes:
        log: what was there.
        answers: one for each target.
        pareto: the front, cheapest first; empty where no design was asked for.
        assumes: what the front rests on.
    """

    version: Literal[1] = 1
    log: LogSummary
    answers: tuple[PolicyAnswer, ...] = ()
    pareto: tuple[DesignedPolicy, ...] = ()
    assumes: tuple[str, ...] = ()
