"""The study of RegMix's runs: what would another mixture have done to the loss, and which one should be run?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from ifonly.scenarios.pretraining.held_out import by_domain, by_method, carried, cursed, trees
from ifonly.scenarios.pretraining.pictures import DOMAIN, average, curve, scatter
from ifonly.scenarios.pretraining.runs import TARGET, MixtureRuns, read_runs
from ifonly.scenarios.study import Asked, Figures, Finding, SensitivityRow, Study
from ifonly.scm.mixtures.coordinates import others
from ifonly.scm.mixtures.partially_linear import PartiallyLinear, partially_linear
from ifonly.scm.mixtures.selection import Chosen, between, chosen_and_valued_apart, lowest
from ifonly.scm.mixtures.simplex import Floats, Source, domain_at
from ifonly.scm.mixtures.surface import LossSurface

if TYPE_CHECKING:
    from pathlib import Path

    from ifonly.scm.estimate import Estimate

__all__ = ["regmix_study"]

_FROM: Final = TARGET
_MORE: Final = 0.1
_LEVEL: Final = 0.95
_NOTES: Final = (
    "The mixtures were drawn by chance, so that nothing moved both mixture and loss; the naive slope is wrong "
    "because it does not say what gives way.",
    "60M runs have the mixtures of the 1M test runs; 1B runs have mixtures of their own, whatever their index.",
    "Shares are printed with three decimals: sums of .9915 to 1.0085 are taken as 1, and divided out.",
)
_ENOUGH: Final = 20
_CANDIDATES: Final = 1_500
_HIDDEN: Final = (0.05, 0.2)
_SHOWN: Final = 6


def regmix_study(folder: Path, seed: int) -> Study:
    """Work the runs through.

    Args:
        folder: see `read_runs`.
        seed: of folds, halves, candidates and choices.

    Raises:
        InputError, OffSimplex: see `read_runs`.
        NotIdentified: all runs have one mixture.
    """
    runs = read_runs(folder)
    learnt, held = runs["train", "1m"], runs["test", "1m"]
    large = {size: part for (_, size), part in runs.items() if size != "1m" and len(part) >= _ENOUGH}
    surface = LossSurface.of(learnt.shares, learnt.loss(TARGET))
    linear = _linear(learnt, seed)
    candidates = between(np.vstack([learnt.shares, held.shares]), _CANDIDATES, seed)
    proposed = lowest(surface, candidates, _LEVEL, seed)
    again = chosen_and_valued_apart(learnt.shares, learnt.loss(TARGET), candidates, _LEVEL, seed)
    best_run = float(min(learnt.loss(TARGET).min(), held.loss(TARGET).min()))
    return Study(
        source=_source(runs),
        asked=(
            _substitution(surface, learnt, None, linear),
            _substitution(surface, learnt, _FROM, None),
            _chosen_among_run(surface, learnt, held, seed),
            _proposed(proposed, again, best_run),
        ),
        sensitivity=tuple(_hidden(linear, share) for share in _HIDDEN),
        figures=(
            by_method(learnt, held, surface),
            by_domain(learnt, held),
            carried({"1m": learnt, **{size: large[size] for size in large if size == "60m"}}, large, seed),
            cursed(surface, held, seed),
            _mixture(candidates[proposed.index], learnt),
        ),
        pictures=(scatter(surface, held), curve(surface, learnt)),
        decision=_decision(surface, learnt, proposed, best_run),
        notes=_NOTES,
    )


def _source(runs: dict[tuple[str, str], MixtureRuns]) -> str:
    told = ", ".join(f"{len(part)} {split} runs of {size}" for (split, size), part in runs.items())
    return f"{sum(map(len, runs.values())):,} pretraining runs whose mixture was drawn at random: {told}"


def _linear(learnt: MixtureRuns, seed: int) -> PartiallyLinear:
    at = domain_at(DOMAIN, learnt.domains)
    return partially_linear(
        learnt.loss(TARGET), learnt.shares[:, at], others(learnt.shares, at), estimator=trees(), seed=seed
    )


def _substitution(surface: LossSurface, learnt: MixtureRuns, source: Source, linear: PartiallyLinear | None) -> Asked:
    at = domain_at(DOMAIN, learnt.domains)
    slope = partially_linear(learnt.loss(TARGET), learnt.shares[:, at]).effect([_MORE], _LEVEL)
    answers = [
        Finding(
            name="Gaussian process",
            estimate=surface.contrast(average(learnt, _MORE, source), [-1, 1], _LEVEL),
            why="mixtures drawn at random; at the average mixture",
        )
    ]
    if linear is not None:
        why = "the same slope everywhere, averaged over the runs; the others' mixture adjusted for by trees"
        answers.append(Finding(name="double machine learning", estimate=linear.effect([_MORE], _LEVEL), why=why))
    told = "all others in proportion" if source is None else source
    return Asked(
        name=f"1M loss on {TARGET}: ten points more {DOMAIN}, taken from {told}",
        naive=Finding(
            name="naive",
            estimate=slope.model_copy(update={"rung": "observed"}),
            why=f"loss regressed on the share of {DOMAIN} alone: it does not say what gives way",
        ),
        answers=tuple(answers),
    )


def _chosen_among_run(surface: LossSurface, learnt: MixtureRuns, held: MixtureRuns, seed: int) -> Asked:
    chosen = lowest(surface, held.shares, _LEVEL, seed)
    apart = chosen_and_valued_apart(learnt.shares, learnt.loss(TARGET), held.shares, _LEVEL, seed)
    actual, best = float(held.loss(TARGET)[chosen.index]), float(held.loss(TARGET).min())
    other = float(held.loss(TARGET)[apart.index])
    return Asked(
        name=f"1M loss on {TARGET} of the best of {len(held)} held-out mixtures by prediction (best run: {best:.3f})",
        truth=actual,
        naive=_finding("naive", chosen.plain, actual, "the interval of a mixture that nobody chose"),
        answers=(
            _finding("all candidates at once", chosen.honest, actual, "holds each of the candidates, hence the chosen"),
            _finding(
                "chosen and valued apart",
                apart.honest,
                other,
                f"chosen by one half of the runs, valued by the other; its own run had {other:.3f}",
            ),
        ),
    )


def _finding(name: str, estimate: Estimate, actual: float, why: str) -> Finding:
    error = None if estimate.value is None else estimate.value - actual
    return Finding(name=name, estimate=estimate, why=why, error=error)


def _proposed(proposed: Chosen, again: Chosen, best_run: float) -> Asked:
    return Asked(
        name=f"1M loss on {TARGET} of the best mixture proposed, which nobody ran (best run: {best_run:.3f})",
        naive=Finding(name="naive", estimate=proposed.plain, why="the interval of a mixture that nobody chose"),
        answers=(
            Finding(
                name="all candidates at once",
                estimate=proposed.honest,
                why=f"holds each of {_CANDIDATES:,} mixtures between runs, hence the chosen",
            ),
            Finding(
                name="chosen and valued apart",
                estimate=again.honest,
                why="another mixture: chosen by one half of the runs, valued by the other",
            ),
        ),
    )


def _hidden(linear: PartiallyLinear, share: float) -> SensitivityRow:
    return SensitivityRow(
        assumption="the mixture was drawn at random",
        failing=f"a hidden cause explains {share:.0%} of what is left of both the share of {DOMAIN} and the loss "
        f"(it takes {linear.robustness([_MORE]):.0%} of both to undo the slope)",
        estimate=linear.confounded([_MORE], share, share, _LEVEL),
    )


def _mixture(shares: Floats, learnt: MixtureRuns) -> Figures:
    order = np.argsort(-shares)[:_SHOWN]
    mean = learnt.shares.mean(0)
    return Figures(
        title="The mixture proposed: its largest shares",
        titles=("domain", "share", "average share of the runs"),
        rows=tuple((learnt.domains[at], float(shares[at]), float(mean[at])) for at in order),
    )


def _decision(surface: LossSurface, learnt: MixtureRuns, proposed: Chosen, best_run: float) -> str:
    alone, spread = (surface.contrast(average(learnt, _MORE, source), [-1, 1]).value or 0.0 for source in (_FROM, None))
    sure = proposed.honest.high < best_run
    run = (
        "Run the mixture proposed: its whole interval lies below the best run."
        if sure
        else "Run the mixture proposed beside the best one run before taking it: their difference is within the error."
    )
    first, other = ("all others", f"{_FROM} alone") if spread < alone else (f"{_FROM} alone", "all others")
    return (
        f"Take room for more {DOMAIN} from {first} rather than from {other}, if the loss on {TARGET} matters "
        f"({min(spread, alone):+.3f} against {max(spread, alone):+.3f}). {run}"
    )
