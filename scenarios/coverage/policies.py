"""How often intervals of policy values hold the truth: over many logs of the dispatcher, estimator by estimator.

Each estimator is tried where its assumptions hold, and where they do not: wrong propensities, a wrong reward model, an
arm never tried, rewards of infinite variance, rounds that are not independent. There it must fail, and is shown to.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from sklearn.tree import DecisionTreeRegressor

from ifonly.agents.records import Record
from ifonly.scenarios.bandit import ARMS, CONTEXTS, Dispatcher, Ticketed
from ifonly.scm.draw import Draw
from ifonly.scm.policy.bootstrap import bootstrap
from ifonly.scm.policy.doubly_robust import dm, dr, dr_os, sndr, switch_dr
from ifonly.scm.policy.evaluation import Evaluation
from ifonly.scm.policy.nuisance import assign_folds, fit_propensities, fit_rewards
from ifonly.scm.policy.tuning import tuned
from ifonly.scm.policy.value import Value
from ifonly.scm.policy.weighting import ipw, naive, snipw

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from ifonly.scm.estimate import Estimate
    from ifonly.scm.policy.logged import Floats, Logged

__all__ = ["CASES", "FITTED", "PolicyCovered", "policy_coverage"]

_TARGET = np.tile([0.1, 0.1, 0.8], (CONTEXTS, 1))
_WRONG = np.array([0.1, 0.5, 0.9])
_TOGETHER = 5
_REPEATS = 400
_LEAF = 5


class PolicyCovered(Record):
    """How one estimator did in one case.

    Attributes:
        estimator: which.
        case: what was given to it.
        holds: whether its assumptions hold there; None where its interval promises nothing.
        logs: how many.
        covered: share of logs whose 95 % interval holds the truth.
        width: mean width.
        bias: mean of value less truth.
    """

    estimator: str
    case: str
    holds: bool | None
    logs: int
    covered: float
    width: float
    bias: float


@dataclass(frozen=True, eq=False)
class _Log:
    """One log of each kind, with what the cases need of it."""

    rounds: int
    draw: Draw

    @cached_property
    def plain(self) -> Ticketed:
        return Dispatcher().log(self.rounds, self.draw)

    @cached_property
    def wrong(self) -> Evaluation:
        """Known propensities, a wrong reward model."""
        return _evaluation(self.plain.log, self.plain, np.broadcast_to(_WRONG, (CONTEXTS, len(ARMS))))

    @cached_property
    def right(self) -> Evaluation:
        """Known propensities, the true reward model."""
        return _evaluation(self.plain.log, self.plain, Dispatcher().means)

    @cached_property
    def misread(self) -> Evaluation:
        """Wrong propensities, a wrong reward model."""
        return replace(self.wrong, log=Dispatcher().misread(self.plain))

    @cached_property
    def misread_right(self) -> Evaluation:
        """Wrong propensities, the true reward model."""
        return replace(self.right, log=Dispatcher().misread(self.plain))

    @cached_property
    def clustered(self) -> Evaluation:
        """Five rounds of each ticket."""
        ticketed = Dispatcher().log(self.rounds, self.draw, _TOGETHER)
        return _evaluation(ticketed.log, ticketed, Dispatcher().means)

    @cached_property
    def split(self) -> Evaluation:
        """The same, as if they were independent."""
        return replace(self.clustered, log=replace(self.clustered.log, clusters=None))

    @cached_property
    def tailed(self) -> Evaluation:
        ticketed = Dispatcher(tail=1.2).log(self.rounds, self.draw)
        return _evaluation(ticketed.log, ticketed, Dispatcher().means)

    @cached_property
    def untried(self) -> Evaluation:
        ticketed = Dispatcher(untried=True).log(self.rounds, self.draw)
        return _evaluation(ticketed.log, ticketed, np.broadcast_to(_WRONG, (CONTEXTS, len(ARMS))))

    @cached_property
    def followed(self) -> Evaluation:
        """The logging policy itself as target."""
        return Evaluation.of(self.plain.log, Dispatcher().logging[self.plain.contexts])

    @cached_property
    def learned(self) -> Evaluation:
        """Both nuisances fitted on other folds."""
        log = replace(self.plain.log, propensities=None, behaviour=None)
        folds = assign_folds(log)
        log = replace(log, behaviour=fit_propensities(log, folds))
        rewards = fit_rewards(log, folds, DecisionTreeRegressor(min_samples_leaf=_LEAF))
        return Evaluation.of(log, self.right.policy, rewards)

    @cached_property
    def weighted(self) -> Evaluation:
        """Known propensities, and the reward model of MRDR."""
        regressor = DecisionTreeRegressor(min_samples_leaf=_LEAF)
        return replace(self.right, model=fit_rewards(self.plain.log, estimator=regressor, policy=self.right.policy))

    def resampled(self, value: Value) -> Estimate:
        """With the interval of the bootstrap."""
        return bootstrap([value], self.draw, _REPEATS)[0].estimate()

    def held(self, evaluation: Evaluation) -> Value:
        """`snipw` with the denominator held fixed, as Open Bandit Pipeline resamples it."""
        value = snipw(evaluation)
        return replace(value, influence=evaluation.weighted / evaluation.weights.mean() - value.value, normalised=None)


def _evaluation(log: Logged, ticketed: Ticketed, model: Floats) -> Evaluation:
    return Evaluation.of(log, _TARGET[ticketed.contexts], model[ticketed.contexts])


CASES: Mapping[tuple[str, str, bool | None], Callable[[_Log], Value | Estimate]] = {
    ("naive", "the policy that was followed", True): lambda log: naive(log.followed),
    ("dm", "true reward model", True): lambda log: dm(log.right),
    ("ipw", "known propensities", True): lambda log: ipw(log.right),
    ("ipw", "clipped above every weight", True): lambda log: ipw(log.right, 10.0),
    ("snipw", "known propensities", True): lambda log: snipw(log.right),
    ("snipw", "bootstrap", True): lambda log: log.resampled(snipw(log.right)),
    ("dr", "wrong reward model", True): lambda log: dr(log.wrong),
    ("dr", "wrong propensities, true reward model", True): lambda log: dr(log.misread_right),
    ("dr", "five rounds a ticket, as clusters", True): lambda log: dr(log.clustered),
    ("dr", "bootstrap of clusters", True): lambda log: log.resampled(dr(log.clustered)),
    ("sndr", "wrong reward model", True): lambda log: sndr(log.wrong),
    ("sndr", "bootstrap", True): lambda log: log.resampled(sndr(log.wrong)),
    ("switch-dr", "true reward model, lambda 3", True): lambda log: switch_dr(log.right, 3.0),
    ("dr-os", "true reward model, lambda 9", True): lambda log: dr_os(log.right, 9.0),
    ("naive", "another policy", False): lambda log: naive(log.right),
    ("dm", "wrong reward model", False): lambda log: dm(log.wrong),
    ("ipw", "wrong propensities", False): lambda log: ipw(log.misread),
    ("ipw", "clipped at 2", False): lambda log: ipw(log.right, 2.0),
    ("ipw", "infinite variance", False): lambda log: ipw(log.tailed),
    ("ipw", "an arm never tried", False): lambda log: ipw(log.untried),
    ("snipw", "wrong propensities", False): lambda log: snipw(log.misread),
    ("snipw", "an arm never tried", False): lambda log: snipw(log.untried),
    ("snipw", "denominator held fixed, as OBP does", False): lambda log: log.held(log.right),
    ("dr", "both wrong", False): lambda log: dr(log.misread),
    ("dr", "infinite variance", False): lambda log: dr(log.tailed),
    ("dr", "an arm never tried, wrong reward model", False): lambda log: dr(log.untried),
    ("dr", "five rounds a ticket, as independent", False): lambda log: dr(log.split),
    ("sndr", "both wrong", False): lambda log: sndr(log.misread),
    ("switch-dr", "wrong reward model, lambda 2", False): lambda log: switch_dr(log.wrong, 2.0),
    ("dr-os", "wrong reward model, lambda 2", False): lambda log: dr_os(log.wrong, 2.0),
    ("switch-dr", "wrong reward model, lambda by slope", None): lambda log: tuned(log.wrong, switch_dr).value,
}
"""Estimator, case, and whether its assumptions hold; with what to compute from a log."""

FITTED: Mapping[tuple[str, str, bool | None], Callable[[_Log], Value | Estimate]] = {
    ("dr", "both nuisances cross-fitted", True): lambda log: dr(log.learned),
    ("sndr", "both nuisances cross-fitted", True): lambda log: sndr(log.learned),
    ("mrdr", "reward model cross-fitted", True): lambda log: dr(log.weighted, name="mrdr"),
    ("dm", "reward model cross-fitted", False): lambda log: dm(log.learned),
}
"""The same with fitted nuisances, which take longer."""


def policy_coverage(
    logs: int,
    seed: int = 0,
    rounds: int = 1_000,
    cases: Mapping[tuple[str, str, bool | None], Callable[[_Log], Value | Estimate]] = CASES,
) -> list[PolicyCovered]:
    """Draw logs of the dispatcher, and count how often each case's 95 % interval holds the value.

    The policy takes the strong model with probability .8 whatever the ticket; its value is known by enumeration.

    Args:
        logs: how many.
        seed: of all draws.
        rounds: of each log, a multiple of 5.
        cases: those wanted.
    """
    world = Dispatcher()
    truths = {key: world.value(world.logging if "followed" in key[1] else _TARGET) for key in cases}
    found: dict[tuple[str, str, bool | None], list[Estimate]] = {key: [] for key in cases}
    for number in range(logs):
        log = _Log(rounds, Draw(seed * 1_000_003 + number))
        for key, made in cases.items():
            one = made(log)
            found[key].append(one.estimate() if isinstance(one, Value) else one)
    return [_row(key, truths[key], found[key]) for key in cases]


def _row(key: tuple[str, str, bool | None], truth: float, found: Iterable[Estimate]) -> PolicyCovered:
    ends = np.array([(one.low, one.high, truth if one.value is None else one.value) for one in found])
    low, high, value = ends.T
    return PolicyCovered(
        estimator=key[0],
        case=key[1],
        holds=key[2],
        logs=len(ends),
        covered=float(((low <= truth) & (truth <= high)).mean()),
        width=float((high - low).mean()),
        bias=float(value.mean() - truth),
    )
