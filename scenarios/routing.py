"""Routing between a small and a large model: real prompts of which both answers are known, and logs that hide one.

    prompt (domain, length) ---> model ---> correct
             |                                 ^
             +---------------------------------+

Data: RouteLLM's `routellm_routing` (../shared/data, SOURCE.md): 10,703 prompts of MMLU and GSM8K, with whether
Mixtral-8x7B (small) and GPT-4 Turbo (large) answered each correctly. So the value of every policy is known exactly:
V(pi) = mean over prompts of sum over models of pi(model | prompt) correct(prompt, model).

`confounded_log` hides one of the two: a router sends hard prompts to the large model, so that the large model's mean
reward in the log is too low, and the small one's too high. Where it judges hardness by domain and length, which the log
keeps, the estimators can set that right; where it also sees what the log does not (`hidden` above 0: whether the small
model would fail), no estimator can, and only bounds that allow for it hold.

Cost: list prices of November 2023 in US dollars per million tokens, input and output, a token counted as 4 characters
and an answer of MMLU as 4 tokens.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from ifonly.agents.errors import InputError
from ifonly.agents.tables import Table, read_table
from ifonly.scm.draw import Draw

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ifonly.scm.policy.logged import Floats

__all__ = ["ARMS", "PRICES", "Prompts", "confounded_log", "hardness", "policies", "read_prompts"]

ARMS: Final = ("large", "small")
"""The two models, in the order of all arrays here."""

PRICES: Final[Mapping[str, tuple[float, float]]] = {"large": (10.0, 30.0), "small": (0.6, 0.6)}
"""US dollars per million tokens, of input and of output: GPT-4 Turbo and Mixtral-8x7B Instruct, November 2023."""

_TOKEN = 4.0
_ANSWER = 4.0
_MILLION = 1e6
_LEAST = 0.05
"""What the router leaves to chance: neither model has a smaller probability."""
_CHUNK = 5
"""Folds in which a domain's hardness is measured, so that no prompt's own outcome moves its propensity."""


@dataclass(frozen=True, eq=False)
class Prompts:
    """Prompts with the outcome of both models.

    Attributes:
        table: of the prompts: ``id``, ``bench``, ``domain``, ``prompt``, ``prompt_chars``.
        correct: of both models, shape (n, 2).
        costs: of both, in US dollars for a thousand prompts like this, shape (n, 2).
    """

    table: Table
    correct: Floats
    costs: Floats

    def value(self, policy: Floats) -> float:
        """The exact share that a policy answers correctly.

        Args:
            policy: pi(model | prompt), shape (n, 2).
        """
        return float((policy * self.correct).sum(1).mean())

    def cost(self, policy: Floats) -> float:
        """The exact mean cost of a policy, in US dollars for a thousand prompts."""
        return float((policy * self.costs).sum(1).mean())


def read_prompts(path: Path) -> Prompts:
    """Read the prompts.

    Args:
        path: ``outcomes.jsonl.gz``, or the folder that holds it.

    Raises:
        InputError: it cannot be read, or is something else.
    """
    table = read_table([path / "outcomes.jsonl.gz" if path.is_dir() else path])
    wanted = ("id", "bench", "domain", "prompt", "prompt_chars", "small_correct", "large_correct")
    missing = [name for name in wanted if name not in table.columns]
    if missing:
        found = f"lacks the columns {', '.join(missing)}"
        raise InputError(table.name, found, "Name the file outcomes.jsonl.gz of routellm_routing, or its folder.")
    correct = np.array([table.numbers(f"{arm}_correct") for arm in ARMS]).T
    asked = np.array(table.numbers("prompt_chars")) / _TOKEN
    costs = np.stack([(asked * PRICES[arm][0] + _said(table, arm) * PRICES[arm][1]) / _MILLION for arm in ARMS], 1)
    kept = Table(table.name, {name: table.columns[name] for name in wanted[:5]})
    return Prompts(kept, correct, 1_000 * costs)


def hardness(prompts: Prompts) -> Floats:
    """How much worse than the mean the small model does in the prompt's domain, and on long prompts: shape (n,).

    A domain's mean is taken over other folds of its prompts, so that no prompt's own outcome enters.
    """
    domains, fold = prompts.table.texts("domain"), np.arange(len(prompts.table)) % _CHUNK
    correct, mean = prompts.correct[:, ARMS.index("small")], np.empty(len(fold))
    for domain in set(domains):
        mine = np.flatnonzero(np.array(domains) == domain)
        for one in range(_CHUNK):
            others = mine[fold[mine] != one]
            mean[mine[fold[mine] == one]] = correct[others].mean() if len(others) else correct.mean()
    long = np.log(np.array(prompts.table.numbers("prompt_chars")))
    hard: Floats = 8.0 * (correct.mean() - mean) + 0.5 * (long - long.mean())
    return hard


def confounded_log(prompts: Prompts, seed: int, hidden: float = 0.0) -> tuple[Table, Floats]:
    """Return a router's log of the prompts, and its true propensities of both models, shape (n, 2).

    P(large) = expit(hardness + hidden (1 - 2 correct_small)), kept within [.05, .95]. The log has the columns of the
    prompts, ``model``, ``correct`` and ``cost`` of the model taken, and ``propensity`` as the router believes it: with
    nothing hidden.

    Args:
        prompts: all outcomes.
        seed: of the router's choices.
        hidden: how strongly the router knows what the log does not show; 0: not at all.
    """
    failing = 1 - 2 * prompts.correct[:, ARMS.index("small")]
    believed, true = (_chances(hardness(prompts) + extra) for extra in (0.0, hidden * failing))
    taken = (Draw(seed).uniform("routing", (len(true),)) >= true[:, 0]).astype(np.intp)
    rows = np.arange(len(taken))
    columns = {
        **prompts.table.columns,
        "model": [ARMS[arm] for arm in taken],
        "correct": prompts.correct[rows, taken].tolist(),
        "cost": prompts.costs[rows, taken].tolist(),
        "propensity": believed[rows, taken].tolist(),
    }
    return Table(f"{prompts.table.name} (one outcome hidden, seed {seed})", columns), true


def policies(prompts: Prompts) -> dict[str, Floats]:
    """Ten target policies, pi(model | prompt) of shape (n, 2): constant, at random, by domain, by length, by both."""
    chars = np.array(prompts.table.numbers("prompt_chars"))
    hard, maths = hardness(prompts), np.array([text == "gsm8k" for text in prompts.table.texts("bench")])
    moral = np.array(["moral" in text for text in prompts.table.texts("domain")])
    shares = {
        "all small": np.zeros(len(chars)),
        "all large": np.ones(len(chars)),
        "half at random": np.full(len(chars), 0.5),
        "large with .2": np.full(len(chars), 0.2),
        "large on GSM8K": maths,
        "large on moral questions": moral,
        "large above 400 characters": chars > 400,  # noqa: PLR2004 -- the policy's own threshold
        "large on the hardest quarter": hard > np.quantile(hard, 0.75),
        "large on the easiest half": hard < np.quantile(hard, 0.5),
        "large the harder, softly": 1 / (1 + np.exp(-2 * hard)),
    }
    return {name: np.stack([large, 1 - np.asarray(large, float)], 1).astype(float) for name, large in shares.items()}


def _said(table: Table, arm: str) -> Floats:
    """Tokens of the answers."""
    name = f"{arm}_out_chars"
    cells = table.columns.get(name, [None] * len(table))
    return np.array([_ANSWER if cell is None else float(cell) / _TOKEN for cell in cells])


def _chances(logit: Floats) -> Floats:
    large = np.clip(1 / (1 + np.exp(-logit)), _LEAST, 1 - _LEAST)
    return np.stack([large, 1 - large], 1)
