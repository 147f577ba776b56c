"""A workflow of choices and tools whose mechanism is known: the ten steps of `credit_world`, and others like it.

    choice_k = argmax_a (log p_k(a | corrupted context?, model) + g_ka)     g standard Gumbel, the noise
    fault:     with probability `fault` one step, uniform, takes its worst option whatever its law says
    result_k = tool(choice_k, results of the parents)                       deterministic, an opaque token
    success    iff the last result is not corrupted

Options at each step: 0 good, the last bad, those between neutral. A result is corrupted if its choice is bad or a
parent is corrupted; also at a *clash*, if two named steps both chose neutrally. At the step `undo` a good choice cures
what arrives. A choice's law moves when something it reads is corrupted, so that the mess seen lies downstream of the
cause. Options and results are hashes: neither their names nor their order in a menu say anything.

`shipped` is the world of `../shared/data/credit_world`, stated there in SOURCE.md; `drawn` makes others: any number
of steps, options and models, another graph, other laws, with or without an undo.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ifonly.scm.gumbel import Floats

__all__ = ["GOOD", "Task", "Workflow", "drawn", "shipped", "token"]

GOOD: Final = 0
"""The good option of every step."""

_TOKEN = 8


@dataclass(frozen=True, eq=False)
class Workflow:
    """A world: its graph, its laws, and what a wrong choice does.

    Attributes:
        parents: of each step, the earlier steps whose results its tool reads.
        reads: of each step, the earlier steps whose corruption moves its law.
        log_laws: log-probabilities, shape (steps, 2, models, options): clean or corrupted context, model, option.
        clash: pairs (step, (a, b)): neutral choices at both a and b corrupt the step.
        undo: the step that can cure, or None.
        fault: probability of a fault in a run.
        logging: probability with which the logging policy takes each model, at every step anew.
        models: their names, weakest first.
        names: of the steps.
    """

    parents: tuple[tuple[int, ...], ...]
    reads: tuple[tuple[int, ...], ...]
    log_laws: Floats
    clash: tuple[tuple[int, tuple[int, int]], ...] = ()
    undo: int | None = None
    fault: float = 0.4
    logging: tuple[float, ...] = (0.7, 0.3)
    models: tuple[str, ...] = ("small", "big")
    names: tuple[str, ...] = ()

    @property
    def steps(self) -> int:
        """How many choices a run makes."""
        return len(self.parents)

    @property
    def options(self) -> int:
        """How many options a choice has; the last is bad."""
        return int(self.log_laws.shape[-1])

    def law(self, step: int, corrupted: Sequence[int] | Mapping[int, int], model: int) -> Floats:
        """Return the log-probabilities of a choice.

        Args:
            step: of the choice.
            corrupted: flags of the earlier steps that it reads, or of all.
            model: index of the model.
        """
        row: Floats = self.log_laws[step, int(any(corrupted[j] for j in self.reads[step])), model]
        return row

    @cached_property
    def tool_reads(self) -> tuple[tuple[int, ...], ...]:
        """Of each step, all earlier steps whose results its tool looks at."""
        pairs = [{j for at, pair in self.clash if at == k for j in pair} for k in range(self.steps)]
        return tuple(tuple(sorted({*read, *pair})) for read, pair in zip(self.parents, pairs, strict=True))

    def corrupted(self, step: int, choice: int, before: Mapping[int, tuple[int, int]]) -> int:
        """Return whether a step's result is corrupted.

        Args:
            step: of the choice.
            choice: the option taken.
            before: (corrupted, choice) of the earlier steps that its tool reads, or of all.
        """
        bad = self.options - 1
        if choice == bad:
            return 1
        if step == self.undo and choice == GOOD:
            return 0
        if any(before[j][0] for j in self.parents[step]):
            return 1
        return int(any(at == step and all(GOOD < before[j][1] < bad for j in pair) for at, pair in self.clash))


def token(task: str, *parts: object) -> str:
    """Return the opaque name of an option or result: eight hexadecimal digits of a SHA-1, as in the shipped logs."""
    return hashlib.sha1("|".join(map(str, (task, *parts))).encode(), usedforsecurity=False).hexdigest()[:_TOKEN]


@dataclass(eq=False)
class Task:
    """One task of a workflow as its agent meets it: tools to execute, and a model to ask, which is counted.

    Attributes:
        workflow: its world.
        name: of the task; it salts all tokens.
        asked: how many laws were asked for.
        executed: how many tools were executed.
    """

    workflow: Workflow
    name: str
    asked: int = field(default=0, init=False)
    executed: int = field(default=0, init=False)

    @cached_property
    def options(self) -> tuple[tuple[str, ...], ...]:
        """The token of each step's options."""
        steps, options = range(self.workflow.steps), range(self.workflow.options)
        return tuple(tuple(token(self.name, "opt", k, a) for a in options) for k in steps)

    @cached_property
    def _choices(self) -> tuple[dict[str, int], ...]:
        return tuple({name: a for a, name in enumerate(names)} for names in self.options)

    @cached_property
    def _results(self) -> tuple[dict[tuple[int, int], str], ...]:
        steps, options = range(self.workflow.steps), range(self.workflow.options)
        return tuple({(c, a): token(self.name, "res", k, c, a) for c in (0, 1) for a in options} for k in steps)

    @cached_property
    def _meaning(self) -> tuple[dict[str, tuple[int, int]], ...]:
        return tuple({name: pair for pair, name in names.items()} for names in self._results)

    def result(self, step: int, corrupted: int, choice: int) -> str:
        """Return the token of a result."""
        return self._results[step][corrupted, choice]

    def meaning(self, step: int, result: str) -> tuple[int, int]:
        """Return (corrupted, choice) that a result stands for: for scoring, never for what is scored."""
        return self._meaning[step][result]

    def tool(self, step: int, option: str, results: Sequence[str]) -> str:
        """Execute a step's tool: the same result for the same option and earlier results.

        Args:
            step: of the choice.
            option: token of the option taken.
            results: of all earlier steps.
        """
        self.executed += 1
        before = {j: self._meaning[j][results[j]] for j in self.workflow.tool_reads[step]}
        choice = self._choices[step][option]
        return self._results[step][self.workflow.corrupted(step, choice, before), choice]

    def success(self, answer: str) -> bool:
        """Say whether a last result solves the task."""
        return self._meaning[-1][answer][0] == 0

    def log_probabilities(self, step: int, results: Sequence[str], model: str) -> dict[str, float]:
        """Ask a model for its law over a step's options: one model evaluation.

        Args:
            step: of the choice.
            results: of all earlier steps.
            model: its name.
        """
        self.asked += 1
        corrupted = {j: self._meaning[j][results[j]][0] for j in self.workflow.reads[step]}
        law = self.workflow.law(step, corrupted, self.workflow.models.index(model))
        return dict(zip(self.options[step], law.tolist(), strict=True))


def shipped(*, repair: bool) -> Workflow:
    """Return the ten-step world of `../shared/data/credit_world`.

    Args:
        repair: whether step 6 can cure what arrives; else a fault stays.
    """
    parents = ((), (0,), (0,), (1,), (2,), (3, 4), (5,), (0,), (6, 7), (8,))
    base = np.array([[2.6, -0.3, 0.1], [3.6, -0.6, -0.8]])
    logits = np.tile(base, (len(parents), 2, 1, 1))
    logits[[5, 8], :, 0, GOOD] -= 0.6
    logits[:, 1] += [-1.4, 0.9, 0.5]
    if repair:
        logits[6, 1] = [[0.0, 0.9, -0.2], [1.6, 0.8, -1.0]]
    names = ["plan", "search_a", "search_b", "extract_a", "extract_b", "compute", "check", "policy", "compose", "final"]
    return Workflow(parents, parents, _normalised(logits), ((5, (3, 4)),), 6 if repair else None, names=tuple(names))


def drawn(
    generator: np.random.Generator, steps: int, options: int = 3, models: int = 2, *, repair: bool = False
) -> Workflow:
    """Return another world of the kind: graph, laws, fault rate and logging policy are drawn.

    Every step's result reaches the last. Some choices read one more step than their tool does.

    Args:
        generator: of the draws.
        steps: at least 4.
        options: at least 3.
        models: at least 2, each better than the one before.
        repair: whether some step can cure what arrives.
    """
    parents = _graph(generator, steps)
    reads = tuple(
        tuple(sorted({*read, k - 1})) if k and generator.random() < 1 / 4 else read for k, read in enumerate(parents)
    )
    good = np.linspace(2.0, 3.4, models) + generator.uniform(0, 0.4, models)
    wrong = generator.uniform(-0.8, 0.2, (steps, 1, models, options - 1)) - np.log((options - 1) / 2)
    logits = np.concatenate([np.broadcast_to(good[:, None], (steps, 1, models, 1)), wrong], -1).repeat(2, axis=1)
    logits[:, 1, :, GOOD] -= generator.uniform(1.0, 1.8, (steps, 1))
    logits[:, 1, :, 1:] += generator.uniform(0.2, 1.0, (steps, 1, options - 1))
    undo = int(generator.integers(steps // 2, steps - 1)) if repair else None
    if undo is not None:
        logits[undo, 1, :, GOOD] += np.linspace(0.0, 0.8, models)
    clash = tuple((k, (read[0], read[1])) for k, read in enumerate(parents) if len(read) == 2)[:1]  # noqa: PLR2004
    shares = generator.dirichlet(np.full(models, 5.0))
    return Workflow(
        parents,
        reads,
        _normalised(logits),
        clash,
        undo,
        fault=float(generator.uniform(0.2, 0.5)),
        logging=tuple(shares.tolist()),
        models=tuple(f"model-{m}" for m in range(models)),
        names=tuple(f"step-{k}" for k in range(steps)),
    )


def _graph(generator: np.random.Generator, steps: int) -> tuple[tuple[int, ...], ...]:
    """Parents among the last three steps; what nothing has read by then is read, so that all reach the last."""
    parents: list[tuple[int, ...]] = [()]
    for k in range(1, steps):
        read = {j for row in parents for j in row}
        due = [j for j in range(max(0, k - 3), k) if j not in read and (j <= k - 3 or k >= steps - 1)]
        chosen = {k - 1} if generator.random() < 1 / 2 else {int(generator.integers(max(0, k - 3), k))}
        if k > 2 and generator.random() < 1 / 4:  # noqa: PLR2004
            chosen.add(int(generator.integers(max(0, k - 3), k)))
        parents.append(tuple(sorted(chosen | set(due))))
    return tuple(parents)


def _normalised(logits: Floats) -> Floats:
    normalised: Floats = logits - np.logaddexp.reduce(logits, axis=-1, keepdims=True)
    return normalised
