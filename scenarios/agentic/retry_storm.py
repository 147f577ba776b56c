"""A client that retries: does it help its own calls, and what does it do to those that come after?

    surge ---> retrying ---> again_0, again_1
      |                         |       |
      +---> down_0 ---> again_0 ---> down_1 ---> again_1 ---> down_2       served: by down_0, again_0, down_1
            (surge moves all three)

Three ticks of a service. P(surge) = .3: many calls come; P(retrying | surge) = .2 + .6 surge, as clients switch retries
on when they expect trouble. The service is down with chance .1 + .4 surge, and .4 more where calls of the tick before
are asked again: again_t = retrying and down_t. A call of tick 0 is served if the service is up, or if it is asked again
and the service is up then.

Truth: retries help the calls that are retried, +.05, and harm those that come two ticks later: +.123 outages. Naive:
where clients retry, surges are frequent, so that retries seem to harm their own calls, -.164, and to make +.411 of
outages: more than three times what they do.

At work, in the discrete-event simulator: `ifonly.scenarios.agentic.storm`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ifonly.scenarios.agentic.contrasts import effect_over, shifted
from ifonly.scenarios.agentic.steps import Step, Steps
from ifonly.scenarios.agentic.storm import storm_table
from ifonly.scenarios.known import Estimator, KnownWorld, law_of, mean_of, sampled_query
from ifonly.scenarios.scenario import Scenario, asked_of
from ifonly.scenarios.study import Study
from ifonly.scm.nested import Sampling

if TYPE_CHECKING:
    from ifonly.scenarios.known import Query

__all__ = ["SCENARIOS"]

_BY: Final = Sampling(particles=10_000, seed=0, level=1 - 1e-6)
_DRAWN: Final = 4_000
# P(surge) where clients retry and where they do not.
_SURGES: Final = (0.3 * 0.8 / 0.38, 0.3 * 0.2 / 0.62)


def _down(cell: int, surge: int, again: int) -> int:
    return 1 * (cell < 2 + 8 * surge + 8 * again)


_STEPS: Final = Steps(
    (
        Step("surge", lambda cell: 1 * (cell < 6)),  # noqa: PLR2004 -- .3 in twentieths
        Step("retrying", lambda cell, surge: 1 * (cell < 4 + 12 * surge), ("surge",)),
        Step("down_0", lambda cell, surge: 1 * (cell < 2 + 8 * surge), ("surge",)),
        Step("again_0", lambda cell, retrying, down: retrying * down, ("retrying", "down_0"), (1.0,)),
        Step("down_1", _down, ("surge", "again_0")),
        Step("again_1", lambda cell, retrying, down: retrying * down, ("retrying", "down_1"), (1.0,)),
        Step("down_2", _down, ("surge", "again_1")),
        Step(
            "served",
            lambda cell, first, again, second: 1 - first + again * (1 - second),
            ("down_0", "again_0", "down_1"),
            (1.0,),
        ),
    )
)


def _down_2(surge: int, retrying: int) -> float:
    """P(down at tick 2 | do(retrying), surge)."""
    first = 0.1 + 0.4 * surge
    second = first + 0.4 * first * retrying
    return first + 0.4 * second * retrying


def _served(surge: int, retrying: int) -> float:
    first = 0.1 + 0.4 * surge
    return 1 - first + retrying * first * (1 - first - 0.4)


def _query(name: str, outcome: str, of: tuple[float, float, float, float]) -> Query:
    """The effect of retrying; `of` is the chance of the outcome calm and in a surge, without and with retries."""
    calm, surge, calm_retried, surge_retried = of
    on, off = _SURGES
    return sampled_query(
        name,
        (
            0.7 * (calm_retried - calm) + 0.3 * (surge_retried - surge),
            lambda: mean_of(_STEPS.units, lambda do: do({"retrying": 1})[outcome] - do({"retrying": 0})[outcome]),
        ),
        ((1 - on) * calm_retried + on * surge_retried - (1 - off) * calm - off * surge, "retries come with surges"),
        (
            Estimator(
                "standardised over surges",
                effect_over("retrying", outcome, "surge"),
                why="the load, which the log holds, is all that moves both",
            ),
            Estimator("naive", effect_over("retrying", outcome), right=False, why="raw means: clients retry in surges"),
        ),
        _STEPS.sample,
        _BY,
        span=(-1.0, 1.0),
    )


_QUERIES: Final = (
    _query(
        "retrying on outages two ticks later", "down_2", (_down_2(0, 0), _down_2(1, 0), _down_2(0, 1), _down_2(1, 1))
    ),
    _query("retrying on calls being served", "served", (_served(0, 0), _served(1, 0), _served(0, 1), _served(1, 1))),
)

_WORLD: Final = KnownWorld(
    name="retry storm",
    question="Where clients retry the service is down more often: do retries make the outage, or come with it?",
    edges=_STEPS.edges,
    world=_STEPS.world,
    facts={"retrying": 1, "down_0": 1, "down_1": 1, "down_2": 1},
    queries=_QUERIES,
    sites=_STEPS.sites,
    law=lambda: law_of(_STEPS.units, _STEPS.sites),
    assumptions=(
        "the log holds the load, and nothing else moves both retries and outages",
        "all clients of the service retry or none does: the effect is that of a policy for all",
    ),
    by=_BY,
)


def _study(seed: int) -> Study:
    sample = _WORLD.sample(_DRAWN, seed)
    asked = tuple(asked_of(query, sample) for query in _QUERIES)
    outages, served = (one.answers[0].estimate.value or 0.0 for one in asked)
    return Study(
        source=f"{_DRAWN:,} stretches of three ticks",
        asked=asked,
        figures=(storm_table(seed),),
        sensitivity=shifted(
            asked[0].answers[0].estimate, "nothing but the load moves both retries and outages", (0.02, 0.05)
        ),
        decision=f"Cap retries and spread them: they serve {served:+.2f} of the calls that are retried, and cost those "
        f"that come after {outages:+.2f} in outages. Not the {asked[0].naive.estimate.value or 0:+.2f} that raw means "
        "show: most of that is the surge.",
    )


# The scenarios of this file: `ifonly.scenarios.catalog` finds them.
SCENARIOS: Final = (Scenario("agents", _WORLD, _study),)
