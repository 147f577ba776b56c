"""The table of `ifonly bench whowhen`: every attributor against the labels, by part.

- `step`, `agent`: share of logs in which the step, or the agent, that is blamed is the labelled one
- `top3`: in which the labelled step is among the first three; `reciprocal`: mean reciprocal rank
- `near`: in which the step blamed is at most one away
- `log_score`: mean natural logarithm of the probability given to the labelled step, of who gives probabilities
- `difference`: in `step`, paired, over the rule that does best on the same logs and part (chosen with their labels,
  which favours the rule); `p_value`: of the exact sign test that neither is right more often

Whatever learns is given the logs of all other questions, never those of the question that it answers.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from ifonly.agents.records import Record
from ifonly.scenarios.whowhen.blame import NOBODY, Attributor, Blame
from ifonly.scenarios.whowhen.origin import reranked
from ifonly.scenarios.whowhen.ours import Signs
from ifonly.scenarios.whowhen.rules import RULES
from ifonly.scenarios.whowhen.scoring import Score, difference, score, share, sign_test
from ifonly.scm.estimate import Estimate

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ifonly.scenarios.whowhen.blame import Learner
    from ifonly.scenarios.whowhen.logs import Labelled

__all__ = ["ALL", "OURS", "Answers", "Row", "answered", "crossed", "own_answers", "rows_of", "shortlisted", "spread"]

ALL = "all"
"""The name of both parts together."""

OURS = "signs, learned"
"""The name of our attributor without a model."""

Answers = dict[str, Blame]
"""What was said of logs, by their ids; a log that is missing was not answered."""


class Row(Record):
    """One attributor on one part; the module says what the numbers mean. Estimates carry their intervals."""

    estimator: str
    world: str
    logs: int
    step: float
    agent: float
    top3: float
    reciprocal: float
    near: float
    log_score: float | None = None
    difference: float | None = None
    against: str | None = None
    p_value: float | None = None
    estimates: dict[str, Estimate]


def answered(attributor: Attributor, logs: Sequence[Labelled]) -> Answers:
    """What an attributor says of logs; it sees no label."""
    return {one.log.id: attributor.attribute(one.log) for one in logs}


def crossed(learner: Learner, logs: Sequence[Labelled], known: Sequence[Labelled]) -> Answers:
    """What a learner says of each log once it has seen the labels of all other questions.

    Args:
        learner: who learns.
        logs: to be answered.
        known: to learn from; those of the question at hand are left out.
    """
    found: Answers = {}
    for question in dict.fromkeys(one.question for one in logs):
        attributor = learner.learn([one for one in known if one.question != question])
        found |= answered(attributor, [one for one in logs if one.question == question])
    return found


def own_answers(
    logs: Sequence[Labelled], known: Sequence[Labelled], progress: Callable[[int, int], None] = lambda done, of: None
) -> dict[str, Answers]:
    """What the rules and our attributor say, by their names, with its shortlist re-ranked.

    Args:
        logs: to be answered.
        known: to learn from.
        progress: told how many are done, and of how many.
    """
    learners: dict[str, Learner] = {**RULES, OURS: Signs()}
    found = dict[str, Answers]()
    for number, (name, learner) in enumerate(learners.items()):
        progress(number, len(learners))
        found[name] = crossed(learner, logs, known)
    return found | shortlisted(OURS, found[OURS], logs)


def shortlisted(name: str, answers: Answers, logs: Sequence[Labelled]) -> dict[str, Answers]:
    """The answers re-ranked by where the final answer comes from, in both ways (`reranked`)."""
    here = {one.log.id: one.log for one in logs}
    return {
        f"{name}, origins first": {id: reranked(blame, here[id]) for id, blame in answers.items()},
        f"{name}, earliest origin": {id: reranked(blame, here[id], earliest=True) for id, blame in answers.items()},
    }


def spread(logs: Sequence[Labelled], limit: int | None) -> list[Labelled]:
    """So many logs at most, evenly over the file, so that no part is left out."""
    if limit is None or limit >= len(logs):
        return list(logs)
    return [logs[(2 * number + 1) * len(logs) // (2 * limit)] for number in range(limit)]


def rows_of(answers: Mapping[str, Answers], logs: Sequence[Labelled]) -> list[Row]:
    """The table: every attributor on every part, and on both where there are two.

    Args:
        answers: by the attributor's name; each is scored on the logs that it answered.
        logs: with their labels.
    """
    parts = list(dict.fromkeys(one.log.part for one in logs))
    rows = []
    for part in [*parts, ALL] if len(parts) > 1 else parts:
        here = [one for one in logs if part in (ALL, one.log.part)]
        scores = {
            name: {one.log.id: score(said[one.log.id], one) for one in here if one.log.id in said}
            for name, said in answers.items()
        }
        rows += [_row(name, part, here, answers[name], scores) for name in answers if scores[name]]
    return rows


def _row(
    name: str, part: str, here: Sequence[Labelled], said: Answers, scores: Mapping[str, Mapping[str, Score]]
) -> Row:
    mine = scores[name]
    told = [one for one in here if one.log.id in mine]
    questions = [one.question for one in told]
    columns = {key: [getattr(mine[one.log.id], key) for one in told] for key in Score._fields}
    estimates = {key: share(columns[key], questions) for key in ("step", "agent")}
    best, p_value = None if name in RULES else _best([one.log.id for one in told], scores), None
    if best is not None:
        rival = [scores[best][one.log.id].step for one in told]
        p_value = sign_test(columns["step"], rival, questions)
        gap = difference(columns["step"], rival, questions)
        estimates |= {} if gap is None else {"difference": gap}
    means = {key: float(np.mean(values)) for key, values in columns.items()}
    gap = estimates.get("difference")
    return Row(
        estimator=name,
        world=part,
        logs=len(told),
        **means,
        log_score=_log_score(told, said),
        difference=None if gap is None else gap.value,
        against=None if gap is None else best,
        p_value=None if gap is None else p_value,
        estimates=estimates,
    )


def _best(ids: Sequence[str], scores: Mapping[str, Mapping[str, Score]]) -> str | None:
    """The rule that is right about most of these steps; the first of equals."""
    rules = [rule for rule in RULES if rule in scores and all(id in scores[rule] for id in ids)]
    return max(rules, key=lambda rule: sum(scores[rule][id].step for id in ids), default=None)


def _log_score(told: Sequence[Labelled], said: Answers) -> float | None:
    given = [said.get(one.log.id, NOBODY).probabilities for one in told]
    masses = [law[one.label.step] for law, one in zip(given, told, strict=True) if law is not None]
    if len(masses) < len(told) or min(masses) <= 0:
        return None
    return math.fsum(map(math.log, masses)) / len(masses)
