"""RouteLLM's prompts in an order in which they get harder, a router's log of them, and what policies are worth today.

The prompts have no time. Here they get one: later the harder they are, with a good deal of chance; *today* is the last
third. A router's log then hides one of the two known answers of each prompt (`ifonly.scenarios.routing`). So what each
of ten policies is worth today is known, and so is what it costs.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from ifonly.scenarios.routing import PRICES, confounded_log, hardness, policies, read_prompts
from ifonly.scenarios.routing_bench import COLUMNS
from ifonly.scenarios.study import Asked, Figures, Finding, Picture, SensitivityRow, Series, Study
from ifonly.scm.clustered import clustered_mean
from ifonly.scm.draw import Draw
from ifonly.scm.policy.doubly_robust import sndr
from ifonly.scm.policy.drift import change_point, period_weights, reweighted, time_slices
from ifonly.scm.policy.evaluation import Evaluation
from ifonly.scm.policy.marginal_sensitivity import sensitivity_bounds
from ifonly.scm.policy.nuisance import assign_folds, fit_rewards
from ifonly.sim.policy.decisions import decisions_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ifonly.scenarios.routing import Prompts
    from ifonly.scm.estimate import Estimate
    from ifonly.scm.policy.drift import ChangePoint
    from ifonly.scm.policy.logged import Floats, Logged

__all__ = ["Routed", "real_study", "routed"]

_TODAY: Final = 1 / 3
_CHANCE: Final = 1.5
"""How much of a prompt's time is chance, against 1 for its rank by hardness."""
_ASKED: Final = ("all small", "all large", "large on the hardest quarter", "large the harder, softly")
_GAMMAS: Final = (1.25, 1.5)
_SLICES: Final = 6
_SERIES: Final = 50
"""Prompts whose mean is one point of the series in which a change is looked for."""


@dataclass(frozen=True, eq=False)
class Routed:
    """A router's log, with all that is known beside it.

    Attributes:
        prompts: with both answers.
        late: 1 for prompts of today, shape (n,).
        log: one answer each, with propensities and times.
        model: q(x, a), cross-fitted, shape (n, 2).
        weights: how much likelier a prompt of the log is today, shape (n,).
    """

    prompts: Prompts
    late: Floats
    log: Logged
    model: Floats
    weights: Floats

    def truth(self, policy: Floats) -> float:
        """What a policy is worth today."""
        return float(np.average((policy * self.prompts.correct).sum(1), weights=self.late))

    def cost(self, policy: Floats) -> float:
        """What it costs today, in US dollars a thousand prompts."""
        return float(np.average((policy * self.prompts.costs).sum(1), weights=self.late))

    def raw(self, policy: Floats) -> Estimate:
        """The mean of the rounds in which the policy would likely have done the same."""
        taken = policy[np.arange(len(self.log)), self.log.actions]
        return clustered_mean(self.log.rewards[taken >= taken.max() / 2]).naive_estimate()

    def under(self, policy: Floats) -> Evaluation:
        """The log under a policy."""
        return Evaluation.of(self.log, policy, self.model)

    def today(self, policy: Floats) -> Estimate:
        """The worth today: doubly robust, the log's prompts re-weighted to today's."""
        return reweighted(self.under(policy), self.weights).estimate()


def routed(prompts: Prompts, seed: int) -> Routed:
    """Give prompts their times, and draw a router's log.

    Args:
        prompts: all outcomes.
        seed: of times, of the router's choices, and of folds.
    """
    n, draw = len(prompts.table), Draw(seed)
    rank = np.argsort(np.argsort(hardness(prompts), kind="stable"), kind="stable") / n
    times = rank + _CHANCE * draw.uniform("time", (n,))
    late = (times > np.quantile(times, 1 - _TODAY)).astype(float)
    table, _ = confounded_log(prompts, seed)
    decisions = decisions_of(table, COLUMNS)
    log = replace(decisions.log, times=times)
    weights = period_weights(decisions.features, decisions.features[late == 1], draw)
    return Routed(prompts, late, log, fit_rewards(log, assign_folds(log, draw=draw)), weights)


def real_study(folder: Path, seed: int) -> Study:
    """What RouteLLM's prompts say.

    Args:
        folder: of routellm_routing.
        seed: of times, choices and folds.

    Raises:
        InputError: the folder lacks the outcomes.
    """
    made = routed(read_prompts(folder), seed)
    known = policies(made.prompts)
    asked = tuple(_asked(made, name, known[name]) for name in _ASKED)
    changed = _changed(made, known["all small"])
    return Study(
        source=f"{len(made.log):,} prompts of MMLU and GSM8K, later ones harder; one of two known answers logged",
        asked=asked,
        sensitivity=_sensitivity(made, known),
        figures=(_menu(made, known),),
        pictures=(_over_time(made, known["all small"]),),
        decision=_decision(made, known),
        notes=(
            f"The small model's worth changed at round {changed.at * _SERIES:,} of {len(made.log):,} in time (p = "
            f"{changed.p_value:.3f}), from {changed.before:.2f} to {changed.after:.2f}: the whole log does not speak "
            "of today.",
            "Prices: US dollars per million tokens, in and out: "
            + "; ".join(f"{arm} {price[0]:g} and {price[1]:g}" for arm, price in PRICES.items())
            + " (list prices of November 2023; a token taken as 4 characters).",
        ),
    )


def _asked(made: Routed, name: str, policy: Floats) -> Asked:
    truth = made.truth(policy)
    answers = (
        ("re-weighted to today", made.today(policy), True, "only how often prompts of a kind come has changed"),
        ("doubly robust, whole log", sndr(made.under(policy)).estimate(), False, "prompts have become harder since"),
    )
    raw = made.raw(policy)
    return Asked(
        name=f"{name}, today",
        truth=truth,
        naive=Finding(
            name="raw mean",
            estimate=raw,
            why="the rounds in which it was so: hard prompts went to the large model",
            right=False,
            error=(raw.value or 0.0) - truth,
        ),
        answers=tuple(
            Finding(name=title, estimate=found, why=why, right=right, error=(found.value or 0.0) - truth)
            for title, found, right, why in answers
        ),
    )


def _menu(made: Routed, known: Mapping[str, Floats]) -> Figures:
    return Figures(
        title="ten policies today: cost (US dollars a thousand prompts), and share of right answers",
        titles=("policy", "cost", "truth", "re-weighted to today", "low", "high", "raw mean"),
        rows=tuple(
            (name, made.cost(policy), made.truth(policy), found.value or 0.0, found.low, found.high, _raw(made, policy))
            for name, policy in known.items()
            for found in (made.today(policy),)
        ),
    )


def _decision(made: Routed, known: Mapping[str, Floats]) -> str:
    """What to take within a budget of half of what the large model costs."""
    budget = made.cost(known["all large"]) / 2
    within = {name: policy for name, policy in known.items() if made.cost(policy) <= budget}
    ours = max(within, key=lambda name: made.today(within[name]).value or 0.0)
    theirs = max(within, key=lambda name: _raw(made, within[name]))
    best = max(within, key=lambda name: made.truth(within[name]))
    found = made.today(within[ours])
    lost = made.truth(within[ours]) - made.truth(within[theirs])
    told = f"so would raw means, which promise {_raw(made, within[theirs]):.2f}"
    if theirs != ours:
        told = f"raw means would have taken {theirs!r}, which is {lost:.3f} worse"
    return (
        f"For at most ${budget:.2f} a thousand prompts, half of what the large model costs, take {ours!r}: "
        f"{found.value or 0:.3f} [{found.low:.3f}, {found.high:.3f}] right today; {told}. "
        f"The best of the ten within it is truly {best!r}, {made.truth(within[best]):.3f}."
    )


def _sensitivity(made: Routed, known: Mapping[str, Floats]) -> tuple[SensitivityRow, ...]:
    evaluation = made.under(known["all small"])
    return tuple(
        SensitivityRow(
            assumption="the logged propensities are those by which models were taken",
            failing=f"something unlogged moved their odds by up to {gamma:g} (all small, over the whole log)",
            estimate=sensitivity_bounds(evaluation, gamma, Draw(0)),
        )
        for gamma in _GAMMAS
    )


def _changed(made: Routed, policy: Floats) -> ChangePoint:
    value = sndr(made.under(policy))
    order = np.argsort(made.log.times if made.log.times is not None else made.late, kind="stable")
    told = (value.value + value.influence)[order]
    return change_point(told[: len(told) // _SERIES * _SERIES].reshape(-1, _SERIES).mean(1), Draw(0))


def _over_time(made: Routed, policy: Floats) -> Picture:
    """The small model's worth in six stretches of time, as estimated and as it truly was."""
    sliced = time_slices(made.under(policy), sndr, _SLICES).slices
    kept = [(one.first, one.last, one.value) for one in sliced if one.value is not None and one.value.value is not None]
    times, worth = made.log.times, (policy * made.prompts.correct).sum(1)
    inside = [(times >= first) & (times <= last) for first, last, _ in kept] if times is not None else []
    x = tuple(float(place + 1) for place in range(len(kept)))
    return Picture(
        title="the small model's worth, by sixths of the log in time",
        x="sixth",
        y="share right",
        series=(
            Series(
                name="doubly robust",
                x=x,
                y=tuple(value.value or 0.0 for _, _, value in kept),
                low=tuple(value.low for _, _, value in kept),
                high=tuple(value.high for _, _, value in kept),
            ),
            Series(name="truth", x=x, y=tuple(float(worth[mine].mean()) for mine in inside)),
        ),
    )


def _raw(made: Routed, policy: Floats) -> float:
    return made.raw(policy).value or 0.0
