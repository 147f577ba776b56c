"""Which defence against prompt injection pays, where it was switched on when the risk was high?

    risk ---> defended ---> obeyed, solved
      |                          ^
      +--------------------------+

risk in {0, 1, 2} with chances .5, .3, .2;  P(defended | risk) = .1 + .4 risk
P(obeyed | risk, defended) = .1 + .3 risk, defended .05 + .05 risk     (the injection is obeyed: attack success)
P(solved | risk, defended) = .8 - .2 risk, defended .7 - .1 risk

Truth: the defence takes .225 of attack success away, and .03 of solved tasks. Naive: defended runs are the risky ones,
so that raw means show a third of the first (-.075), and six times the second (-.173).

Real data: AgentDojo, where attack, defence and model were assigned (`ifonly.scenarios.agentic.experiment`); and a log
drawn from it in which a defence was on where the risk was higher (`ifonly.scenarios.agentic.switched`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ifonly.scenarios.agentic.contrasts import effect_over, shifted
from ifonly.scenarios.agentic.defences_real import real_study
from ifonly.scenarios.agentic.steps import Step, Steps
from ifonly.scenarios.known import Estimator, KnownWorld, law_of, mean_of, sampled_query
from ifonly.scenarios.scenario import RealData, Scenario, asked_of
from ifonly.scenarios.study import Study
from ifonly.scm.nested import Sampling

if TYPE_CHECKING:
    from ifonly.scenarios.known import Query

__all__ = ["SCENARIOS"]

_RISK: Final = (0.5, 0.3, 0.2)
_BY: Final = Sampling(particles=10_000, seed=0, level=1 - 1e-6)
_DRAWN: Final = 4_000

_STEPS: Final = Steps(
    (
        Step("risk", lambda cell: cell, weights=_RISK),
        Step("defended", lambda cell, risk: 1 * (cell < 2 + 8 * risk), ("risk",)),
        Step("obeyed", lambda cell, risk, on: 1 * (cell < 2 + 6 * risk - on * (1 + 5 * risk)), ("risk", "defended")),
        Step("solved", lambda cell, risk, on: 1 * (cell < 16 - 4 * risk + 2 * on * (risk - 1)), ("risk", "defended")),
    )
)
# Chance of each risk in defended and in bare runs.
_ON: Final = tuple(p * q / 0.38 for p, q in zip(_RISK, (0.1, 0.5, 0.9), strict=True))
_OFF: Final = tuple(p * q / 0.62 for p, q in zip(_RISK, (0.9, 0.5, 0.1), strict=True))


def _query(name: str, outcome: str, bare: tuple[float, ...], defended: tuple[float, ...]) -> Query:
    """The effect of the defence on an outcome, from its probabilities by risk."""
    truth = sum(p * (on - off) for p, on, off in zip(_RISK, defended, bare, strict=True))
    seen = sum(p * on for p, on in zip(_ON, defended, strict=True)) - sum(
        p * q for p, q in zip(_OFF, bare, strict=True)
    )
    mistake = "raw means: defended runs are the risky ones"
    return sampled_query(
        name,
        (truth, lambda: mean_of(_STEPS.units, lambda do: do({"defended": 1})[outcome] - do({"defended": 0})[outcome])),
        (seen, mistake),
        (
            Estimator(
                "standardised over risk",
                effect_over("defended", outcome, "risk"),
                why="what moved both the switch and the outcome is the risk, which the log holds",
            ),
            Estimator("naive", effect_over("defended", outcome), right=False, why=mistake),
        ),
        _STEPS.sample,
        _BY,
        span=(-1.0, 1.0),
    )


_QUERIES: Final = (
    _query("defence on attack success", "obeyed", (0.1, 0.4, 0.7), (0.05, 0.1, 0.15)),
    _query("defence on solved tasks", "solved", (0.8, 0.6, 0.4), (0.7, 0.6, 0.5)),
)

_WORLD: Final = KnownWorld(
    name="defences",
    question="Which defence against prompt injection pays, and what does it cost in solved tasks?",
    edges=_STEPS.edges,
    world=_STEPS.world,
    facts={"defended": 1, "obeyed": 0},
    queries=_QUERIES,
    sites=_STEPS.sites,
    law=lambda: law_of(_STEPS.units, _STEPS.sites),
    assumptions=(
        "what moved both the switch and the outcome is the risk, which the log holds",
        "every risk was met with and without the defence",
    ),
    by=_BY,
)


def _study(seed: int) -> Study:
    sample = _WORLD.sample(_DRAWN, seed)
    asked = tuple(asked_of(query, sample) for query in _QUERIES)
    averted, lost = (-(one.answers[0].estimate.value or 0.0) for one in asked)
    return Study(
        source=f"{_DRAWN:,} runs of a world in which risky runs are defended more often",
        asked=asked,
        sensitivity=shifted(
            asked[0].answers[0].estimate, "nothing but the logged risk moved both the switch and the outcome"
        ),
        decision=f"Switch it on where an averted attack is worth more than {max(lost, 0) / averted:.2g} solved tasks: "
        f"it averts {averted:.2g} attacks a run for {lost:.2g} solved tasks; raw means would have said "
        f"{-(asked[0].naive.estimate.value or 0):.2g} for {-(asked[1].naive.estimate.value or 0):.2g}.",
    )


# The scenarios of this file: `ifonly.scenarios.catalog` finds them.
SCENARIOS: Final = (Scenario("agents", _WORLD, _study, RealData("agentdojo_runs", real_study)),)
