"""AgentDojo's defences, attacks and models by experiment, and what a log that chose by risk would have said."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from ifonly.scenarios.agentic.experiment import BASE, DEFENCES, SUCCESS, UTILITY, Arm, read_experiment
from ifonly.scenarios.agentic.experiment_tables import (
    attack_table,
    defence_effects,
    defence_table,
    model_table,
    net,
    net_table,
    suite_table,
)
from ifonly.scenarios.agentic.switched import adjusted, over_logs, pairs_of, raw, robust, switched
from ifonly.scenarios.study import Asked, Figures, Finding, SensitivityRow, Study
from ifonly.scenarios.swaps.cells import MAIN_ATTACK

if TYPE_CHECKING:
    from pathlib import Path

    from ifonly.scenarios.agentic.experiment import Experiment
    from ifonly.scm.clustered import Clustered
    from ifonly.scm.estimate import Estimate

__all__ = ["real_study"]

_RATE: Final = 0.1
"""Share of attacked requests that the decision is told for."""
_LOGS: Final = 200
_IID: Final = "runs taken as independent, though a task comes with many"
_BOTH: Final = "paired by task; errors clustered by user task and injection task"
_LEFT: Final = "leaves out that an injection task comes with many user tasks"
_APART: Final = "the two arms taken as if they had met other tasks"
_SAME: Final = ("attack success", "utility under attack")


def real_study(folder: Path, seed: int) -> Study:
    """What AgentDojo says.

    Args:
        folder: of agentdojo_runs.
        seed: of the log in which a defence was on where the risk was higher.

    Raises:
        InputError: the folder lacks runs, or those of a defence.
    """
    experiment = read_experiment(folder)
    base = Arm()
    asked = [_trial(f"{MAIN_ATTACK} on utility of {BASE}", experiment.effect(UTILITY, base.attacked, base))]
    for defence in DEFENCES:
        clean, _, success = defence_effects(experiment, defence)
        asked.append(_trial(f"{defence} on attack success", success))
        unpaired = experiment.unpaired(UTILITY, Arm(BASE, defence), base)
        asked.append(_trial(f"{defence} on clean utility", clean, unpaired))
    asked += [_logged(experiment, score, defence, seed) for defence in DEFENCES[:2] for score in (SUCCESS, UTILITY)]
    tasks, pairs = len(experiment.tasks), len(experiment.outcomes[SUCCESS][base.attacked])
    return Study(
        source=f"AgentDojo: {tasks} user tasks, {pairs} pairs with an injection task, {len(experiment.models)} models",
        asked=tuple(asked),
        sensitivity=_sensitivity(experiment, seed),
        figures=(
            defence_table(experiment),
            net_table(experiment),
            suite_table(experiment),
            attack_table(experiment),
            model_table(experiment),
            _logs_table(experiment),
        ),
        decision=_decision(experiment),
        notes=(
            "One run a cell: what a second run of the same cell would do is not known, and is in the intervals only as "
            "far as tasks differ.",
            "Five to nine injection tasks a suite: intervals of a suite have as few degrees of freedom.",
            "* p at most .05 after adjustment for all questions of the table (Benjamini and Yekutieli 2001).",
        ),
    )


def _trial(name: str, effect: Clustered, unpaired: Estimate | None = None) -> Asked:
    """An assigned treatment: the same mean with naive and with honest errors; of single runs a task, unpaired."""
    if unpaired is not None:
        honest = Finding(name="paired by task", estimate=effect.estimate(), why="a task's two runs are held together")
        return Asked(name=name, naive=Finding(name="naive", estimate=unpaired, why=_APART), answers=(honest,))
    one_way = replace(effect, clusters=effect.clusters[:1])
    return Asked(
        name=name,
        naive=Finding(name="naive", estimate=effect.naive_estimate(), why=_IID),
        answers=(
            Finding(name="clustered two ways", estimate=effect.estimate(), why=_BOTH),
            Finding(name="clustered by user task", estimate=one_way.estimate(), why=_LEFT),
        ),
    )


def _logged(experiment: Experiment, score: str, defence: str, seed: int) -> Asked:
    """What a log says, in which the defence was on where the risk was higher; the truth is the experiment's."""
    pairs = pairs_of(experiment, score, defence)
    log = switched(pairs, seed)
    truth = pairs.truth
    naive, standard, doubly = raw(log).naive_estimate(), adjusted(log).estimate(), robust(log, seed).estimate()
    return Asked(
        name=f"{defence} on {_SAME[score != SUCCESS]}, from a log that chose by risk",
        truth=truth,
        naive=Finding(
            name="raw means",
            estimate=naive,
            why="the defence was on where attacks succeed more often",
            right=False,
            error=(naive.value or 0.0) - truth,
        ),
        answers=(
            Finding(
                name="standardised over risk",
                estimate=standard,
                why="the switch followed the risk alone, which the log holds",
                right=True,
                error=(standard.value or 0.0) - truth,
            ),
            Finding(
                name="doubly robust",
                estimate=doubly,
                why="propensities and outcomes fitted to risk and suite, on other user tasks",
                right=True,
                error=(doubly.value or 0.0) - truth,
            ),
        ),
    )


def _sensitivity(experiment: Experiment, seed: int) -> tuple[SensitivityRow, ...]:
    return tuple(
        SensitivityRow(
            assumption=f"the log of {defence} holds what moved the switch (truth {pairs.truth:+.3f})",
            failing="the rule foresaw where the bare agent obeys: it was on .04 likelier there, .04 less elsewhere",
            estimate=adjusted(switched(pairs, seed, foresees=True)).estimate(),
        )
        for defence in DEFENCES[:2]
        for pairs in (pairs_of(experiment, SUCCESS, defence),)
    )


def _logs_table(experiment: Experiment) -> Figures:
    rows = []
    for defence in DEFENCES:
        pairs = pairs_of(experiment, SUCCESS, defence)
        rows += [(defence, pairs.truth, *row) for row in over_logs(pairs, _LOGS)]
    return Figures(
        title=f"attack success from {_LOGS} logs that chose by risk: errors, and 95 % intervals that hold the truth",
        titles=("defence", "truth", "analysis", "mean error", "rmse", "coverage"),
        rows=tuple(rows),
    )


def _decision(experiment: Experiment) -> str:
    """The defence that nets most where one request in ten is attacked, overall and by suite."""
    nets = {defence: net(experiment, defence, _RATE) for defence in DEFENCES}
    best = _largest(nets)
    gained = nets[best].estimate()
    clean, _, success = defence_effects(experiment, best)
    never = [one for one in DEFENCES if nets[one].estimate().high < 0]
    avoid = f" Leave {', '.join(never)} off: the solved tasks lost outweigh the attacks averted." if never else ""
    return (
        f"With one request in ten attacked, and an averted attack worth a solved task, {best} nets most: "
        f"{nets[best].value:+.2f} [{gained.low:+.2f}, {gained.high:+.2f}] solved tasks a request, with "
        f"{clean.value:+.2f} in clean utility and {success.value:+.2f} in attack success"
        f"{_from(experiment, best)}. By suite: {_by_suite(experiment)}.{avoid}"
    )


def _from(experiment: Experiment, best: str) -> str:
    """From which share of attacked requests on another defence nets more."""
    for percent in range(int(100 * _RATE) + 1, 101):
        nets = {defence: net(experiment, defence, percent / 100) for defence in DEFENCES}
        if (other := _largest(nets)) != best:
            return f"; from {percent} % attacked on {other} nets more"
    return ""


def _by_suite(experiment: Experiment) -> str:
    told = []
    for suite in experiment.names:
        nets = {defence: net(experiment, defence, _RATE, suite=suite) for defence in DEFENCES}
        best = _largest(nets)
        shown = "" if nets[best].estimate().low > 0 else ", not shown to be above 0"
        told.append(f"{suite} {best} ({nets[best].value:+.2f}{shown})")
    return "; ".join(told)


def _largest(nets: dict[str, Clustered]) -> str:
    return max(nets, key=lambda one: nets[one].value)
