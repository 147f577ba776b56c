"""The scenario of alignment: a new model wins more comparisons; is it better, or does it only look so?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ifonly.scenarios.alignment.analyses import (
    BY,
    STYLE_COLUMNS,
    columns,
    queries,
    without_quality,
)
from ifonly.scenarios.alignment.real import study_log
from ifonly.scenarios.alignment.world import EDGES, SITES, law, program, sample
from ifonly.scenarios.known import KnownWorld
from ifonly.scenarios.scenario import RealData, Scenario, asked_of
from ifonly.scenarios.study import Picture, SensitivityRow, Series, Study
from ifonly.scm.preference.logistic import discounted

if TYPE_CHECKING:
    from ifonly.scenarios.known import Sample
    from ifonly.scm.estimate import Estimate

__all__ = ["SCENARIOS"]

_COMPARISONS: Final = 4_000
"""How many the study of the world draws: what a practitioner may have."""
_SHARES: Final = (1.0, 0.85, 0.5, 0.0)
"""How much of what style seems to do is taken for its own."""

_WORLD: Final = KnownWorld(
    name="alignment",
    question="The new model wins more comparisons: are its answers better, or only longer and better formatted?",
    edges=EDGES,
    world=program,
    facts={"model": 1, "length": 2, "markdown": 1, "preferred": 1},
    queries=queries(),
    sites=SITES,
    law=law,
    assumptions=(
        "annotators like an answer for its quality and its style by log-odds that add up, in each group of annotators",
        "nothing that was not graded moves style and preference both: quality was graded",
        "which model answers, who is asked and what is shown first hang on nothing else",
    ),
    by=BY,
    decision="Judge the new model by its win rate at the baseline's style.",
)


def _study(seed: int) -> Study:
    drawn = sample(_COMPARISONS, seed)
    asked = tuple(asked_of(query, drawn) for query in _WORLD.queries)
    rate, effect, length = asked[0], asked[1], asked[3]
    shares = {share: _discounted(drawn, share) for share in _SHARES}
    return Study(
        source=f"{_COMPARISONS:,} comparisons drawn from the world, seed {seed}",
        asked=asked,
        sensitivity=tuple(
            SensitivityRow(
                assumption="quality was graded",
                failing=f"it was not; {share:.0%} of what style then seems to do is its own: win rate at equal style",
                estimate=estimate,
            )
            for share, estimate in shares.items()
        ),
        pictures=(_picture(shares, rate.truth or 0.0),),
        decision=(
            f"The win rate of {rate.naive.estimate.value:.2f} pays for style: at the baseline's style it is "
            f"{rate.answers[0].estimate.value:.2f}, and content makes {effect.answers[0].estimate.value:.2f} of the "
            f"{effect.naive.estimate.value:.2f} by which the new model gained. Ship it only if that is enough."
        ),
        notes=(
            "If quality is not graded, longer answers are taken to win by their length alone: in large samples the win "
            f"rate at equal style then comes to {without_quality('rate'):.3f} instead of {rate.truth:.3f}, and the "
            f"effect of a longer answer to {without_quality('length'):.3f} instead of {length.truth:.3f}.",
        ),
    )


def _discounted(drawn: Sample, share: float) -> Estimate:
    """The new model's win rate at equal style, quality unseen, with a share of style's coefficients."""
    fit = discounted(columns(drawn, quality=False), drawn["preferred"], STYLE_COLUMNS, share)
    return fit.mean(rows=drawn["model"] == 1).estimate()


def _picture(shares: dict[float, Estimate], truth: float) -> Picture:
    x = tuple(sorted(shares))
    found = [shares[share] for share in x]
    return Picture(
        title="Win rate at equal style, if quality was not graded",
        x="share of what style seems to do that is its own",
        y="win rate",
        series=(
            Series(
                name="style held, quality unseen",
                x=x,
                y=tuple(one.value or 0.0 for one in found),
                low=tuple(one.low for one in found),
                high=tuple(one.high for one in found),
            ),
            Series(name="truth", x=(x[0], x[-1]), y=(truth, truth)),
        ),
    )


# The scenarios of this file: `ifonly.scenarios.catalog` finds them.
SCENARIOS: Final = (Scenario("alignment", _WORLD, _study, RealData("alpaca_eval_style", study_log)),)
