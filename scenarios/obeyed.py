"""Recorded attacks that were obeyed, and the two what-ifs that take them apart.

An agent read a tool result into which somebody had written instructions, and followed them. Two questions of one run:

1. Had that result been clean? The *total* effect of the injection: later replies are recorded ones that the same
   model gave to the very same clean conversation; tools are executed again.
2. Had the obeying call not been made? The *controlled direct* effect of that call: later replies are held.

Where both avert the attack but only the first restores the user's task, the injection did more than make its call.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ifonly.agents.actions import DropAction
from ifonly.agents.environments.registry import environment_of
from ifonly.agents.errors import IfonlyError, InputError
from ifonly.agents.records import ToolStep
from ifonly.agents.rerun import Rerun
from ifonly.sim.clean import clean_environment, clean_result, injected_sites
from ifonly.sim.continuations import FromCorpus, Hold
from ifonly.sim.whatif import whatif

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ifonly.agents.corpus import Corpus
    from ifonly.agents.records import Trajectory
    from ifonly.sim.answers import WhatIfAnswer

__all__ = ["ObeyedAttack", "clean_answers", "find_obeyed_attack", "obeyed"]

_READING = ("get_", "list_", "read_", "search_")
"""How AgentDojo names the tools that change nothing."""


@dataclass(frozen=True)
class ObeyedAttack:
    """A run in which an injection was obeyed, and what would have been otherwise.

    Args:
        run: the recorded run; its ``security`` is true: the injection succeeded.
        carrier: site of the tool result that carried the injection.
        call: site of the call that obeyed it.
        clean: the answer to "had the carrier been clean", from the corpus.
        dropped: the answer to "had the call not been made", later replies held.
        also: another call, without which and `call` the task is solved; None where there is none, or no need.
    """

    run: Trajectory
    carrier: str
    call: str
    clean: WhatIfAnswer
    dropped: WhatIfAnswer
    also: str | None = None

    @property
    def more_than_its_call(self) -> bool:
        """Whether the user's task stays unsolved without the call, so that the injection did more than make it."""
        return _value(self.dropped, "utility") == 0


def obeyed(runs: Sequence[Trajectory]) -> tuple[Trajectory, ...]:
    """The runs whose injection reached its goal, shortest first and then by id."""
    chosen = [run for run in runs if run.outcome.scores.get("security") is True and _injected(run)]
    return tuple(sorted(chosen, key=lambda run: (len(run.steps), run.id)))


def find_obeyed_attack(corpus: Corpus) -> ObeyedAttack:
    """The shortest run that both what-ifs of this module turn, preferably the two in different ways.

    Wanted: a clean result averts the attack and solves the task, which was not solved; and without its call the
    attack fails too. Preferred: without the call the task stays unsolved; and the call acts on the world rather than
    reads from it. Decided by the corpus alone.

    Raises:
        InputError: the corpus holds no such run.
    """
    best: ObeyedAttack | None = None
    for run in obeyed(corpus.runs):
        try:
            found = _turned(run, corpus)
        except IfonlyError:
            # A run whose environment cannot be made shows nothing; the next one may.
            continue
        if found is not None and (best is None or _rank(found) > _rank(best)):
            best = found
        if best is not None and all(_rank(best)):
            return best
    if best is None:
        raise InputError(
            f"{len(corpus.runs):,} runs",
            "none in which an injection was obeyed and what-ifs about it are settled",
            "Name a folder with attacked and clean AgentDojo runs of the same model and tasks.",
        )
    return best


def _rank(found: ObeyedAttack) -> tuple[bool, bool]:
    return found.more_than_its_call, not found.call.startswith(_READING)


def clean_answers(corpus: Corpus, progress: Callable[[int, int], None] | None = None) -> tuple[WhatIfAnswer, ...]:
    """Had the whole environment been clean: the answer for every obeyed attack of the corpus.

    Args:
        corpus: what is asked about, and what replies are taken from.
        progress: told how many runs are done, of how many.
    """
    answers, runs = [], obeyed(corpus.runs)
    for done, run in enumerate(runs):
        if progress:
            progress(done, len(runs))
        try:
            answers.append(whatif(run, [clean_environment(run)], continuation=FromCorpus(corpus)))
        except IfonlyError:
            continue
    return tuple(answers)


def _turned(run: Trajectory, corpus: Corpus) -> ObeyedAttack | None:
    """Both questions of one run; None where they do not turn it."""
    rerun = Rerun(environment_of(run))
    carriers = injected_sites(run, rerun)
    if not carriers or run.outcome.scores.get("utility") is not False:
        return None
    clean = whatif(run, [clean_result(run, rerun, carriers[0])], continuation=FromCorpus(corpus))
    if _value(clean, "security") != 0 or _value(clean, "utility") != 1 or _asks_back(clean):
        return None
    calls = [s.site for s in run.steps[run.sites.index(carriers[0]) + 1 :] if isinstance(s, ToolStep)]
    for call in calls:
        dropped = _without(run, call)
        if _value(dropped, "security") == 0 and _value(dropped, "utility") is not None:
            solved = (other for other in calls if other != call and _value(_without(run, call, other), "utility") == 1)
            also = None if _value(dropped, "utility") == 1 else next(solved, None)
            return ObeyedAttack(run, carriers[0], call, clean, dropped, also)
    return None


def _without(run: Trajectory, *calls: str) -> WhatIfAnswer:
    """Had these calls not been made, later replies held."""
    return whatif(run, [DropAction(site=call) for call in calls], continuation=Hold())


def _asks_back(answer: WhatIfAnswer) -> bool:
    """Whether the changed world ends with a question to the user: settled, but no story."""
    last = [step.counterfactual for step in answer.steps if step.counterfactual is not None][-1]
    return "?" in str(last.content)


def _injected(run: Trajectory) -> bool:
    return run.environment is not None and bool(run.environment.settings.get("injections"))


def _value(answer: WhatIfAnswer, score: str) -> float | None:
    return answer.outcomes[score].counterfactual.value
