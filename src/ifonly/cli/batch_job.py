"""From the options of ``ifonly batch`` to its job."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import JsonValue, TypeAdapter, ValidationError

import ifonly
from ifonly.agents.actions import Action, EnvironmentAction
from ifonly.agents.errors import ActionError, InputError
from ifonly.agents.files import expand
from ifonly.cli.ask import Ask, text_of
from ifonly.cli.output import note, problems
from ifonly.cli.progress import bar
from ifonly.scenarios.catalog import REPLAYED
from ifonly.sim.batch.choosing import Chosen, choose
from ifonly.sim.batch.job import DataFile, Job, KnownUnits, Question, RecordedUnits, file_digest
from ifonly.sim.clean import INJECTIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ifonly.agents.canonical import Equality
    from ifonly.agents.records import Trajectory
    from ifonly.cli.where import Where
    from ifonly.sim.batch.job import Units

__all__ = ["job_of", "questions_of", "recorded_units", "world_units"]

_QUESTIONS: TypeAdapter[dict[str, list[Action]]] = TypeAdapter(dict[str, list[Action]])


def questions_of(asked: Ask | None, given: str | None) -> tuple[Question, ...]:
    """The what-ifs: one typed as options, or several from a file that maps names to lists of actions.

    Raises:
        ActionError: both, neither, or what is no action.
        InputError: the file cannot be read.
    """
    if (asked is None) == (given is None):
        found = "none" if asked is None else "both an action and --questions"
        raise ActionError("one what-if or more", found, "Ask with --at and its like, or with --questions @FILE.")
    if asked is not None:
        actions = asked.everywhere()
        name = "; ".join(f"{action.do} {action.site}" for action in actions)
        return (Question(name=name, actions=actions),)
    text = text_of(given or "")
    try:
        read = _QUESTIONS.validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"])) or "the whole"
        fix = """Write an object such as {"no search": [{"site": "search/0", "do": "drop"}]}."""
        raise ActionError(f"--questions {text[:80]}", f"{place}: {first['msg']}", fix) from None
    return tuple(Question(name=name, actions=tuple(actions)) for name, actions in read.items())


def recorded_units(
    paths: Sequence[str],
    format: str | None,
    where: Where,
    limit: int | None,
    questions: Sequence[Question],
    then: tuple[str, Sequence[str], Equality],
) -> tuple[RecordedUnits, int]:
    """Recorded runs as units, and how many records were left out.

    Args:
        paths: where they are.
        format: of them; found out if None.
        where: which of them.
        limit: how many at most.
        questions: where one takes the attack out of the environment, runs that were not attacked are left out.
        then: the continuation, where its corpus is, and when requests are equal.

    Raises:
        InputError: nothing could be read.
        ActionError: no run is left.
        UnknownName: no run has a key of `where`.
    """
    wanted = _Wanted(where, any(_cleans(action) for question in questions for action in question.actions))
    found = _chosen(paths, format, limit, wanted)
    where.known()
    if wanted.calm:
        note(f"{wanted.calm:,} runs were not attacked, and are left out.")
    if not found.files:
        raise ActionError(f"{found.seen:,} runs", "none is to be asked", "`ifonly show PATH` lists the runs.")
    continuation, corpus, equality = then
    pool = _chosen(corpus, format) if continuation == "corpus" else Chosen((), 0, ())
    units = RecordedUnits.model_validate(
        {"files": found.files, "continuation": continuation, "corpus": pool.files, "equality": equality}
    )
    return units, len(found.problems) + len(pool.problems)


def world_units(world: str, paths: Sequence[str], count: int, settings: dict[str, JsonValue]) -> KnownUnits:
    """Units of a world, by the name of one that comes with ifonly or as ``module:name``.

    Raises:
        InputError: a file cannot be read.
    """
    files = list(expand(paths))
    for file in files:
        if isinstance(file, InputError):
            raise file
    data = tuple(DataFile(path=str(file), digest=file_digest(file)) for file in files if isinstance(file, Path))
    return KnownUnits(world=REPLAYED.get(world, world), settings=settings, files=data, count=count)


def job_of(units: Units, questions: tuple[Question, ...], level: float, seed: int) -> Job:
    """The job."""
    return Job(ifonly=ifonly.__version__, units=units, questions=questions, level=level, seed=seed)


@dataclass
class _Wanted:
    """Which runs are asked: by conditions, and attacked where the attack is to be taken out."""

    where: Where
    cleans: bool
    calm: int = 0

    def __call__(self, run: Trajectory) -> bool:
        if not self.where.holds(run):
            return False
        attacked = run.environment is not None and bool(run.environment.settings.get(INJECTIONS))
        self.calm += self.cleans and not attacked
        return attacked or not self.cleans


def _any(run: Trajectory) -> bool:
    return True


def _cleans(action: Action) -> bool:
    return isinstance(action, EnvironmentAction) and action.settings.get(INJECTIONS) == {}


def _chosen(
    paths: Sequence[str], format: str | None, limit: int | None = None, wanted: Callable[[Trajectory], bool] = _any
) -> Chosen:
    with bar("reading runs", unit="bytes") as told:
        found = choose(paths, format, wanted=wanted, limit=limit, progress=told)
    problems(found.problems)
    return found
