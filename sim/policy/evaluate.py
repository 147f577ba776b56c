"""What policies would have been worth, from a log alone: every estimator, support, bounds and sensitivity."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from ifonly.scm.draw import Draw
from ifonly.scm.policy.bootstrap import bootstrap
from ifonly.scm.policy.bounds import natural_bounds, support_bounds
from ifonly.scm.policy.costs import Costs
from ifonly.scm.policy.doubly_robust import sndr
from ifonly.scm.policy.drift import change_point, period_weights, reweighted, time_slices
from ifonly.scm.policy.estimators import all_estimators
from ifonly.scm.policy.evaluation import Evaluation
from ifonly.scm.policy.logged import group_numbers
from ifonly.scm.policy.marginal_sensitivity import sensitivity_bounds
from ifonly.scm.policy.nuisance import FOLDS, assign_folds, fit_propensities, fit_rewards
from ifonly.scm.policy.placebo import negative_control
from ifonly.scm.policy.sharp_sensitivity import sharp_bounds, sharp_breaking_gamma
from ifonly.scm.policy.support import support
from ifonly.scm.policy.weighting import naive
from ifonly.scm.sensitivity import e_value, robustness_value
from ifonly.sim.policy.answers import Drift, LogSummary, PolicyAnswer, Sensitivity

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ifonly.agents.tables import Table
    from ifonly.scm.estimate import Estimate
    from ifonly.scm.policy.logged import Floats, Ints, Logged
    from ifonly.scm.policy.placebo import Check
    from ifonly.scm.policy.value import Value
    from ifonly.sim.policy.answers import Intervals, PolicyVerdict, Propensities
    from ifonly.sim.policy.decisions import Decisions
    from ifonly.sim.policy.targets import Target

__all__ = ["GAMMAS", "Valuing", "summarise_log"]

GAMMAS = (1.25, 1.5, 2.0, 3.0)
"""Factors by which odds of logged choices may be wrong, that bounds are shown for."""

_CLIP = 20.0
"""Weights above this are clipped, switched or shrunk by the estimators that do so."""
_VERDICTS: Mapping[str, PolicyVerdict] = {"fine": "answered", "thin": "thin support", "none": "bounds only"}
_BEST = "sndr"
_SERIES = 10
"""Groups of rounds that a change is looked for in, at least."""
_INSIDE = "What moved both choice and reward is in the context, or in the propensities."
_LIKE = "Decisions to come are like the logged ones, and one decision does not change the next."


@dataclass(frozen=True, eq=False)
class Valuing:
    """Values policies on one log; nuisances are fitted once, at first use.

    Attributes:
        decisions: the log.
        table: its rows, which rules read.
        propensities: where they come from; ``fitted`` fits them.
        level: coverage of intervals.
        seed: of folds and of the bootstrap.
        controls: columns that the choice cannot have moved.
        span: smallest and largest reward there can be; those seen, if None.
        gammas: that sensitivity bounds are given for.
        intervals: how they are made; ``bootstrap`` resamples whole groups of rounds, with nuisances as fitted.
        repeats: resamples of the bootstrap.
        since: with times, the value in the period from then on is told too.
    """

    decisions: Decisions
    table: Table
    propensities: Propensities = "logged"
    level: float = 0.95
    seed: int = 0
    controls: tuple[str, ...] = ()
    span: tuple[float, float] | None = None
    gammas: tuple[float, ...] = field(default=GAMMAS)
    intervals: Intervals = "influence"
    repeats: int = 1_000
    since: float | None = None

    @cached_property
    def folds(self) -> Ints:
        """Of the cross-fitting."""
        log = self.decisions.log
        groups = int(group_numbers(log.clusters, len(log)).max()) + 1
        return assign_folds(log, min(FOLDS, groups), Draw(self.seed))

    @cached_property
    def behaviour(self) -> Floats:
        """Chances of all arms: known where they are, else fitted to the context."""
        log = self.log
        if log.behaviour is not None:
            return log.behaviour
        pair = 2
        if log.propensities is not None and len(log.arms) == pair:
            rows = np.arange(len(log))
            both = np.empty((len(log), pair))
            both[rows, log.actions], both[rows, 1 - log.actions] = log.propensities, 1 - log.propensities
            return both
        return fit_propensities(log, self.folds)

    @cached_property
    def log(self) -> Logged:
        """The log with propensities.

        Raises:
            NotApplicable: at first use of them, if there are none and none were to be fitted.
        """
        log = self.decisions.log
        if self.propensities == "fitted":
            return replace(log, propensities=None, behaviour=fit_propensities(log, self.folds))
        return log

    @cached_property
    def model(self) -> Floats:
        """q(x_i, a), cross-fitted."""
        return fit_rewards(self.log, self.folds)

    @cached_property
    def costs(self) -> Costs | None:
        """What rounds cost; None where that is not known."""
        given = self.decisions.costs
        return None if given is None else Costs(self.log, given, self.folds)

    @cached_property
    def seconds(self) -> Costs | None:
        """How long rounds took; None where that is not known."""
        given = self.decisions.seconds
        return None if given is None else Costs(self.log, given, self.folds)

    def value(self, target: Target) -> PolicyAnswer:
        """Value one policy.

        Args:
            target: the policy.

        Raises:
            UnknownName: the table lacks what the rule reads.
            NotApplicable: the log has no propensities.
        """
        log, policy = self.log, target.policy(self.table, self.log.arms)
        evaluation = Evaluation.of(log, policy, self.model)
        knows = support(evaluation, self.behaviour)
        done = naive(evaluation)
        bounds = self._bounds(evaluation)
        found = self._estimates(evaluation) if knows.matching else {}
        settled = knows.verdict != "none"
        best = found[_BEST] if settled else None
        told, change = self._intervals(found, resample=settled)
        return PolicyAnswer(
            target=target,
            logging=done.estimate(self.level),
            value=told[_BEST] if best else bounds["support"],
            estimator=_BEST if settled else "bounds",
            estimates=told,
            change=change if best else None,
            cost=self._priced(policy, self.costs, resample=settled),
            seconds=self._priced(policy, self.seconds, resample=settled),
            support=knows,
            bounds=bounds,
            sensitivity=self._sensitivity(evaluation, best, done) if best else None,
            controls=tuple(self._control(evaluation, name) for name in self.controls) if best else (),
            drift=self._drift(evaluation, best) if best else None,
            verdict=_VERDICTS[knows.verdict],
            assumes=self._assumes,
            intervals=self.intervals if settled else "influence",
        )

    def _bounds(self, evaluation: Evaluation) -> dict[str, Estimate]:
        """By what they assume."""
        return {
            "support": support_bounds(evaluation, *self._span, self.level, self.behaviour),
            "nothing": natural_bounds(evaluation, *self._span, self.level),
        }

    @property
    def _span(self) -> tuple[float, float]:
        rewards = self.log.rewards
        return self.span or (float(rewards.min()), float(rewards.max()))

    def _intervals(self, found: Mapping[str, Value], *, resample: bool) -> tuple[dict[str, Estimate], Estimate | None]:
        """Of every estimator, and of what the best one says beyond what was done; all in the same resamples."""
        if not found:
            return {}, None
        change = found[_BEST].less(found["naive"])
        if self.intervals == "influence" or not resample:
            return {name: one.estimate(self.level) for name, one in found.items()}, change.estimate(self.level)
        drawn = dict(zip(found, bootstrap(list(found.values()), Draw(self.seed), self.repeats), strict=True))
        paired = drawn[_BEST].less(drawn["naive"])
        return {name: one.estimate(self.level) for name, one in drawn.items()}, paired.estimate(self.level)

    def _estimates(self, evaluation: Evaluation) -> dict[str, Value]:
        mrdr_model = fit_rewards(self.log, self.folds, policy=evaluation.policy)
        return {one.estimator: one for one in all_estimators(evaluation, mrdr_model, _CLIP)}

    def _priced(self, policy: Floats, costs: Costs | None, *, resample: bool) -> Estimate | None:
        if costs is None:
            return None
        value = costs.value(policy)
        if self.intervals == "influence" or not resample:
            return value.estimate(self.level)
        (drawn,) = bootstrap([value], Draw(self.seed), self.repeats)
        return drawn.estimate(self.level)

    def _sensitivity(self, evaluation: Evaluation, best: Value, done: Value) -> Sensitivity:
        draw = Draw(self.seed)
        breaking = sharp_breaking_gamma(evaluation, done.value)
        both, change = (best.value, done.value), best.less(done)
        binary = bool(np.isin(self.log.rewards, (0.0, 1.0)).all()) and min(both) > 0
        steady = 0 < change.standard_error < float("inf")
        return Sensitivity(
            bounds={f"{g:g}": sharp_bounds(evaluation, g, *self._span, self.level) for g in self.gammas},
            unbalanced={f"{g:g}": sensitivity_bounds(evaluation, g, draw, self.level) for g in self.gammas},
            breaking=breaking if np.isfinite(breaking) else None,
            e_value=e_value(both[0] / both[1]) if binary else None,
            robustness=robustness_value(change.value / change.standard_error, change.groups - 1) if steady else None,
        )

    def _control(self, evaluation: Evaluation, column: str) -> Check:
        return negative_control(evaluation, np.array(self.table.numbers(column)), column, level=self.level)

    def _drift(self, evaluation: Evaluation, best: Value) -> Drift | None:
        """Over time: one number a group, at the time of its first round."""
        log = self.log
        if log.times is None:
            return None
        sliced = time_slices(evaluation, sndr)
        groups = group_numbers(log.clusters, len(log))
        sizes = np.bincount(groups)
        means = np.bincount(groups, best.value + best.influence) / sizes
        first = np.full(len(sizes), np.inf)
        np.minimum.at(first, groups, log.times)
        order = np.argsort(first, kind="stable")
        period = self._period(evaluation)
        if len(order) < _SERIES:
            return Drift(slices=sliced, changed=None, period=period)
        found = change_point(means[order], Draw(self.seed))
        return Drift(slices=sliced, changed=found, at=float(first[order][found.at]), period=period)

    def _period(self, evaluation: Evaluation) -> Estimate | None:
        """The value in the period from `since` on: by the whole log, its contexts re-weighted to that period."""
        log = self.log
        if self.since is None or log.times is None or log.contexts is None:
            return None
        weights = period_weights(log.contexts, log.contexts[log.times >= self.since], Draw(self.seed))
        return reweighted(evaluation, weights).estimate(self.level)

    @property
    def _assumes(self) -> tuple[str, ...]:
        told = {
            "logged": "The logged propensities are those by which arms were taken.",
            "declared": "Arms were taken with the declared probabilities, whatever the context.",
            "fitted": "Propensities are fitted: choices followed the context alone, as a logistic regression sees it.",
        }[self.propensities]
        return (told, _INSIDE, _LIKE)


def summarise_log(decisions: Decisions, propensities: Propensities, left_out: int = 0, runs: int = 0) -> LogSummary:
    """What the log holds, and what a naive analysis would compare.

    Args:
        decisions: the log.
        propensities: where they come from.
        left_out: runs that are not in it.
        runs: how many runs the decisions are steps of; 0 where each is valued by itself.
    """
    log = decisions.log
    counts = np.bincount(log.actions, minlength=len(log.arms))
    sums = np.bincount(log.actions, log.rewards, minlength=len(log.arms))
    groups = runs if runs and log.clusters is None else int(group_numbers(log.clusters, len(log)).max()) + 1
    return LogSummary(
        rounds=len(log),
        groups=groups,
        arms={
            arm: (float(count / len(log)), float(total / count) if count and not runs else None)
            for arm, count, total in zip(log.arms, counts, sums, strict=True)
        },
        propensities=propensities,
        context=decisions.encoding.names,
        left_out=left_out,
        runs=runs or None,
    )
