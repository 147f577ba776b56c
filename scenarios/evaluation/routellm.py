"""Real data: RouteLLM's prompts, on each of which both models' correctness is known, and MT-Bench's judge beside them.

`routellm_routing` (../shared/data, SOURCE.md). The large model's correctness is hidden on all prompts but few, and
predicted by the small one's; the full value is known, so that coverage can be counted. MT-Bench's scores are of other
prompts, which nobody marked as right or wrong: they stand beside correctness by model, not by prompt, and the judge can
be held to the *direction* of the difference and no more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from ifonly.agents.errors import InputError
from ifonly.agents.tables import read_table
from ifonly.scenarios.evaluation.sampled import label_odds
from ifonly.scenarios.evaluation.subsets import TITLES, hide_labels, label_subsets, row_of
from ifonly.scenarios.routing import ARMS, read_prompts
from ifonly.scenarios.scenario import RealData
from ifonly.scenarios.study import Asked, Figures, Finding, Study
from ifonly.scm.draw import Draw
from ifonly.scm.evaluation.labels import Judged
from ifonly.scm.evaluation.powered import powered, powered_mean
from ifonly.scm.evaluation.stratified import labels_needed
from ifonly.scm.policy.logged import group_numbers
from ifonly.scm.policy.value import Value

if TYPE_CHECKING:
    from pathlib import Path

    from ifonly.scm.estimate import Estimate
    from ifonly.scm.policy.logged import Floats

__all__ = ["ROUTELLM", "judge_gap"]

_RUNS: Final = 500
_SUBSETS: Final = (100, 500, 2_000)
_HALF: Final = 0.02
_SCORES: Final = "mt_bench_scores.csv"


def judge_gap(path: Path) -> tuple[Estimate, dict[str, float]]:
    """Return how much better MT-Bench's judge finds the large model, out of 10, and both means; questions are groups.

    Args:
        path: ``mt_bench_scores.csv``, or the folder that holds it.

    Raises:
        InputError: it cannot be read, or a question has no score of one model.
        UnknownName: a column is missing.
    """
    table = read_table([path / _SCORES if path.is_dir() else path])
    large = np.array(["gpt-4" in name for name in table.texts("model")])
    keys = list(zip(table.texts("question_id"), table.texts("turn"), strict=True))
    scores = dict(zip(zip(keys, large.tolist(), strict=True), table.numbers("score"), strict=True))
    both = sorted({key for key in keys if (key, True) in scores and (key, False) in scores})
    if not both or not (large.any() and (~large).any()):
        fix = "Give the scores of both models on the same questions."
        raise InputError(table.name, "has one model only: an arm to compare is missing", fix)
    gaps = np.array([scores[key, True] - scores[key, False] for key in both])
    clusters = group_numbers(np.unique([key[0] for key in both], return_inverse=True)[1], len(both))
    means = {arm: float(np.mean([scores[key, arm == "large"] for key in both])) for arm in ARMS}
    return Value("judge", float(gaps.mean()), gaps - gaps.mean(), clusters=clusters).estimate(), means


def _study(path: Path, seed: int) -> Study:
    prompts = read_prompts(path)
    large, small = (prompts.correct[:, ARMS.index(arm)] for arm in ("large", "small"))
    kept = hide_labels(large, _RUNS, Draw(seed))
    items = Judged(kept, small)
    gap, means = judge_gap(path)
    rows = tuple(row_of("small model", label_subsets(large, small, runs, Draw(seed))) for runs in _SUBSETS)
    truth = float(large.mean())
    asked = _asked(items, truth)
    best = asked.answers[0].estimate
    beside = tuple((arm, float(prompts.correct[:, ARMS.index(arm)].mean()), means[arm]) for arm in ("small", "large"))
    return Study(
        source=f"{len(large):,} prompts of MMLU and GSM8K; the large model (GPT-4 Turbo) counted on {_RUNS} of them, "
        f"the small one (Mixtral-8x7B) on all, seed {seed}",
        asked=(asked,),
        sensitivity=label_odds(items, seed),
        figures=(
            Figures(title="Intervals over 1,000 random sets of runs, against all", titles=TITLES, rows=rows),
            Figures(
                title="A judge beside correctness: MT-Bench's GPT-4 on other prompts",
                titles=("model", "right, all prompts", "judge's mean, of 10"),
                rows=beside,
            ),
        ),
        decision=f"Trust {best.low:.3f} to {best.high:.3f} for the costly model; for a half-width of {_HALF:g} run it "
        f"on {labels_needed(items, _HALF):,} of {len(large):,} prompts, drawn at random.",
        notes=(
            f"MT-Bench's judge puts the large model {gap.value or 0.0:.2f} points of 10 above the small one "
            f"[{gap.low:.2f}, {gap.high:.2f}]. It scored other prompts, so it cannot be corrected by these marks.",
        ),
    )


def _asked(items: Judged, truth: float) -> Asked:
    best, alone = powered(items, finite=True), powered(items, 0.0, finite=True)
    none: Floats = items.judge[:0]
    taken = powered_mean(items.judge, items.judge, none)
    return Asked(
        name=f"how often the large model is right on these prompts, from {_RUNS} runs",
        truth=truth,
        naive=Finding(
            name="naive",
            estimate=taken.estimate().model_copy(update={"rung": "observed"}),
            why="the small model's score taken for the large one's",
            error=taken.value - truth,
        ),
        answers=(
            Finding(
                name="prediction-powered, tuned",
                estimate=best.estimate(),
                why=f"runs were drawn at random; weight of the small model {best.tuning:.2f}",
                error=best.value - truth,
            ),
            Finding(
                name="its own runs alone",
                estimate=alone.estimate(),
                why="runs were drawn at random",
                error=alone.value - truth,
            ),
        ),
    )


# RouteLLM's outcomes and MT-Bench's scores, as the real data of `stand_in`.
ROUTELLM: Final = RealData("routellm_routing", _study)
