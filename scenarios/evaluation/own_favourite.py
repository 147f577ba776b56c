"""Three systems on the same prompts, and a judge of the family of the worst.

    hard ---> human_a, human_b, human_c         human_k ---> judge_k        labelled: at random

Half of the prompts are hard. P(human approves k | hard) = start_k - .2 hard, start = .7, .6, .55; P(judge approves k) =
.2 + .5 human_k, and .25 more for c, which is of its own family.

Truth: a is .15 better than c, b .05. Naive: the judge says that c is .175 better than a. A label is of all three
answers to a prompt, so that systems are compared prompt by prompt.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from ifonly.scenarios.evaluation.pandalm_ranks import PANDALM_RANKS, ranks_figures
from ifonly.scenarios.evaluation.sampled import BY, judged_of, label_odds, mean_of_values
from ifonly.scenarios.known import Estimator, KnownWorld, Query, sampled_query
from ifonly.scenarios.scenario import Scenario, asked_of
from ifonly.scenarios.study import Study
from ifonly.scenarios.tabular import Site, Tabular
from ifonly.scm.draw import Draw
from ifonly.scm.evaluation.labels import Judged
from ifonly.scm.evaluation.powered import powered, powered_value
from ifonly.scm.evaluation.ranking import rank_systems

if TYPE_CHECKING:
    from ifonly.scenarios.known import Sample
    from ifonly.scm.estimate import Estimate

__all__ = ["SCENARIOS"]

_ITEMS: Final = 4_000
_START: Final = {"a": 0.7, "b": 0.6, "c": 0.55}
_OWN: Final = {"a": 0.0, "b": 0.0, "c": 0.25}
_LABELS: Final = 0.1


def _answers() -> dict[str, Site]:
    made = {}
    for name, start in _START.items():
        made[f"human_{name}"] = Site(lambda hard, start=start: start - 0.2 * hard, ("hard",))
    for name, own in _OWN.items():
        made[f"judge_{name}"] = Site(lambda human, own=own: 0.2 + 0.5 * human + own, (f"human_{name}",))
    return made


_TABLE: Final = Tabular({"hard": Site((0.5, 0.5)), **_answers(), "labelled": Site((1 - _LABELS, _LABELS))})


def _items(sample: Sample, system: str) -> Judged:
    return judged_of(sample, f"human_{system}", f"judge_{system}")


def _gap(sample: Sample, first: str, second: str) -> Judged:
    """Differences, prompt by prompt."""
    one, other = _items(sample, first), _items(sample, second)
    return Judged(one.human - other.human, one.judge - other.judge)


def _query(first: str, second: str) -> Query:
    def brute() -> float:
        return _TABLE.mean(lambda v: v[f"human_{first}"] - v[f"human_{second}"])

    def alone(sample: Sample, level: float) -> Estimate:
        return powered(_gap(sample, first, second), 0.0).estimate(level)

    truth = _START[first] - _START[second]
    return sampled_query(
        f"how much better {first} is than {second}",
        (truth, brute),
        (0.5 * truth + _OWN[first] - _OWN[second], "the judge's verdicts taken for the humans'"),
        (
            Estimator(
                "prediction-powered, prompt by prompt",
                lambda sample, level: powered(_gap(sample, first, second)).estimate(level),
                why="labels are given at random",
            ),
            Estimator("human labels alone, prompt by prompt", alone, why="the same, without the judge"),
            Estimator(
                "naive",
                lambda sample, level: mean_of_values(_gap(sample, first, second).judge, level),
                right=False,
                why="the judge's verdicts taken for the humans'",
            ),
        ),
        _TABLE.sample,
        BY,
        span=(-1.0, 1.0),
    )


_WORLD: Final = KnownWorld(
    name="own favourite",
    question="A judge ranks systems, one of which is of its own family: which is best?",
    edges=_TABLE.edges,
    world=_TABLE.program,
    facts={},
    queries=(_query("a", "c"), _query("b", "c")),
    sites=_TABLE.names,
    law=_TABLE.law,
    assumptions=(
        "Which prompts humans labelled was left to chance.",
        "A human's approval is what systems are to be ranked by.",
        "Ranks hold for all systems at once, in 95 of 100 samples.",
    ),
    by=BY,
    hidden=frozenset({"hard"}),
)


def _study(seed: int) -> Study:
    sample = _WORLD.sample(_ITEMS, seed)
    values = {name: powered_value(_items(sample, name), name) for name in _START}
    ranks = rank_systems(values, Draw(seed))
    judges = {name: float(sample[f"judge_{name}"].mean()) for name in _START}
    first, second = ranks[:2]
    best = f"Take {first.system}" if first.worst == 1 else f"Take {first.system} or {second.system}"
    favourite = max(judges, key=lambda name: judges[name])
    labels = int(np.sum(sample["labelled"]))
    return Study(
        source=f"{_ITEMS:,} prompts drawn from the world, {labels} of them labelled, seed {seed}",
        asked=tuple(asked_of(query, sample) for query in _WORLD.queries),
        sensitivity=label_odds(_items(sample, first.system), seed),
        figures=(ranks_figures(ranks, judges),),
        decision=f"{best}, not the judge's favourite {favourite}, which is of its own family."
        if favourite != first.system
        else f"{best}: the judge says so, too.",
    )


# The scenarios of this file: `ifonly.scenarios.catalog` finds them.
SCENARIOS: Final = (Scenario("evaluation", _WORLD, _study, PANDALM_RANKS),)
