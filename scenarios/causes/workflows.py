"""The agent of `scenarios.credit.workflow` as a program: any graph, number of steps, options, models and fault rate.

At every step k, with j over the steps that its law (or its tool) reads:

    fault ------------+
    model/k ----------+---> choice/k ---> result/k ---> choice and result of later steps
    result/j (law) ---+                    ^
    result/j, choice/j (tool) -------------+

A choice is Gumbel-max over the model's law in a clean or corrupted context; at the step of the fault the law is a point
on the bad option. A result is 1 if corrupted; the run fails if the last one is.

Truth: `scenarios.credit.truth.Posterior`, which sums over the fault and the moves of the choices. The naive analysis
draws everything from the step on anew: it forgets what the log says of the noise of later steps.
"""

from __future__ import annotations

from functools import cached_property
from itertools import product
from typing import TYPE_CHECKING, Final

import numpy as np

from ifonly.scenarios.credit.truth import Made, Posterior, make_runs
from ifonly.scenarios.credit.workflow import GOOD, Workflow, drawn, shipped
from ifonly.scenarios.known import KnownWorld, Law, Query
from ifonly.scm.actions import Put
from ifonly.scm.discrete import GumbelMax, look_up
from ifonly.scm.finite import choice
from ifonly.scm.fixed import Function
from ifonly.scm.kernel import Node, endogenous
from ifonly.scm.nested import Sampling
from ifonly.scm.queries import counterfactual

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from ifonly.scm.estimate import Estimate
    from ifonly.scm.gumbel import Floats
    from ifonly.scm.steps import Actions, World

__all__ = ["WORLDS", "actions_of", "facts_of", "world"]

_BY: Final = Sampling(particles=4_000, seed=0, level=1 - 1e-6)
_DRAWS: Final = 2_000


def world(workflow: Workflow) -> World:
    """Return a workflow as a program with the sites ``fault``, ``model/k``, ``choice/k`` and ``result/k``.

    Args:
        workflow: its graph and laws; models are drawn by its logging policy, so that facts or actions may set them.
    """
    steps = range(workflow.steps)
    share = workflow.fault / workflow.steps
    faults = choice((-1, *steps), (1 - workflow.fault, *(share for _ in steps)))
    models = choice(tuple(range(len(workflow.models))), workflow.logging)
    choosing = [GumbelMax(_logits(workflow, k)) for k in steps]
    tools = [Function(_tool(workflow, k)) for k in steps]
    clash = [[j for at, pair in workflow.clash if at == k for j in pair] for k in steps]

    def run() -> None:
        fault = endogenous("fault", faults)
        chosen: list[Node[Any]] = []
        results: list[Node[Any]] = []
        for k in steps:
            model = endogenous(f"model/{k}", models)
            reads = [results[j] for j in workflow.reads[k]]
            chosen.append(endogenous(f"choice/{k}", choosing[k], fault, model, *reads))
            read = [*(results[j] for j in workflow.parents[k]), *(chosen[j] for j in clash[k])]
            results.append(endogenous(f"result/{k}", tools[k], chosen[k], *read))

    return run


def facts_of(models: Sequence[Any], factual: Sequence[tuple[Any, Any]]) -> dict[str, Any]:
    """Return what a log says, by site.

    Args:
        models: of each step.
        factual: (corrupted, choice) of each step.
    """
    facts: dict[str, Any] = {f"model/{k}": model for k, model in enumerate(models)}
    for k, (corrupted, chosen) in enumerate(factual):
        facts |= {f"choice/{k}": chosen, f"result/{k}": corrupted}
    return facts


def actions_of(put: Mapping[int, int], models: Mapping[int, int] | None = None) -> Actions:
    """Return what a what-if does: options and models by step."""
    chosen = {f"choice/{k}": Put(option) for k, option in put.items()}
    return {**chosen, **{f"model/{k}": Put(model) for k, model in (models or {}).items()}}


def _logits(workflow: Workflow, k: int) -> Callable[..., Any]:
    own = workflow.log_laws[k]
    forced = np.full_like(own, -np.inf)
    forced[..., -1] = 0.0
    row = look_up(np.stack([own, forced]))
    return lambda fault, model, *corrupted: row(fault == k, sum(corrupted) > 0, model)


def _tool(workflow: Workflow, k: int) -> Callable[..., Any]:
    """`Workflow.corrupted` in arithmetic, so that it holds for one unit and for many."""
    bad, parents = workflow.options - 1, len(workflow.parents[k])

    def corrupted(chosen: Any, *read: Any) -> Any:
        harmed = 1 * (sum(read[:parents]) > 0)
        # Choices of a clash come in pairs.
        for a, b in zip(read[parents::2], read[parents + 1 :: 2], strict=True):
            both = (a > GOOD) * (a < bad) * (b > GOOD) * (b < bad)
            harmed = harmed + (1 - harmed) * both
        cured = 1 * (chosen == GOOD) if k == workflow.undo else 0
        wrong = 1 * (chosen == bad)
        return wrong + (1 - wrong) * (1 - cured) * harmed

    return corrupted


class _Failed:
    """One failed run of a workflow, and what is known of its what-ifs."""

    def __init__(self, name: str, workflow: Workflow, seed: int) -> None:
        """Take the first failed run of a seed whose earliest decisive step comes after the first two."""
        self.name, self.workflow, self.program = name, workflow, world(workflow)
        self.last = f"result/{workflow.steps - 1}"
        made = make_runs(workflow, 100, np.random.default_rng(seed))
        good = range(workflow.steps)
        self.made, self.k = next(
            (one, flips[0])
            for one in made
            if one.run()[-1][0] and (flips := [k for k in good if not one.run({k: GOOD})[-1][0]]) and flips[0] > 1
        )
        self.factual = tuple(self.made.run())
        self.posterior = Posterior(workflow, self.made.models, self.factual)
        self.facts = facts_of(self.made.models, self.factual)

    @cached_property
    def alike(self) -> list[tuple[float, Made]]:
        """Weighted runs with the same log: noise by rejection at every step, faults by their weights."""
        generator, world_ = np.random.default_rng(0), self.workflow
        laws = [world_.law(k, [c for c, _ in self.factual], self.made.models[k]) for k in range(world_.steps)]
        taken = [chosen for _, chosen in self.factual]
        own = np.stack([_rejected(generator, law, chosen) for law, chosen in zip(laws, taken, strict=True)], 1)
        free = generator.gumbel(size=own.shape)
        p = np.exp([law[chosen] for law, chosen in zip(laws, taken, strict=True)])
        runs = []
        for f in (-1, *(k for k, chosen in enumerate(taken) if chosen == world_.options - 1)):
            noise = own.copy()
            if f >= 0:
                noise[:, f] = free[:, f]
            weight = (1 - world_.fault) * p.prod() if f < 0 else world_.fault / world_.steps * p.prod() / p[f]
            runs += [(float(weight), Made(world_, one, f, self.made.models)) for one in noise]
        return runs

    def brute(self, put: Mapping[int, int], models: Sequence[int]) -> float:
        """The share of runs with the same log that would have succeeded."""
        weights = np.array([weight for weight, _ in self.alike])
        solved = np.array([1 - one.run(put, models)[-1][0] for _, one in self.alike])
        return float(weights @ solved / weights.sum())

    def ours(self, put: Mapping[int, int], models: Mapping[int, int]) -> Estimate:
        """The kernel's answer."""
        twin = counterfactual(self.program, self.facts, actions_of(put, models), particles=_BY.particles, seed=_BY.seed)
        return twin.estimate(lambda one: 1.0 - one[self.last], _BY.level)

    def query(self, kind: str, k: int) -> Query:
        """What had the good option been taken at a step, or the best model chosen from it on."""
        put = {k: GOOD} if kind == "option" else {}
        best = {} if put else dict.fromkeys(range(k, self.workflow.steps), len(self.workflow.models) - 1)
        models = tuple(best.get(j, model) for j, model in enumerate(self.made.models))
        truth = self.posterior.counterfactual(put, models)
        return Query(
            name=f"P(success had step {k} taken the good option)"
            if put
            else f"P(success with the best model from {k} on)",
            truth=truth,
            brute=lambda: self.brute(put, models),
            ours=lambda: self.ours(put, best),
            naive=self.posterior.fresh(k, put, models),
            mistake="all noise from the step on drawn anew",
            # 5 standard errors of the draws in the likeliest branch.
            brute_error=5 * float(np.sqrt(max(truth * (1 - truth), 0.01) / _DRAWS)),
        )

    def known(self, question: str) -> KnownWorld:
        """The world of this run."""
        asked = [("option", self.k), ("option", 0), ("model", self.k), ("model", 0)]
        return KnownWorld(
            name=self.name,
            question=question,
            edges=_edges(self.workflow),
            world=self.program,
            facts=self.facts,
            queries=tuple(self.query(kind, k) for kind, k in asked),
            sites=("fault", self.last),
            law=lambda: _law(self.workflow),
            assumptions=("choices are Gumbel-max", "at most one fault a run, at a uniform step"),
            decision=f"Mend step {self.k}, not step 0: a re-run from step 0 would often succeed by luck, and this run "
            "would have failed all the same.",
            hidden=frozenset({"fault"}),
            by=_BY,
        )


def _rejected(generator: np.random.Generator, law: Floats, chosen: int) -> Floats:
    """Gumbel noise under which a law chooses as it did, shape (draws, options)."""
    kept = np.empty((0, len(law)))
    while len(kept) < _DRAWS:
        noise = generator.gumbel(size=(4 * _DRAWS, len(law)))
        kept = np.concatenate([kept, noise[(law + noise).argmax(1) == chosen]])
    return kept[:_DRAWS]


def _edges(workflow: Workflow) -> frozenset[tuple[str, str]]:
    edges: set[tuple[str, str]] = set()
    for k in range(workflow.steps):
        edges |= {("fault", f"choice/{k}"), (f"model/{k}", f"choice/{k}"), (f"choice/{k}", f"result/{k}")}
        edges |= {(f"result/{j}", f"choice/{k}") for j in workflow.reads[k]}
        edges |= {(f"result/{j}", f"result/{k}") for j in workflow.parents[k]}
    return frozenset(edges | {(f"choice/{j}", f"result/{at}") for at, pair in workflow.clash for j in pair})


def _law(workflow: Workflow) -> Law:
    """P(fault, last result), summed over every combination of choices."""
    steps, bad = workflow.steps, workflow.options - 1
    choices = np.array(list(product(range(workflow.options), repeat=steps)))
    corrupted = np.zeros_like(choices)
    p = np.zeros(choices.shape)
    for k in range(steps):
        context = corrupted[:, list(workflow.reads[k])].any(1).astype(int)
        laws = np.exp(workflow.log_laws[k])
        p[:, k] = np.einsum("nma,m->na", laws[context], workflow.logging)[np.arange(len(p)), choices[:, k]]
        harmed = corrupted[:, list(workflow.parents[k])].any(1)
        for at, (a, b) in workflow.clash:
            neutral = (choices[:, [a, b]] > GOOD) & (choices[:, [a, b]] < bad)
            harmed |= neutral.all(1) & (at == k)
        cured = (choices[:, k] == GOOD) & (k == workflow.undo)
        corrupted[:, k] = (choices[:, k] == bad) | (harmed & ~cured)
    law: dict[tuple[int, ...], float] = {}
    for f in range(-1, steps):
        weights = p if f < 0 else np.where(np.arange(steps) == f, choices == bad, p)
        joint = weights.prod(1) * (1 - workflow.fault if f < 0 else workflow.fault / steps)
        law |= {(f, y): float(joint[corrupted[:, -1] == y].sum()) for y in (0, 1)}
    return law


# The worlds of this file: `ifonly.scenarios.catalog` finds them.
WORLDS: Final = (
    _Failed("ten steps, commit", shipped(repair=False), 0).known("Which of ten steps, where a fault stays?"),
    _Failed("ten steps, repair", shipped(repair=True), 0).known("Which of ten steps, where a later one may undo?"),
    _Failed("six steps, drawn", drawn(np.random.default_rng(5), 6, 4, 3, repair=True), 1).known(
        "Which of six steps, with another graph, four options and three models?"
    ),
)
