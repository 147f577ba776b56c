"""A scenario: a practitioner's question with a world whose truth is known and, where there is one, real data.

To add one: a module in a package that `ifonly.scenarios.catalog` names, with a tuple ``SCENARIOS``. The world proves
itself (tests/contracts/test_worlds.py), and so does the scenario (tests/contracts/test_scenarios.py).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ifonly.agents.errors import InputError
from ifonly.scenarios.study import Asked, Finding, ScenarioAnswer, SensitivityRow, Stage, Study
from ifonly.scm.estimate import Estimate

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ifonly.scenarios.known import Estimator, KnownWorld, Query, Sample

__all__ = ["RealData", "Scenario", "answer", "asked_of", "query_of", "scenario_of", "slug"]

_LEVEL: Final = 0.95
_FAILING: Final = (0.05, 0.2)
"""Shares of runs that might be of another world altogether, in the sensitivity of exact answers."""


@dataclass(frozen=True, eq=False)
class RealData:
    """Real data that a scenario's question can be asked of.

    Attributes:
        name: of the folder that holds it.
        study: the study, from that folder and a seed; raises `InputError` where it does not hold what is needed.
    """

    name: str
    study: Callable[[Path, int], Study]


@dataclass(frozen=True, eq=False)
class Scenario:
    """A question, its world, and how it is studied.

    Attributes:
        stage: of the pipeline.
        world: whose truth is known; its graph is the scenario's, and its question unless `question` is given.
        study: the study of the world, from a seed.
        real: real data.
        question: a practitioner's; that of the world if empty.
        name: on the command line; that of the world, in small letters with hyphens, if empty.
    """

    stage: Stage
    world: KnownWorld
    study: Callable[[int], Study]
    real: RealData | None = None
    question: str = ""
    name: str = ""

    @property
    def called(self) -> str:
        """The name on the command line."""
        return self.name or slug(self.world.name)

    @property
    def asks(self) -> str:
        """The question."""
        return self.question or self.world.question


def slug(name: str) -> str:
    """A name as it is typed: small letters and digits, joined by hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def answer(scenario: Scenario, seed: int = 0, data: Path | None = None) -> ScenarioAnswer:
    """Work a scenario through on its world and, if a folder is given, on real data.

    Args:
        scenario: which.
        seed: of all draws.
        data: the folder of the real data, or one that holds it under its name.

    Raises:
        InputError: the scenario has no real data, or the folder does not hold it.
    """
    world = scenario.world
    return ScenarioAnswer(
        name=scenario.called,
        stage=scenario.stage,
        question=scenario.asks,
        edges=tuple(sorted(world.edges)),
        hidden=tuple(sorted(world.hidden)),
        assumptions=world.assumptions,
        seed=seed,
        world=scenario.study(seed),
        data=None if data is None else _real(scenario, data, seed),
        dataset=None if scenario.real is None else scenario.real.name,
    )


def scenario_of(world: KnownWorld, stage: Stage = "agents") -> Scenario:
    """The scenario of a world that states all there is: its queries are the questions.

    Sensitivity: if in a share of such runs the answer were anything it could be (Huber's contamination), the whole
    lies in [(1 - share) value + share * least, (1 - share) value + share * largest].

    Args:
        world: with a decision.
        stage: of the pipeline.
    """

    def study(seed: int) -> Study:
        del seed  # exact, or with the particles that the world itself names
        asked = tuple(query_of(query) for query in world.queries)
        return Study(
            source="the world itself: nothing is drawn" if world.by.particles is None else "particles of the world",
            asked=asked,
            sensitivity=_contaminated(world.queries[0], asked[0].answers[0].estimate),
            decision=world.decision,
        )

    return Scenario(stage, world, study)


def query_of(query: Query) -> Asked:
    """A query of a world, with ifonly's answer and the naive one beside the truth."""
    ours = query.ours()
    naive = Estimate.settled(query.naive, ours.rung)
    return Asked(
        name=query.name,
        truth=query.truth,
        naive=Finding(name="naive", estimate=naive, why=query.mistake, right=False, error=query.naive - query.truth),
        answers=(Finding(name="ifonly", estimate=ours, right=True, error=_error(ours, query.truth)),),
    )


def asked_of(query: Query, sample: Sample, level: float = _LEVEL) -> Asked:
    """A query about a population, with every estimator's answer from one sample beside the truth.

    Args:
        query: with estimators, one of which is named ``naive``; else the limit of the naive analysis stands there.
        sample: of the world.
        level: of the intervals.
    """
    found = {one.name: _finding(one, sample, query.truth, level) for one in query.estimators}
    limit = Finding(
        name="naive",
        estimate=Estimate.settled(query.naive, "observed"),
        why=query.mistake,
        right=False,
        error=query.naive - query.truth,
    )
    naive = found.pop("naive", limit)
    return Asked(name=query.name, truth=query.truth, naive=naive, answers=tuple(found.values()))


def _finding(estimator: Estimator, sample: Sample, truth: float, level: float) -> Finding:
    made = estimator.of(sample, level)
    return Finding(
        name=estimator.name, estimate=made, why=estimator.why, right=estimator.right, error=_error(made, truth)
    )


def _error(estimate: Estimate, truth: float) -> float | None:
    return None if estimate.value is None else estimate.value - truth


def _contaminated(query: Query, estimate: Estimate) -> tuple[SensitivityRow, ...]:
    least, largest = query.span
    return tuple(
        SensitivityRow(
            assumption="the world is the one drawn above",
            failing=f"in {share:.0%} of such runs it is another, in which the answer could be anything",
            estimate=Estimate.bounded(
                (1 - share) * estimate.low + share * least, (1 - share) * estimate.high + share * largest, estimate.rung
            ),
        )
        for share in _FAILING
    )


def _real(scenario: Scenario, data: Path, seed: int) -> Study:
    if scenario.real is None:
        fix = "Leave --data out: its answers are about a world whose truth is known."
        raise InputError(str(data), f"scenario {scenario.called} has no real data", fix)
    name = scenario.real.name
    folder = data / name if (data / name).is_dir() else data
    if not folder.is_dir():
        raise InputError(str(data), "is no folder", f"Name the folder {name}, or the one that holds it.")
    return scenario.real.study(folder, seed)
