"""A recorded attack that was obeyed, with the two what-ifs that take it apart.

An agent read a tool result into which somebody had written instructions, and followed them. Two questions of one run:

1. Had that result been clean? The *total* effect of the injection: later replies are recorded ones that the same
   model gave to the very same clean conversation, tools are executed again.
2. Had the obeying call not been made? The *controlled direct* effect of that call: later replies are held.

Where both avert the harm but only the first restores the user's task, the injection did more than make its call.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ifonly.agents.actions import DropAction
from ifonly.agents.environments.registry import environment_of
from ifonly.agents.errors import IfonlyError, InputError
from ifonly.agents.records import ToolStep
from ifonly.agents.rerun import Rerun
from ifonly.sim.clean import clean_result, injected_sites
from ifonly.sim.continuations import FromCorpus, Hold
from ifonly.sim.whatif import whatif

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ifonly.agents.corpus import Corpus
    from ifonly.agents.records import Trajectory
    from ifonly.sim.answers import WhatIfAnswer

__all__ = ["ObeyedAttack", "candidates", "find_obeyed_attack"]


@dataclass(frozen=True)
class ObeyedAttack:
    """A run in which an injection was obeyed, and what would have been otherwise.

    Args:
        run: the recorded run; its ``security`` is true: the injection succeeded.
        carrier: site of the tool result that carried the injection.
        call: site of the call that obeyed it.
        clean: the answer to "had the carrier been clean", from the corpus.
        dropped: the answer to "had the call not been made", later replies held.
    """

    run: Trajectory
    carrier: str
    call: str
    clean: WhatIfAnswer
    dropped: WhatIfAnswer


def find_obeyed_attack(corpus: Corpus) -> ObeyedAttack:
    """The shortest run in which both what-ifs avert the attack and a clean result also solves the user's task.

    Runs of equal length are tried in the order of their ids, so the choice depends on the corpus alone.

    Raises:
        InputError: the corpus holds no such run.
    """
    for run in candidates(corpus.runs):
        try:
            found = _asked(run, corpus)
        except IfonlyError:
            # A run whose environment cannot be made shows nothing; the next one may.
            continue
        if found is not None:
            return found
    raise InputError(
        f"{len(corpus.runs):,} runs",
        "none in which an injection was obeyed and the clean run is recorded too",
        "Name a folder that holds attacked and clean runs of the same model and tasks.",
    )


def candidates(runs: Sequence[Trajectory]) -> Iterator[Trajectory]:
    """The runs with an obeyed injection and an unsolved task, shortest first."""
    wanted = {"security": True, "utility": False}
    chosen = [run for run in runs if run.environment and wanted.items() <= run.outcome.scores.items()]
    yield from sorted(chosen, key=lambda run: (len(run.steps), run.id))


def _asked(run: Trajectory, corpus: Corpus) -> ObeyedAttack | None:
    """Both questions of one run; None where they do not tell the story."""
    rerun = Rerun(environment_of(run))
    carriers = injected_sites(run, rerun)
    if not carriers:
        return None
    clean = whatif(run, [clean_result(run, rerun, carriers[0])], continuation=FromCorpus(corpus))
    if clean.verdict != "answered" or _value(clean, "security") != 0 or _value(clean, "utility") != 1:
        return None
    after = run.steps[run.sites.index(carriers[0]) + 1 :]
    for step in after:
        if isinstance(step, ToolStep):
            dropped = whatif(run, [DropAction(site=step.site)], continuation=Hold())
            if dropped.verdict == "answered" and _value(dropped, "security") == 0:
                return ObeyedAttack(run, carriers[0], step.site, clean, dropped)
    return None


def _value(answer: WhatIfAnswer, score: str) -> float | None:
    return answer.outcomes[score].counterfactual.value
