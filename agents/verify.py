"""Do recorded runs happen again? Every tool call executed once more in a fresh environment, and the end scored.

What is counted, and over what:

- Left out of every share, and counted apart: *empty* runs (no model step), runs *stopped* by an error, which have no
  last word to score, and runs that are only *looked up* in their own log, having no environment that executes.
- ``calls_reproduced_share`` (byte for byte) and ``calls_equivalent_share`` (see `ifonly.agents.equivalence`) are over
  the tool calls of the other runs but those whose defence rewrites results; ``rewritten_calls`` counts the latter and
  the two ``..._with_rewritten`` shares are over both. A `redacted` call is neither reproduced nor equivalent.
- ``logged_calls`` are those of irreversible tools, which are never executed again: they are in no share.
- ``scores_reproduced_share`` is the share of runs, of those with a recorded score, whose every score is reproduced.
"""

from __future__ import annotations

import os
import signal
from collections import Counter, defaultdict, deque
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import closing
from itertools import chain, islice
from multiprocessing import get_context
from typing import TYPE_CHECKING, NamedTuple

from ifonly.agents.checks import LeftOut, RunCheck, ScoreCheck, check_run
from ifonly.agents.environments.base import Undetermined
from ifonly.agents.environments.registry import environment_of
from ifonly.agents.records import ModelStep, Record, Request, ToolCall, ToolResult, Trajectory

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable

    from ifonly.agents.environments.base import Environment

__all__ = ["Differing", "Tally", "VerifyReport", "verify"]

_CHUNK = 16
"""Runs that a process takes at a time: so few that an interrupt need not wait, and handing them over costs little."""

_FEW = 200
"""Runs below which processes are not worth their start, for each imports the environment's package."""


class Differing(Record):
    """A run that is not reproduced, with its first differing call (if one differs) and the scores that differ."""

    run: str
    site: str | None
    verdict: str | None
    call: ToolCall | None
    recorded: ToolResult | None
    executed: ToolResult | Undetermined | None
    scores: tuple[ScoreCheck, ...]


class Tally(Record):
    """Counts and shares; the module says over what. A share of nothing is None."""

    runs: int
    empty: int
    stopped: int
    looked_up: int
    calls: int
    calls_reproduced_share: float | None
    calls_equivalent_share: float | None
    rewritten_calls: int
    redacted_calls: int
    logged_calls: int
    calls_reproduced_share_with_rewritten: float | None
    calls_equivalent_share_with_rewritten: float | None
    runs_equivalent_share: float | None
    scored_runs: int
    scores_reproduced_share: float | None


class VerifyReport(Record):
    """Tallies in total and by group (the suite, where the task names one), and the runs that differ, in order."""

    total: Tally
    by: dict[str, Tally]
    differing: tuple[Differing, ...]


def verify(
    trajectories: Iterable[Trajectory],
    workers: int | None = None,
    progress: Callable[[int], None] | None = None,
    environment: Callable[[Trajectory], Environment] | None = None,
) -> VerifyReport:
    """Check runs in parallel processes; the report does not depend on how many.

    Processes are spawned: a script calls this under ``if __name__ == "__main__"``.

    Args:
        trajectories: the runs; taken as they are needed, not all at once.
        workers: processes; as many as there are processors where None. One, or few runs, need no process.
        progress: called with the number of runs checked so far.
        environment: of a run, where it is another than the run names; all is then done in this process.

    Raises:
        ToolEnvironmentError: as in `check_run`.
        KeyboardInterrupt: the user's; the processes are ended first.
    """
    briefs, differing = list[_Brief](), list[Differing]()
    with closing(_checked(trajectories, workers or os.cpu_count() or 1, environment)) as checked:
        for brief, difference in checked:
            briefs.append(brief)
            if difference is not None:
                differing.append(difference)
            if progress is not None:
                progress(len(briefs))
    groups = defaultdict[str, list[_Brief]](list)
    for brief in briefs:
        groups[brief.group].append(brief)
    return VerifyReport(
        total=_tally(briefs),
        by={group: _tally(members) for group, members in sorted(groups.items())},
        differing=tuple(differing),
    )


class _Brief(NamedTuple):
    """What the report needs of a run: small, for it goes from process to process."""

    group: str
    left_out: LeftOut | None
    rewritten: bool
    logged: int
    verdicts: Counter[str]
    scored: bool
    scores_reproduced: bool


def _brief(trajectory: Trajectory, environment: Environment | None = None) -> tuple[_Brief, Differing | None]:
    check = check_run(trajectory, environment or environment_of(trajectory))
    verdicts = Counter[str](call.verdict for call in check.calls)
    scores_reproduced = all(score.reproduced for score in check.scores)
    scored = bool(check.scores)
    brief = _Brief(check.group, check.left_out, check.rewritten, check.logged, verdicts, scored, scores_reproduced)
    return brief, None if check.left_out or check.reproduced else _difference(check)


def _difference(check: RunCheck) -> Differing:
    first = check.first_differing
    return Differing(
        run=check.run,
        site=None if first is None else first.site,
        verdict=None if first is None else first.verdict,
        call=None if first is None else first.call,
        recorded=None if first is None else first.recorded,
        executed=None if first is None else first.executed,
        scores=tuple(score for score in check.scores if not score.reproduced),
    )


def _briefs(trajectories: list[Trajectory]) -> list[tuple[_Brief, Differing | None]]:
    return [_brief(trajectory) for trajectory in trajectories]


def _checked(
    trajectories: Iterable[Trajectory], workers: int, environment: Callable[[Trajectory], Environment] | None
) -> Generator[tuple[_Brief, Differing | None]]:
    """The checks in the order of the runs, with no more runs in memory than keep the processes busy."""
    if environment is not None:
        yield from (_brief(run, environment(run)) for run in trajectories)
        return
    runs = iter(trajectories)
    first = list(islice(runs, _FEW))
    runs = chain(first, runs)
    if workers == 1 or len(first) < _FEW:
        yield from map(_brief, runs)
        return
    chunks = iter(lambda: list(islice(runs, _CHUNK)), list[Trajectory]())
    # Not fork: the caller may hold threads (torch, a progress bar), which a forked process inherits broken.
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_leave_interrupts_to_parent)
    waiting = deque[Future[list[tuple[_Brief, Differing | None]]]]()
    try:
        for chunk in chunks:
            waiting.append(pool.submit(_briefs, [_light(run) for run in chunk]))
            if len(waiting) > 2 * workers:
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _leave_interrupts_to_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _light(trajectory: Trajectory) -> Trajectory:
    """The run without what its requests repeat: no check reads them, and they are most of its bytes."""
    steps = [
        step.model_copy(update={"request": Request(model="", messages=())}) if isinstance(step, ModelStep) else step
        for step in trajectory.steps
    ]
    return trajectory.model_copy(update={"steps": tuple(steps)})


def _tally(briefs: list[_Brief]) -> Tally:
    left_out = Counter(brief.left_out for brief in briefs)
    counted = [brief for brief in briefs if brief.left_out is None]
    plain = _verdicts(brief for brief in counted if not brief.rewritten)
    rewritten = _verdicts(brief for brief in counted if brief.rewritten)
    both = plain + rewritten
    scored = [brief for brief in counted if brief.scored]
    return Tally(
        runs=len(briefs),
        empty=left_out["empty"],
        stopped=left_out["stopped"],
        looked_up=left_out["looked_up"],
        calls=plain.total(),
        calls_reproduced_share=_share(plain["exact"], plain.total()),
        calls_equivalent_share=_share(plain["exact"] + plain["equivalent"], plain.total()),
        rewritten_calls=rewritten.total(),
        redacted_calls=both["redacted"],
        logged_calls=sum(brief.logged for brief in counted),
        calls_reproduced_share_with_rewritten=_share(both["exact"], both.total()),
        calls_equivalent_share_with_rewritten=_share(both["exact"] + both["equivalent"], both.total()),
        runs_equivalent_share=_share(sum(map(_equivalent, counted)), len(counted)),
        scored_runs=len(scored),
        scores_reproduced_share=_share(sum(brief.scores_reproduced for brief in scored), len(scored)),
    )


def _verdicts(briefs: Iterable[_Brief]) -> Counter[str]:
    total = Counter[str]()
    for brief in briefs:
        total.update(brief.verdicts)
    return total


def _equivalent(brief: _Brief) -> bool:
    """Whether no call of the run differs; what was redacted does not count."""
    return not brief.verdicts["differs"] and not brief.verdicts["undetermined"]


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
