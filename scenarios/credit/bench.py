"""Attributors held against worlds whose truth is known: `ifonly bench credit`.

Scores are over failed runs that have a decisive step, and over the what-ifs of all failed runs:

- `top1`: share of runs in which the step blamed is the decisive one; `in_set`: in which that one is in the flip set
- `set_size`: steps in the flip set; `false_share`: share of them whose correction does not flip
- `error_action`, `error_model`: mean absolute error of the counterfactual probability of success
- `bias`: mean predicted less mean true probability, over both
- `redo`: mean distance of P(success | do(logged option)) from the logged outcome, over all runs and steps; 0 is right
- `calls_steps`: model evaluations a failed run for options alone; `calls`: for a model swap too, with its share of what
  was asked to learn from the logs; `calls_most`: the most for one run
- `cpu_ms`: processor time a run, with its share of learning
"""

from __future__ import annotations

import gzip
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from ifonly.agents.errors import InputError
from ifonly.agents.records import Record
from ifonly.scenarios.credit.attributor import NO_FAULT, Attributor, Credit, Source
from ifonly.scenarios.credit.baselines import blamed, last_step, least_probable, resampled
from ifonly.scenarios.credit.logs import LoggedRun, read_runs
from ifonly.scenarios.credit.truth import TruthOfRun, make_runs, read_truth, truth_of
from ifonly.scenarios.credit.workflow import GOOD, Task, Workflow, drawn, shipped

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from ifonly.scenarios.credit.logs import Bench

__all__ = ["REGIMES", "Explain", "Row", "World", "credit_rows", "drawn_world", "shipped_world"]

# The shipped worlds: a fault stays, or step 6 can cure it.
REGIMES = ("commit", "repair")

_DRAWN_RUNS = 200


class Row(Record):
    """One estimator on one world; a number that it does not give is None. The module says what they mean."""

    estimator: str
    world: str
    runs: int
    top1: float
    in_set: float
    set_size: float
    false_share: float
    error_action: float | None = None
    error_model: float | None = None
    bias: float | None = None
    redo: float | None = None
    calls_steps: float
    calls: float
    calls_most: int
    cpu_ms: float


@dataclass(frozen=True, eq=False)
class World:
    """Logged runs of a workflow, and what is known of them.

    Attributes:
        name: of the world.
        workflow: gives tools and answers questions.
        runs: as logged.
        truth: of the same runs.
        policies: values of routing policies, by name; empty where none were given.
    """

    name: str
    workflow: Workflow
    runs: Sequence[LoggedRun]
    truth: Sequence[TruthOfRun]
    policies: Mapping[str, float] = field(default_factory=dict)


class Explain(Protocol):
    """What an estimator has become once it has seen a world's logs."""

    def __call__(self, run: LoggedRun, bench: Bench, model: str | None, /) -> Credit:
        """Say what a run's outcome is due to; None asks about options alone."""


class _Estimator(Protocol):
    def __call__(self, world: World, tasks: Mapping[str, Task], /) -> Explain: ...


@dataclass(eq=False)
class _Tally:
    """What was scored, run by run."""

    scored: list[tuple[bool, bool, int, float]] = field(default_factory=list)
    errors: dict[str, list[float]] = field(default_factory=lambda: {"action": [], "model": []})
    redone: list[float] = field(default_factory=list)
    calls: list[tuple[int, int]] = field(default_factory=list)
    learning: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)


def shipped_world(folder: Path, regime: str) -> World:
    """Read one of the shipped worlds.

    Args:
        folder: with ``commit`` and ``repair``, as `../shared/data/credit_world`.
        regime: one of `REGIMES`.

    Raises:
        InputError: a file is missing or cannot be read.
    """
    file = folder / regime / "truth.json.gz"
    try:
        text = gzip.decompress(file.read_bytes())
    except (OSError, EOFError) as error:
        fix = "Pass a folder as `../shared/data/credit_world` is laid out."
        raise InputError(str(file), str(error), fix) from error
    runs = read_runs(folder / regime / "runs.jsonl.gz")
    truth = read_truth(text, str(file))
    values = {name: told["value"] for name, told in truth.policies.items()}
    return World(regime, shipped(repair=regime == "repair"), runs, truth.runs, values)


def drawn_world(seed: int, number: int) -> World:
    """Draw a world of another shape: 5 to 13 steps, 3 or 4 options, 2 or 3 models; every second one can cure.

    Args:
        seed: of all draws.
        number: of the world.
    """
    generator = np.random.default_rng([seed, number])
    steps, options, models = (int(generator.integers(low, high)) for low, high in ((5, 14), (3, 5), (2, 4)))
    workflow = drawn(generator, steps, options, models, repair=bool(number % 2))
    made = make_runs(workflow, _DRAWN_RUNS, generator)
    names = [f"drawn-{seed}-{number}-{i:04d}" for i in range(len(made))]
    runs = [one.logged(name) for one, name in zip(made, names, strict=True)]
    truth = [truth_of(one, name, generator) for one, name in zip(made, names, strict=True)]
    return World("drawn", workflow, runs, truth)


def credit_rows(worlds: Sequence[World], seed: int = 0) -> Iterator[Row]:
    """Hold every estimator against worlds; worlds of one name are taken together.

    Args:
        worlds: the worlds.
        seed: of the rule that blames at random.
    """
    for name in dict.fromkeys(world.name for world in worlds):
        for estimator, make in _estimators(seed).items():
            tally = _Tally()
            for world in worlds:
                if world.name == name:
                    _score(world, make, tally)
            yield _row(estimator, name, tally)


def _estimators(seed: int) -> dict[str, _Estimator]:
    """Each estimator: from a world's logs and benches to a function that explains a run."""

    def ours(source: Source = "asked", **told: Any) -> _Estimator:
        def make(world: World, tasks: Mapping[str, Task]) -> Explain:
            return Attributor.fitted(world.runs, tasks.__getitem__, source, **told).explain

        return make

    generator = np.random.default_rng(seed)
    return {
        "abduction, laws asked": ours(),
        "abduction, laws shared between runs": ours("shared"),
        "abduction without log-probabilities": ours("counted"),
        "inverse-CDF noise": ours(coupling="inverse-cdf"),
        "independent noise": ours(coupling="independent"),
        "Gumbel-max without contamination": ours(contamination=NO_FAULT),
        "tail drawn anew": lambda world, tasks: resampled(world.runs, tasks.__getitem__),
        "lowest log-probability": lambda world, tasks: lambda run, *rest: least_probable(run),
        "last step": lambda world, tasks: lambda run, *rest: last_step(run),
        "random": lambda world, tasks: lambda run, *rest: blamed(run, int(generator.integers(len(run.steps)))),
    }


def _score(world: World, make: _Estimator, tally: _Tally) -> None:
    """Explain every run of a world, and add to the tally."""
    tasks = {run.task: Task(world.workflow, run.task) for run in world.runs}
    truth = {one.run_id: one for one in world.truth}
    started = time.process_time()
    explain = make(world, tasks)
    tally.learning.append(sum(task.asked for task in tasks.values()) / len(world.runs))
    credits = [explain(run, tasks[run.task], world.workflow.models[-1]) for run in world.runs]
    tally.cpu.append((time.process_time() - started) / len(world.runs))
    for run, credit in zip(world.runs, credits, strict=True):
        known = truth[run.run_id]
        tally.redone += [
            abs(row[step.action] - run.success) for step, row in zip(run.steps, credit.options, strict=False)
        ]
        if known.success:
            continue
        tally.calls.append((explain(run, tasks[run.task], None).asked, credit.asked))
        if credit.options:
            for query in known.queries:
                action = credit.options[query.k][tasks[run.task].options[query.k][GOOD]]
                told = action if query.kind == "action" else credit.swaps[query.k]
                tally.errors[query.kind].append(told - query.p_cf)
        if known.decisive is not None:
            chosen = credit.flip_set
            false = np.mean([k not in known.flip_set for k in chosen]) if chosen else 0.0
            hits = credit.decisive == known.decisive, known.decisive in chosen
            tally.scored.append((*hits, len(chosen), float(false)))


def _row(estimator: str, world: str, tally: _Tally) -> Row:
    top1, in_set, size, false = np.mean(np.array(tally.scored, dtype=float), axis=0).tolist()
    steps, calls = np.mean(tally.calls, axis=0).tolist()
    told = {kind: np.array(errors) for kind, errors in tally.errors.items() if errors}
    return Row(
        estimator=estimator,
        world=world,
        runs=len(tally.scored),
        top1=top1,
        in_set=in_set,
        set_size=size,
        false_share=false,
        error_action=float(np.abs(told["action"]).mean()) if told else None,
        error_model=float(np.abs(told["model"]).mean()) if told else None,
        bias=float(np.concatenate(list(told.values())).mean()) if told else None,
        redo=float(np.mean(tally.redone)) if tally.redone else None,
        calls_steps=steps,
        calls=calls + float(np.mean(tally.learning)),
        calls_most=max(calls for _, calls in tally.calls),
        cpu_ms=1e3 * float(np.mean(tally.cpu)),
    )
