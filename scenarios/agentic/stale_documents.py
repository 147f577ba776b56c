"""Retrieval from an index that is out of date: does writing the query anew help, and what would a fresh index?

    fresh ---> rewrites ---> right
      |                        ^
      +------------------------+

P(fresh) = .6: the document found is up to date. An agent that finds an old one doubts it and writes its query anew:
P(rewrites | fresh) = .2, stale .8
P(right | fresh, rewrites) = .8, with a new query .85;  stale .3, with a new query .5

Truth: a new query adds .6 x .05 + .4 x .2 = .11. Naive: answers after a new query are right less often, .595 against
.729, since it is old documents that make the agent ask again. Truth: a fresh document adds .81 - .46 = .35, part of it
undone by the new queries that old documents provoke. Naive, holding the query fixed "to compare like with like": .434,
which is the effect that goes around the query, and not what re-indexing is worth.
"""

from __future__ import annotations

from typing import Final

from ifonly.scenarios.agentic.contrasts import effect_over, shifted
from ifonly.scenarios.agentic.steps import Step, Steps
from ifonly.scenarios.known import Estimator, KnownWorld, law_of, mean_of, sampled_query
from ifonly.scenarios.scenario import Scenario, asked_of
from ifonly.scenarios.study import Study
from ifonly.scm.nested import Sampling

__all__ = ["SCENARIOS"]

_BY: Final = Sampling(particles=10_000, seed=0, level=1 - 1e-6)
_DRAWN: Final = 4_000

_STEPS: Final = Steps(
    (
        Step("fresh", lambda cell: 1 * (cell < 12)),  # noqa: PLR2004 -- .6 in twentieths
        Step("rewrites", lambda cell, fresh: 1 * (cell < 16 - 12 * fresh), ("fresh",)),
        Step(
            "right",
            lambda cell, fresh, rewrites: 1 * (cell < 6 + 10 * fresh + 4 * rewrites - 3 * fresh * rewrites),
            ("fresh", "rewrites"),
        ),
    )
)

_QUERIES: Final = (
    sampled_query(
        "a new query on a right answer",
        (0.11, lambda: mean_of(_STEPS.units, lambda do: do({"rewrites": 1})["right"] - do({"rewrites": 0})["right"])),
        ((0.102 + 0.16) / 0.44 - (0.384 + 0.024) / 0.56, "new queries follow old documents"),
        (
            Estimator(
                "standardised over freshness",
                effect_over("rewrites", "right", "fresh"),
                why="the document's date, which the log holds, is all that moves both",
            ),
            Estimator(
                "naive",
                effect_over("rewrites", "right"),
                right=False,
                why="raw means: new queries follow old documents",
            ),
        ),
        _STEPS.sample,
        _BY,
        span=(-1.0, 1.0),
    ),
    sampled_query(
        "a fresh document on a right answer",
        (0.35, lambda: mean_of(_STEPS.units, lambda do: do({"fresh": 1})["right"] - do({"fresh": 0})["right"])),
        (0.56 * 0.5 + 0.44 * 0.35, "the query is held, though the document moves it"),
        (
            Estimator(
                "raw means",
                effect_over("fresh", "right"),
                why="nothing moves both the document's date and the answer; the query comes after",
            ),
            Estimator(
                "naive",
                effect_over("fresh", "right", "rewrites"),
                right=False,
                why="adjusts for the new query, which the document itself provokes",
            ),
        ),
        _STEPS.sample,
        _BY,
        span=(-1.0, 1.0),
    ),
)

_WORLD: Final = KnownWorld(
    name="stale documents",
    question="Answers after a rewritten query are worse: should the agent stop rewriting, or should we re-index?",
    edges=_STEPS.edges,
    world=_STEPS.world,
    facts={"fresh": 0, "rewrites": 1, "right": 0},
    queries=_QUERIES,
    sites=_STEPS.sites,
    law=lambda: law_of(_STEPS.units, _STEPS.sites),
    assumptions=(
        "the log holds how old the document was, and nothing else moves both the new query and the answer",
        "the index is not fresher for easier questions",
    ),
    by=_BY,
)


def _study(seed: int) -> Study:
    sample = _WORLD.sample(_DRAWN, seed)
    asked = tuple(asked_of(query, sample) for query in _QUERIES)
    rewriting, fresh = (one.answers[0].estimate for one in asked)
    stale = 1 - float(sample["fresh"].mean())
    return Study(
        source=f"{_DRAWN:,} retrievals, {stale:.0%} of them from old documents",
        asked=asked,
        sensitivity=shifted(rewriting, "nothing but the document's date moves both the new query and the answer"),
        decision=f"Keep rewriting: it adds {rewriting.value or 0:.2f} to the share of right answers, though the log "
        f"shows {asked[0].naive.estimate.value or 0:+.2f}. Re-index as well: up-to-date documents everywhere would add "
        f"{stale * (fresh.value or 0):.2f} in all.",
    )


# The scenarios of this file: `ifonly.scenarios.catalog` finds them.
SCENARIOS: Final = (Scenario("agents", _WORLD, _study),)
