"""What ``ifonly policy`` needs of runs: those of several decisions with policies by step, and whole ones replayed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ifonly.agents.errors import ActionError
from ifonly.agents.modules import named_in
from ifonly.cli.inputs import read_runs
from ifonly.cli.lazy import load
from ifonly.cli.output import note
from ifonly.sim.policy.targets import ELSE, parse_steps, parse_target
from ifonly.sim.policy.trajectories import STEP, RunsValuing, with_steps

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ifonly.agents.records import Trajectory
    from ifonly.agents.tables import Table
    from ifonly.sim.policy import PolicyAnswer, Target, Valuing

__all__ = ["in_world", "parse_policy", "replayed", "steps_of_runs"]

_PREFIX = "score."


def steps_of_runs(table: Table, run: str, refused: Sequence[str]) -> Table:
    """The table with the step of each row.

    Args:
        table: a decision a row.
        run: column of the run.
        refused: options that were given, and that whole runs do not go with.

    Raises:
        ActionError: there are such.
    """
    if refused:
        fix = "Leave them out, or value single decisions: leave out --run."
        raise ActionError("ifonly policy --run", f"{', '.join(refused)}: not for whole runs", fix)
    return with_steps(table, run)


def parse_policy(text: str, arms: Sequence[str], *, steps: bool) -> Target:
    """A target as it was typed.

    Args:
        text: see `ifonly.sim.policy.targets`.
        arms: of the log.
        steps: whether decisions are steps of runs, so that policies may choose by step.
    """
    return parse_steps(text, arms, STEP) if steps and ELSE in text and text not in arms else parse_target(text, arms)


def replayed(
    answers: Sequence[PolicyAnswer],
    valuing: Valuing,
    runs: Sequence[Trajectory],
    reward: str,
    corpus: Sequence[str],
    format: str | None = None,
) -> list[PolicyAnswer]:
    """The answers with the value by abduction of every run beside the others.

    Args:
        answers: on policies that choose the model of a whole run.
        valuing: of the table of these runs.
        runs: recorded; those that the table leaves out play no part.
        reward: its column of rewards.
        corpus: paths of more runs to learn from.
        format: of these.

    Raises:
        ActionError: there is a corpus, and the reward is no score.
    """
    if not reward.startswith(_PREFIX):
        if corpus:
            raise ActionError("--corpus", f"{reward} is no score of runs", "Name a score with --score.")
        return list(answers)
    name, of = reward.removeprefix(_PREFIX), {run.id: run for run in runs}
    mine = [of[id] for id in valuing.table.texts("run")]
    more = read_runs(corpus, format).runs if corpus else ()
    note(f"fitting an item-response world to {name} of the runs")
    # Loads torch: only where an item-response world is fitted.
    found: list[PolicyAnswer] = load("ifonly.sim.policy.replaying", "replay_runs")(answers, valuing, mine, name, more)
    return found


def in_world(
    answers: Sequence[PolicyAnswer],
    valuing: Valuing | RunsValuing,
    world: str,
    columns: tuple[str, str],
    particles: int,
) -> list[PolicyAnswer]:
    """The answers with the value by abduction of every run in a world that the user states.

    Args:
        answers: on policies that choose at every step of a run.
        valuing: of the runs.
        world: ``FILE.py:NAME`` or ``module:NAME``.
        columns: of choices and rewards.
        particles: draws for each run.

    Raises:
        ActionError: decisions are no steps of runs, or as `ifonly.sim.policy.stated`.
        InputError, UnknownName: the world cannot be had, or as there.
    """
    if not isinstance(valuing, RunsValuing):
        raise ActionError("--world", "decisions are not said to be steps of runs", "Name the column of the run: --run.")
    found, (action, reward) = named_in(world), columns
    if not callable(found):
        raise ActionError(f"--world {world}", f"is a {type(found).__name__}, no function", "Name the world's function.")
    # Loads torch: only where a world is run.
    made = load("ifonly.sim.policy.stated", "RunsInWorld")(world, found, valuing, action, reward, particles)
    return [made.beside(answer) for answer in answers]
