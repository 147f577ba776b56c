"""Values of policies from the log of a bandit that is known whole: estimators told what they assume, or otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ifonly.scenarios.bandit_bench import CASES, FITTED, draw_logs, worlds
from ifonly.scenarios.bench.contest import LEVEL, Contest, Entry, answer_of, timed
from ifonly.scm.draw import Draw

if TYPE_CHECKING:
    from ifonly.scenarios.bandit import Bandit
    from ifonly.scenarios.bandit_bench import Case
    from ifonly.scenarios.bench.contest import Answer
    from ifonly.scm.policy.logged import Ints, Logged

__all__ = ["bandit_contest"]

_ROUNDS: Final = 1_000


def bandit_contest(rounds: int = _ROUNDS) -> Contest:
    """The contest whose entries are the cases of `ifonly.scenarios.bandit_bench`.

    Args:
        rounds: of each log.
    """
    cases = (*CASES, *FITTED)
    known = worlds()

    def play(seed: int) -> tuple[Answer, ...]:
        logs = draw_logs(known, rounds, Draw(seed))
        return tuple(_answer(case, known[case.kind], *logs[case.kind]) for case in cases)

    entries = tuple(
        Entry(
            query=f"value of the policy, assumptions {'met' if case.holds else 'broken'}",
            estimator=f"{case.name} ({case.given})",
            right=case.holds,
        )
        for case in cases
    )
    return Contest("bandit", "routing", "What is another routing of tasks over three models worth?", entries, play)


def _answer(case: Case, world: Bandit, log: Logged, cells: Ints) -> Answer:
    policy = world.behaviour if case.own else world.target
    value, seconds = timed(lambda: case.estimate(world, log, cells, policy[cells]))
    return answer_of(value.estimate(LEVEL), world.value(policy), seconds)
