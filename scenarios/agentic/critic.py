"""A planner hands over to an executor, and a critic sends drafts back: does sending back help?

    plan ---> handoff ---> draft ---> sent_back ---> success
      |                    ^ | |         ^              ^
      +--------------------+ | +---------|--------------+
                             +-----------+
                      strict ------------+                    strict: set at random for each run

plan: good with chance .6;  handoff: complete with chance .4 + .4 plan
draft in {0 bad, 1 middling, 2 good}, unseen: with s = plan + handoff, good with chance .1 + .2 s, better than bad with
chance .4 + .2 s, hence bad .352, middling .3, good .348
P(sent back | draft) = .8, .2, 0 by a lenient critic, 1, .8, .1 by a strict one
P(success | draft) = .1, .5, .9 as it is, .4, .7, .85 once sent back: a good draft gets no better

Truth: of the runs that a strict critic sends back and a lenient one does not, sending back mends .194; the effect for
the drafts that the choice of critic is about (Imbens and Angrist 1994). Naive: runs that were sent back succeed less
often, as bad drafts are sent back. Plan and handoff, which the log holds, do not make up for the draft, which it does
not hold.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from ifonly.scenarios.agentic.contrasts import complier_effect, difference, effect_over, shifted
from ifonly.scenarios.agentic.steps import Step, Steps
from ifonly.scenarios.known import Estimator, KnownWorld, law_of, mean_of, sampled_query
from ifonly.scenarios.scenario import Scenario, asked_of
from ifonly.scenarios.study import Figures, Study
from ifonly.scm.nested import Sampling

if TYPE_CHECKING:
    from ifonly.scenarios.known import Respond, Sample

__all__ = ["SCENARIOS"]

_BY: Final = Sampling(particles=20_000, seed=0, level=1 - 1e-6)
_DRAWN: Final = 6_000
_DRAFTS: Final = np.array([0.352, 0.3, 0.348])
_LENIENT, _STRICT = np.array([0.8, 0.2, 0.0]), np.array([1.0, 0.8, 0.1])
_PASSED, _MENDED = np.array([0.1, 0.5, 0.9]), np.array([0.4, 0.7, 0.85])


def _draft(cell: int, plan: int, handoff: int) -> int:
    return 1 * (cell < 8 + 4 * (plan + handoff)) + 1 * (cell < 2 + 4 * (plan + handoff))


def _sent_back(cell: int, draft: int, strict: int) -> int:
    lenient = 16 - 16 * draft + 4 * draft * draft
    return 1 * (cell < lenient + strict * (4 + 17 * draft - 9 * draft * draft))


def _success(cell: int, draft: int, sent_back: int) -> int:
    return 1 * (cell < 2 + 8 * draft + sent_back * (6 - 0.5 * draft - 1.5 * draft * draft))


_STEPS: Final = Steps(
    (
        Step("plan", lambda cell: 1 * (cell < 12)),  # noqa: PLR2004 -- .6 in twentieths
        Step("handoff", lambda cell, plan: 1 * (cell < 8 + 8 * plan), ("plan",)),
        Step("draft", _draft, ("plan", "handoff")),
        Step("strict", lambda cell: cell, weights=(0.5, 0.5)),
        Step("sent_back", _sent_back, ("draft", "strict")),
        Step("success", _success, ("draft", "sent_back")),
    )
)


def _truth() -> float:
    moved = _DRAFTS * (_STRICT - _LENIENT)
    return float(moved @ (_MENDED - _PASSED) / moved.sum())


def _naive() -> float:
    back = _DRAFTS * (_LENIENT + _STRICT) / 2
    kept = _DRAFTS - back
    return float(back @ _MENDED / back.sum() - kept @ _PASSED / kept.sum())


def _moved(do: Respond) -> float:
    return do({"strict": 1})["sent_back"] - do({"strict": 0})["sent_back"]


def _mended(do: Respond) -> float:
    return _moved(do) * (do({"sent_back": 1})["success"] - do({"sent_back": 0})["success"])


_QUERY: Final = sampled_query(
    "sending back on success, where critics differ",
    (_truth(), lambda: mean_of(_STEPS.units, _mended) / mean_of(_STEPS.units, _moved)),
    (_naive(), "bad drafts are sent back"),
    (
        Estimator(
            "by the critic's strictness",
            complier_effect("strict", "sent_back", "success"),
            why="strictness was set at random, and touches success through sending back alone",
        ),
        Estimator("naive", effect_over("sent_back", "success"), right=False, why="raw means: bad drafts are sent back"),
        Estimator(
            "standardised over plan and handoff",
            effect_over("sent_back", "success", "plan", "handoff"),
            right=False,
            why="the draft moves both too, and the log does not hold how good it was",
        ),
    ),
    _STEPS.sample,
    _BY,
    span=(-1.0, 1.0),
)

_WORLD: Final = KnownWorld(
    name="critic",
    question="Runs that the critic sends back fail more often: does it do harm, or should it be stricter?",
    edges=_STEPS.edges,
    world=_STEPS.world,
    facts={"strict": 1, "sent_back": 1, "success": 0},
    queries=(_QUERY,),
    sites=_STEPS.sites,
    law=lambda: law_of(_STEPS.units, _STEPS.sites),
    assumptions=(
        "strictness was set at random, and touches success through sending back alone",
        "a strict critic sends back all that a lenient one does",
    ),
    by=_BY,
    hidden=frozenset({"draft"}),
)


def _study(seed: int) -> Study:
    sample = _WORLD.sample(_DRAWN, seed)
    asked = asked_of(_QUERY, sample)
    mended, moved = asked.answers[0].estimate, difference(sample, "strict", "sent_back").value
    verdict = "Make the critic strict" if mended.low > 0 else "Leave the critic as it is, and draw more runs"
    return Study(
        source=f"{_DRAWN:,} runs, the critic strict in a random half",
        asked=(asked,),
        figures=(_by_critic(sample),),
        sensitivity=shifted(mended, "strictness touches success through sending back alone", (0.01, 0.03), moved),
        decision=f"{verdict}: of each run that it sends back in addition, sending back mends {mended.value or 0:.2f} "
        f"[{mended.low:.2f}, {mended.high:.2f}], though runs that are sent back succeed "
        f"{-(asked.naive.estimate.value or 0):.2f} less often.",
    )


def _by_critic(sample: Sample) -> Figures:
    rows = []
    for name, value in (("lenient", 0), ("strict", 1)):
        mine = sample["strict"] == value
        rows.append((name, float(sample["sent_back"][mine].mean()), float(sample["success"][mine].mean())))
    return Figures(title="by critic", titles=("critic", "sent back", "success"), rows=tuple(rows))


# The scenarios of this file: `ifonly.scenarios.catalog` finds them.
SCENARIOS: Final = (Scenario("agents", _WORLD, _study),)
