"""How often 95 % intervals hold the true value: of each estimator where its assumptions hold, and where they do not.

Each log is drawn anew from `ifonly.scenarios.bandit`, whose values are known exactly. What fails must fail here: an
estimator whose interval held the truth in spite of a wrong input would not be reading that input.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
from sklearn.linear_model import LogisticRegression

from ifonly.scenarios.bandit import known_bandit, with_heavy_tails, without_overlap
from ifonly.scm.draw import Draw
from ifonly.scm.policy.bootstrap import bootstrap
from ifonly.scm.policy.doubly_robust import dm, dr, dr_os, sndr, switch_dr
from ifonly.scm.policy.evaluation import Evaluation
from ifonly.scm.policy.logged import Logged
from ifonly.scm.policy.nuisance import assign_folds, fit_propensities, fit_rewards
from ifonly.scm.policy.weighting import ipw, naive, snipw

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ifonly.scenarios.bandit import Bandit
    from ifonly.scm.policy.bootstrap import Resampled
    from ifonly.scm.policy.logged import Floats, Ints
    from ifonly.scm.policy.value import Value

__all__ = ["CASES", "FITTED", "GROUP", "Case", "Covered", "Kind", "coverage", "draw_logs", "worlds"]

_LAMBDA, _CAP = 1.0, 20.0

Kind = Literal["plain", "no overlap", "heavy tails", "groups"]
"""Of logs: plain; an arm never taken where the target takes it; hardly ever; rounds in groups that share their luck."""

_REPEATS = 200
GROUP = 5
"""Rounds of a group."""


@dataclass(frozen=True)
class Case:
    """An estimator with what it is given.

    Attributes:
        name: of the estimator.
        given: what it is told of the world, in words.
        holds: whether its assumptions hold, so that the interval should cover.
        estimate: from the world, a log and the rows of its contexts.
        kind: of the log: see `Kind`.
        own: whether the target is the behaviour policy itself.
    """

    name: str
    given: str
    holds: bool
    estimate: Callable[[Bandit, Logged, Ints, Floats], Value | Resampled]
    kind: Kind = "plain"
    own: bool = False


@dataclass(frozen=True)
class Covered:
    """What came of a case.

    Attributes:
        case: which.
        share: of the logs whose 95 % interval held the true value.
        bias: mean error of the estimate.
        spread: standard deviation of the estimate over logs.
        told: mean standard error that was told.
    """

    case: Case
    share: float
    bias: float
    spread: float
    told: float


def worlds() -> dict[Kind, Bandit]:
    """The world behind each kind of log."""
    full = known_bandit()
    return {
        "plain": full,
        "no overlap": without_overlap(full),
        "heavy tails": with_heavy_tails(full),
        "groups": full,
    }


def draw_logs(known: Mapping[Kind, Bandit], rounds: int, draw: Draw) -> dict[Kind, tuple[Logged, Ints]]:
    """A log of each kind, with the row of each round's context.

    Args:
        known: of `worlds`.
        rounds: of each.
        draw: of all of them.
    """
    return {kind: world.log(rounds, draw, GROUP if kind == "groups" else 1) for kind, world in known.items()}


def coverage(cases: Sequence[Case], logs: int, rounds: int, seed: int = 0) -> list[Covered]:
    """Estimate the value of the target from many logs, and count how often the interval holds the truth.

    Args:
        cases: all of them see the same logs.
        logs: how many.
        rounds: of a log.
        seed: of the logs: log i draws from seed * 10^6 + i.
    """
    known = worlds()
    found: list[list[tuple[float, float, bool]]] = [[] for _ in cases]
    for number in range(logs):
        drawn = draw_logs(known, rounds, Draw(seed * 10**6 + number))
        for case, results in zip(cases, found, strict=True):
            world, (log, cells) = known[case.kind], drawn[case.kind]
            policy = world.behaviour if case.own else world.target
            value, truth = case.estimate(world, log, cells, policy[cells]), world.value(policy)
            interval = value.estimate()
            error = (interval.value or 0.0) - truth
            results.append((error, value.standard_error, interval.low <= truth <= interval.high))
    return [_summary(case, results) for case, results in zip(cases, found, strict=True)]


def _summary(case: Case, results: Sequence[tuple[float, float, bool]]) -> Covered:
    errors, told, held = (np.array(column) for column in zip(*results, strict=True))
    return Covered(case, float(held.mean()), float(errors.mean()), float(errors.std(ddof=1)), float(told.mean()))


def _plain(
    estimator: Callable[[Evaluation], Value], *, chances: bool = True, model: bool | None = None
) -> Callable[[Bandit, Logged, Ints, Floats], Value]:
    """An estimator told right propensities or those of mixed-up arms, and the right, half the right or no model."""

    def estimate(world: Bandit, log: Logged, cells: Ints, policy: Floats) -> Value:
        seen, q = log, None
        if not chances:
            mixed = world.behaviour[cells, -1 - log.actions]
            seen = Logged(log.actions, log.rewards, log.arms, mixed)
        if model is not None:
            q = world.rewards[cells] * (1.0 if model else 0.5)
        return estimator(Evaluation.of(seen, policy, q))

    return estimate


def _fitted(
    estimator: Callable[[Evaluation], Value], *, chances: bool = True, robust: bool = False
) -> Callable[[Bandit, Logged, Ints, Floats], Value]:
    """An estimator with a cross-fitted reward model, and cross-fitted or known propensities."""

    def estimate(world: Bandit, log: Logged, cells: Ints, policy: Floats) -> Value:
        folds = assign_folds(log)
        model = fit_rewards(log, folds, LogisticRegression(), policy if robust else None)
        fitted = fit_propensities(log, folds) if chances else None
        seen = Logged(log.actions, log.rewards, log.arms, behaviour=log.behaviour if fitted is None else fitted)
        return estimator(Evaluation.of(seen, policy, model))

    return estimate


def _grouped(
    estimator: Callable[[Evaluation], Value], *, told: bool, resampled: bool = False
) -> Callable[[Bandit, Logged, Ints, Floats], Value | Resampled]:
    """An estimator with the right reward model, that is told of the groups of rounds or is not."""

    def estimate(world: Bandit, log: Logged, cells: Ints, policy: Floats) -> Value | Resampled:
        seen = log if told else replace(log, clusters=None)
        value = estimator(Evaluation.of(seen, policy, world.rewards[cells]))
        return bootstrap([value], Draw(), _REPEATS)[0] if resampled else value

    return estimate


def _clipped(e: Evaluation) -> Value:
    return ipw(e, _LAMBDA)


def _capped(e: Evaluation) -> Value:
    return ipw(e, _CAP)


def _bounded(e: Evaluation) -> Value:
    return switch_dr(e, _CAP)


def _switched(e: Evaluation) -> Value:
    return switch_dr(e, _LAMBDA)


def _shrunk(e: Evaluation) -> Value:
    return dr_os(e, _LAMBDA)


def _mrdr(e: Evaluation) -> Value:
    return dr(e, name="mrdr")


_KNOWN: Final[Mapping[str, Callable[[Evaluation], Value]]] = {"ipw": ipw, "snipw": snipw}
_RARE: Final = "an arm with a chance of .002"
_GROUPS: Final = f"groups of {GROUP} that share context and luck"
_BOTH: Final[Mapping[str, Callable[[Evaluation], Value]]] = {"ipw": ipw, "dr": dr}
_FAMILY: Final[Mapping[str, Callable[[Evaluation], Value]]] = {"dr": dr, "sndr": sndr}

CASES: Final[tuple[Case, ...]] = (
    Case("naive", "the target is the behaviour policy", True, _plain(naive), own=True),
    *(Case(name, "known propensities", True, _plain(one)) for name, one in _KNOWN.items()),
    Case("dm", "the true reward model", True, _plain(dm, model=True)),
    *(Case(n, "known propensities, wrong reward model", True, _plain(e, model=False)) for n, e in _FAMILY.items()),
    *(
        Case(n, "wrong propensities, true reward model", True, _plain(e, chances=False, model=True))
        for n, e in _FAMILY.items()
    ),
    Case("dr", "no overlap, true reward model", True, _plain(dr, model=True), kind="no overlap"),
    Case("switch-dr, lambda 1", "known propensities, true reward model", True, _plain(_switched, model=True)),
    Case("dr-os, lambda 1", "known propensities, true reward model", True, _plain(_shrunk, model=True)),
    Case("naive", "the target is another policy", False, _plain(naive)),
    Case("ipw, lambda 1", "known propensities, clipped", False, _plain(_clipped)),
    *(Case(name, "wrong propensities", False, _plain(one, chances=False)) for name, one in _KNOWN.items()),
    Case("dm", "a wrong reward model", False, _plain(dm, model=False)),
    *(
        Case(n, "wrong propensities, wrong reward model", False, _plain(e, chances=False, model=False))
        for n, e in _FAMILY.items()
    ),
    Case("switch-dr, lambda 1", "known propensities, wrong reward model", False, _plain(_switched, model=False)),
    Case("dr-os, lambda 1", "known propensities, wrong reward model", False, _plain(_shrunk, model=False)),
    *(Case(name, "no overlap", False, _plain(one), kind="no overlap") for name, one in _KNOWN.items()),
    Case("dr", "no overlap, wrong reward model", False, _plain(dr, model=False), kind="no overlap"),
    *(Case(n, f"{_RARE}, known propensities", False, _plain(e), kind="heavy tails") for n, e in _KNOWN.items()),
    Case("ipw, lambda 20", f"{_RARE}, clipped", False, _plain(_capped), kind="heavy tails"),
    Case("dr", f"{_RARE}, wrong reward model", False, _plain(dr, model=False), kind="heavy tails"),
    Case(
        "switch-dr, lambda 20", f"{_RARE}, wrong reward model", False, _plain(_bounded, model=False), kind="heavy tails"
    ),
    Case("switch-dr, lambda 20", f"{_RARE}, true reward model", True, _plain(_bounded, model=True), kind="heavy tails"),
    *(Case(n, f"{_GROUPS}, ignored", False, _grouped(e, told=False), kind="groups") for n, e in _BOTH.items()),
    *(Case(n, f"{_GROUPS}, told", True, _grouped(e, told=True), kind="groups") for n, e in _BOTH.items()),
    *(
        Case(n, f"{_GROUPS}, resampled whole", True, _grouped(e, told=True, resampled=True), kind="groups")
        for n, e in _BOTH.items()
    ),
)
"""Estimators told what they assume, and then what they do not."""

FITTED: Final[tuple[Case, ...]] = (
    Case("dr", "propensities and reward model cross-fitted", True, _fitted(dr)),
    Case("sndr", "propensities and reward model cross-fitted", True, _fitted(sndr)),
    Case("mrdr", "known propensities, reward model cross-fitted", True, _fitted(_mrdr, chances=False, robust=True)),
)
"""Estimators that fit what they need from the log itself."""
