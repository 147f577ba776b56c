"""A log in which a defence was on where the risk was higher, drawn from an experiment in which both are known.

    risk of the pair ---> defended ---> outcome
           +-------------------------------^

Risk: how often other models obeyed that injection in that task, cut into fifths by rank. The rule is known: the
defence is on with probability .1, .3, .5, .7, .9 from the lowest fifth to the highest. One outcome of each pair is then
hidden, so that what the log says can be held to what the experiment knows: the mean difference over the same pairs.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from ifonly.scenarios.agentic.experiment import BASE, SUCCESS, Arm
from ifonly.scm.draw import Draw
from ifonly.scm.policy.doubly_robust import sndr
from ifonly.scm.policy.evaluation import Evaluation
from ifonly.scm.policy.logged import Logged
from ifonly.scm.policy.nuisance import assign_folds, fit_propensities, fit_rewards
from ifonly.scm.strata import standardised

if TYPE_CHECKING:
    from ifonly.scenarios.agentic.experiment import Experiment
    from ifonly.scm.clustered import Clustered, Floats, Ints
    from ifonly.scm.policy.value import Value

__all__ = ["CHANCES", "Pairs", "Switched", "adjusted", "over_logs", "pairs_of", "raw", "robust", "switched"]

CHANCES: Final = (0.1, 0.3, 0.5, 0.7, 0.9)
"""That the defence is on, by fifth of risk."""

_HIDDEN = 0.04
"""How much more often it is on where the bare agent would obey, if the rule knows that."""


@dataclass(frozen=True, eq=False)
class Pairs:
    """Pairs of user and injection task, with the outcome under both arms.

    Attributes:
        tasks: number of the user task, shape (n,).
        suites: number of the suite, shape (n,).
        risk: share of other models that obeyed, shape (n,).
        fifth: 0 to 4, by rank of the risk, shape (n,).
        bare: outcome without the defence, shape (n,).
        defended: outcome with it, shape (n,).
        obeys: whether the bare agent obeyed the injection, shape (n,).
    """

    tasks: Ints
    suites: Ints
    risk: Floats
    fifth: Ints
    bare: Floats
    defended: Floats
    obeys: Floats

    @property
    def truth(self) -> float:
        """The mean effect over the pairs."""
        return float((self.defended - self.bare).mean())


@dataclass(frozen=True, eq=False)
class Switched:
    """The log: what was on, and the outcome of that alone.

    Attributes:
        pairs: all that is known, of which an analyst sees tasks, suites and risk.
        on: whether the defence was on, shape (n,).
        outcome: shape (n,).
    """

    pairs: Pairs
    on: Ints
    outcome: Floats


def pairs_of(experiment: Experiment, score: str, defence: str) -> Pairs:
    """Every pair of tasks that the base model met with and without a defence, under the main attack.

    Args:
        experiment: the experiment.
        score: of the outcome.
        defence: which.
    """
    bare, defended = Arm().attacked, Arm(BASE, defence).attacked
    success = experiment.outcomes[SUCCESS]
    others = [success[Arm(model).attacked] for model in experiment.models if model != BASE]
    off, on = (experiment.outcomes[score][arm] for arm in (bare, defended))
    keys = sorted(off.keys() & on.keys())
    risk = np.array([np.mean([other[key] for other in others if key in other]) for key in keys])
    ranks = np.argsort(np.argsort(risk, kind="stable"), kind="stable")
    return Pairs(
        tasks=np.searchsorted(experiment.tasks, [key[0] for key in keys]),
        suites=np.searchsorted(experiment.names, [experiment.suites[key[0]] for key in keys]),
        risk=risk,
        fifth=(ranks * len(CHANCES) // len(keys)).astype(np.intp),
        bare=np.array([off[key] for key in keys]),
        defended=np.array([on[key] for key in keys]),
        obeys=np.array([success[bare][key] for key in keys]),
    )


def switched(pairs: Pairs, seed: int, *, foresees: bool = False) -> Switched:
    """Draw the log.

    Args:
        pairs: all outcomes.
        seed: of the switch.
        foresees: whether the rule also knows, as the log does not, where the bare agent would obey: then the chance is
            .09 higher there and .09 lower elsewhere, so that no analysis of the log can be right.
    """
    chance = np.array(CHANCES)[pairs.fifth] + (_HIDDEN * (2 * pairs.obeys - 1) if foresees else 0.0)
    on = (Draw(seed).uniform("switch", (len(chance),)) < chance).astype(np.intp)
    return Switched(pairs, on, np.where(on == 1, pairs.defended, pairs.bare))


def raw(log: Switched) -> Clustered:
    """The naive analysis: mean with the defence on less mean with it off, runs taken as independent."""
    everyone = np.zeros(len(log.on), dtype=np.intp)
    return _contrast(log, everyone, None)


def adjusted(log: Switched) -> Clustered:
    """Standardised over fifths of the risk; errors clustered by user task."""
    return _contrast(log, log.pairs.fifth, log.pairs.tasks)


def robust(log: Switched, seed: int = 0) -> Value:
    """Doubly robust, self-normalised: nuisances from risk and suite, cross-fitted over whole user tasks.

    Args:
        log: the log.
        seed: of the folds.
    """
    pairs = log.pairs
    contexts = np.column_stack([pairs.risk, pairs.fifth, np.eye(int(pairs.suites.max()) + 1)[pairs.suites]])
    made = Logged(log.on, log.outcome, ("bare", "defended"), contexts=contexts, clusters=pairs.tasks)
    folds = assign_folds(made, draw=Draw(seed))
    known = replace(made, behaviour=fit_propensities(made, folds))
    model = fit_rewards(known, folds)
    on, off = (sndr(Evaluation.of(known, np.eye(2)[arm], model)) for arm in (1, 0))
    return on.less(off)


def over_logs(pairs: Pairs, logs: int) -> tuple[tuple[str, float, float, float], ...]:
    """Mean error, root mean squared error, and share of 95 % intervals that hold the truth, over many logs.

    Args:
        pairs: all outcomes.
        logs: how many; seeds 0, 1, ...
    """
    found: dict[str, list[tuple[float, bool]]] = {}
    for seed in range(logs):
        log = switched(pairs, seed)
        for name, made in (("raw means", raw(log).naive_estimate()), ("standardised", adjusted(log).estimate())):
            value = made.value if made.value is not None else float("nan")
            found.setdefault(name, []).append((value - pairs.truth, made.low <= pairs.truth <= made.high))
    return tuple(
        (
            name,
            float(np.mean([error for error, _ in errors])),
            float(np.sqrt(np.mean([error**2 for error, _ in errors]))),
            float(np.mean([held for _, held in errors])),
        )
        for name, errors in found.items()
    )


def _contrast(log: Switched, strata: Ints, clusters: Ints | None) -> Clustered:
    on, off = (standardised(log.on == arm, log.outcome, strata, clusters=clusters) for arm in (1, 0))
    return on.plus(off, -1.0)
