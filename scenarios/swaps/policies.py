"""Values of routing policies from confounded logs of AgentDojo, held to what its models truly did.

A log: items (a user task under an injected one), each put to one of two models with a known probability; hard items, by
what all other models made of them, go to the strong one four times in five. A policy puts all items to one model; its
truth is that model's mean over all items there are, of which a log holds some. Items are fixed and outcomes recorded
once, so that intervals, which allow for others, should hold the truth more often than they say.

Weighting with the logged propensities is right; with propensities fitted to the suite, which does not tell how hard an
item is, it is not. Abduction sees no propensity; it learns from runs of the same items by `others` more models.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from ifonly.agents.records import Record
from ifonly.scenarios.swaps.cells import MAIN_ATTACK
from ifonly.scm.draw import Draw
from ifonly.scm.policy.doubly_robust import sndr
from ifonly.scm.policy.evaluation import Evaluation
from ifonly.scm.policy.logged import Logged
from ifonly.scm.policy.nuisance import assign_folds, fit_propensities, fit_rewards
from ifonly.scm.policy.weighting import ipw, naive, snipw
from ifonly.sim.policy.replaying import ABDUCTION, RunsReplayed
from ifonly.sim.swaps.world import Observed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ifonly.scenarios.swaps.cells import Table
    from ifonly.scm.estimate import Estimate
    from ifonly.scm.policy.logged import Floats, Ints
    from ifonly.sim.swaps.cells import Cell

__all__ = ["MODELS", "PolicyRow", "policy_rows"]

MODELS: Final = ("gpt-4o-2024-05-13", "gemini-1.5-flash-001")
"""The strong model, and the weak one."""

_TO_STRONG: Final = 0.8
"""Chance that a hard item goes to the strong model, and an easy one to the weak."""

RAW = "mean of its runs"


class PolicyRow(Record):
    """One estimator of one policy, over logs.

    Attributes:
        policy: the model that takes all.
        estimator: its name.
        truth: that model's mean over all items.
        bias: mean error.
        rmse: root of the mean squared error.
        coverage: share of 95 % intervals that hold the truth.
        width: mean width of the intervals.
    """

    policy: str
    estimator: str
    truth: float
    bias: float
    rmse: float
    coverage: float
    width: float


def policy_rows(table: Table, logs: int, items: int = 150, others: int | None = None) -> Iterator[PolicyRow]:
    """Draw logs, value both policies on each, and score every estimator.

    Args:
        table: of `ifonly.scenarios.swaps.cells.tables`.
        logs: how many.
        items: of each log.
        others: models whose runs of the items abduction learns from; all others, if None.
    """
    known = _by_item(table)
    truth = {model: float(np.mean([cells[model][1] for cells in known])) for model in MODELS}
    found: dict[tuple[str, str], list[Estimate]] = {}
    for seed in range(logs):
        for key, estimate in _one_log(known, seed, items, others).items():
            found.setdefault(key, []).append(estimate)
    for (model, name), estimates in found.items():
        errors = np.array([(one.value or 0.0) - truth[model] for one in estimates])
        yield PolicyRow(
            policy=model,
            estimator=name,
            truth=truth[model],
            bias=float(errors.mean()),
            rmse=float(np.sqrt(np.square(errors).mean())),
            coverage=float(np.mean([one.low <= truth[model] <= one.high for one in estimates])),
            width=float(np.mean([one.high - one.low for one in estimates])),
        )


def _by_item(table: Table) -> list[dict[str, tuple[Cell, float]]]:
    """Cell and outcome by model, of every item that all models met, in the plain agent."""
    found: dict[object, dict[str, tuple[Cell, float]]] = {}
    for cell, outcome in zip(table.cells, table.outcomes, strict=True):
        if cell.attack == MAIN_ATTACK and cell.agent == "agentdojo":
            found.setdefault(cell.item, {})[cell.model] = cell, float(outcome)
    most = max(map(len, found.values()))
    return [met for met in found.values() if len(met) == most]


def _one_log(
    known: Sequence[Mapping[str, tuple[Cell, float]]], seed: int, items: int, others: int | None
) -> dict[tuple[str, str], Estimate]:
    """Estimates by policy and estimator."""
    draw = Draw(seed)
    rest = sorted(known[0].keys() - set(MODELS))
    ease = np.array([np.mean([met[model][1] for model in rest]) for met in known])
    rank = np.argsort(np.argsort(ease + 1e-6 * draw.uniform("ties", ease.shape)))
    picked = draw.generator("items").permutation(len(known))[:items]
    chance = np.where(rank[picked] < len(known) / 2, _TO_STRONG, 1 - _TO_STRONG)
    actions = (draw.uniform("taken", (items,)) > chance).astype(np.intp)
    logged = [known[item][MODELS[action]] for item, action in zip(picked, actions, strict=True)]
    told = [str(name) for name in draw.generator("others").permutation(rest)[: len(rest) if others is None else others]]
    world = RunsReplayed.of(
        _seen(logged), MODELS, _seen([known[item][model] for item in picked for model in told]), seed=seed
    )
    log = _log(actions, logged, np.where(actions == 0, chance, 1 - chance))
    fitted = Logged(
        actions, log.rewards, MODELS, behaviour=fit_propensities(log), contexts=log.contexts, clusters=log.clusters
    )
    model, found = fit_rewards(log, assign_folds(log, draw=draw)), {}
    for place, name in enumerate(MODELS):
        policy = np.eye(len(MODELS))[place]
        right, wrong = Evaluation.of(log, policy, model), Evaluation.of(fitted, policy, model)
        for value in (ipw(right), snipw(right), sndr(right)):
            found[name, f"{value.estimator}, propensities logged"] = value.estimate()
        found[name, "sndr, propensities fitted"] = sndr(wrong).estimate()
        raw = log.take(np.flatnonzero(actions == place))
        found[name, RAW] = naive(Evaluation.of(raw, policy)).estimate()
        found[name, ABDUCTION] = world.value(np.tile(policy, (items, 1)), MODELS)[0]
    return found


def _log(actions: Ints, logged: Sequence[tuple[Cell, float]], propensities: Floats) -> Logged:
    suites = sorted({str(cell.suite) for cell, _ in logged})
    return Logged(
        actions,
        np.array([outcome for _, outcome in logged]),
        MODELS,
        propensities,
        contexts=np.array([[float(cell.suite == suite) for suite in suites] for cell, _ in logged]),
        clusters=np.unique([cell.task for cell, _ in logged], return_inverse=True)[1].astype(np.intp),
    )


def _seen(runs: Sequence[tuple[Cell, float]]) -> Observed:
    return Observed([cell for cell, _ in runs], [outcome for _, outcome in runs], [""] * len(runs))
