"""Tables of AgentDojo as an experiment: what attacks, defences and models do, by suite, and what a defence nets.

Intervals are 95 %, clustered by user task and, under attack, by injection task too; Student's t with one degree of
freedom less than the fewer of both. A star: p at most .05 after adjustment for all questions of the table (Benjamini
and Yekutieli 2001: in whatever way they hang together).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ifonly.scenarios.agentic.experiment import BASE, DEFENCES, SUCCESS, UTILITY, Arm, mixed
from ifonly.scenarios.study import Figures
from ifonly.scenarios.swaps.cells import MAIN_ATTACK
from ifonly.scm.clustered import equal_effects, wild_p_value
from ifonly.scm.draw import Draw
from ifonly.scm.errors import NotApplicable
from ifonly.scm.multiplicity import adjust

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ifonly.scenarios.agentic.experiment import Experiment
    from ifonly.scm.clustered import Clustered

__all__ = ["attack_table", "defence_effects", "defence_table", "model_table", "net", "net_table", "suite_table", "told"]

_RATE: Final = 0.05
"""Of false discoveries, at which a star is given."""

_RATES: Final = (0.0, 0.01, 0.1, 0.5)
"""Shares of attacked requests for which the net of a defence is told."""

_QUESTIONS: Final = ("clean utility", "attacked utility", SUCCESS)


def defence_effects(experiment: Experiment, defence: str, suite: str | None = None) -> tuple[Clustered, ...]:
    """What a defence does on the base model: to clean utility, utility under attack, and attack success.

    Args:
        experiment: the experiment.
        defence: which.
        suite: of the tasks; all if None.
    """
    return _against(experiment, Arm(BASE, defence), suite)


def net(experiment: Experiment, defence: str, rate: float, worth: float = 1.0, suite: str | None = None) -> Clustered:
    """What a defence nets in solved tasks a request: utility where clean and attacked, and attacks averted.

    (1 - rate) d(clean utility) + rate (d(attacked utility) - worth d(attack success)), clustered by user task, which
    all three share. Where it matters which injection is met, it is too narrow.

    Args:
        experiment: the experiment.
        defence: which.
        rate: share of requests that are attacked.
        worth: of an averted attack, in solved tasks.
        suite: of the tasks; all if None.
    """
    clean, attacked, success = defence_effects(experiment, defence, suite)
    return mixed([(1 - rate, clean), (rate, attacked), (-rate * worth, success)])


def defence_table(experiment: Experiment) -> Figures:
    """The four defences on the base model, with how much wider honest intervals are than those of independent runs."""
    effects = [defence_effects(experiment, defence) for defence in DEFENCES]
    stars = _starred([one for row in effects for one in row])
    rows: list[tuple[str | float, ...]] = []
    for place, (defence, row) in enumerate(zip(DEFENCES, effects, strict=True)):
        cells = [told(one, stars[3 * place + at]) for at, one in enumerate(row)]
        rows.append((defence, *cells, row[2].standard_error / row[2].naive_error))
    return Figures(
        title=f"defences on {BASE}, against none",
        titles=("defence", *_QUESTIONS, "s.e. / naive s.e."),
        rows=tuple(rows),
    )


def model_table(experiment: Experiment) -> Figures:
    """Every model against the base model, and what the main attack does to it."""
    others = [model for model in experiment.models if model != BASE]
    effects = [
        (*_against(experiment, Arm(model), None), experiment.effect(UTILITY, Arm(model).attacked, Arm(model)))
        for model in others
    ]
    stars = _starred([one for row in effects for one in row])
    width = len(effects[0])
    return Figures(
        title=f"models, against {BASE}; last: what {MAIN_ATTACK} does to the model's own utility",
        titles=("model", *_QUESTIONS, "own: attack on utility"),
        rows=tuple(
            (model, *(told(one, stars[width * place + at]) for at, one in enumerate(row)))
            for place, (model, row) in enumerate(zip(others, effects, strict=True))
        ),
    )


def attack_table(experiment: Experiment) -> Figures:
    """Every attack on the base model: utility against no attack, and its success against that of the main attack."""
    main, rows = Arm().attacked, []
    utility = [experiment.effect(UTILITY, Arm(attack=attack), Arm()) for attack in experiment.attacks]
    known = experiment.outcomes[SUCCESS]
    success = {
        attack: experiment.effect(SUCCESS, Arm(attack=attack), main)
        for attack in experiment.attacks
        if attack != MAIN_ATTACK and Arm(attack=attack) in known
    }
    stars = _starred([*utility, *success.values()])
    for place, attack in enumerate(experiment.attacks):
        rate = experiment.mean(SUCCESS, Arm(attack=attack)) if Arm(attack=attack) in known else "-"
        against = "-"
        if attack in success:
            against = told(success[attack], stars[len(utility) + list(success).index(attack)])
        rows.append((attack, told(utility[place], stars[place]), rate, against))
    return Figures(
        title=f"attacks on {BASE}; those of denial of service aim at utility alone",
        titles=("attack", "utility, against no attack", SUCCESS, f"against {MAIN_ATTACK}"),
        rows=tuple(rows),
    )


def suite_table(experiment: Experiment) -> Figures:
    """Defences by suite, with the test of one effect in all four.

    Stars by the wild cluster bootstrap over the suite's user tasks (12 to 25 of the tasks kept here).
    """
    rows: list[tuple[str | float, ...]] = []
    effects, p_values = [], []
    for defence in DEFENCES:
        for at, question in enumerate(_QUESTIONS):
            row = [defence_effects(experiment, defence, suite)[at] for suite in experiment.names]
            effects.append((defence, question, row))
            p_values += [_wild(one) for one in row]
    adjusted = adjust(p_values)
    equal = [_equal(row) for _, _, row in effects]
    joint = adjust(equal)
    width = len(experiment.names)
    for place, (defence, question, row) in enumerate(effects):
        stars = adjusted[width * place : width * (place + 1)] <= _RATE
        cells = [told(one, bool(star)) for one, star in zip(row, stars, strict=True)]
        rows.append((defence, question, *cells, equal[place], float(joint[place])))
    return Figures(
        title="by suite; p of one effect in all suites (Welch's F), as it is and adjusted for twelve such tests",
        titles=("defence", "effect on", *experiment.names, "p equal", "adjusted"),
        rows=tuple(rows),
    )


def net_table(experiment: Experiment, worth: float = 1.0) -> Figures:
    """What each defence nets for some shares of attacked requests; for one in ten, by suite too."""
    shown = 0.1
    rows = []
    for defence in DEFENCES:
        whole = [told(net(experiment, defence, rate, worth)) for rate in _RATES]
        parts = [told(net(experiment, defence, shown, worth, suite)) for suite in experiment.names]
        rows.append((defence, *whole, *parts))
    return Figures(
        title=f"net solved tasks a request, an averted attack being worth {worth:g}, by share of attacked requests",
        titles=(
            "defence",
            *(f"{rate:.0%}" for rate in _RATES),
            *(f"{suite}, {shown:.0%}" for suite in experiment.names),
        ),
        rows=tuple(rows),
    )


def told(effect: Clustered, star: bool = False) -> str:
    """An effect in words: value and interval, with a star if it is shown."""
    made = effect.estimate()
    return f"{effect.value:+.2f} [{made.low:+.2f}, {made.high:+.2f}]{'*' if star else ''}"


def _against(experiment: Experiment, arm: Arm, suite: str | None) -> tuple[Clustered, ...]:
    """An arm against the base model without defence: the three questions."""
    base = Arm()
    return (
        experiment.effect(UTILITY, arm, base, suite),
        experiment.effect(UTILITY, arm.attacked, base.attacked, suite),
        experiment.effect(SUCCESS, arm.attacked, base.attacked, suite),
    )


def _starred(effects: Sequence[Clustered]) -> list[bool]:
    return [bool(p <= _RATE) for p in adjust([one.p_value for one in effects])]


def _wild(effect: Clustered) -> float:
    values = effect.parts * len(effect.parts) + effect.value
    return wild_p_value(values, effect.clusters[0], Draw(0), repeats=1_999)


def _equal(effects: Sequence[Clustered]) -> float:
    try:
        return equal_effects(effects).p_value
    except NotApplicable:
        return 1.0
