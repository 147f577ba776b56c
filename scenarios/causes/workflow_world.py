"""The workflow of choices (`ifonly.scenarios.credit.workflow`) as a Pyro world: any graph, steps, options and models.

    fault ----> choice/k <---- context/k <---- result/j  (j that the choice reads)
                   |
                   +----> result/k <---- result/j, choice/i  (what the tool reads)

    result/last ----> success

`fault` is the step that is forced to its worst option, or -1; `choice/k` is Gumbel-max unless it is that step
(`ifonly.scm.faulty`); `context/k` says whether something that the choice reads is corrupted; `result/k` is the tool.

Truth: `ifonly.scenarios.credit.truth.Posterior`, exact, and the shipped ``p_cf`` of `../shared/data/credit_world`.
Naive: re-sampling what follows the change, off by .33 to .40 there.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from ifonly.scenarios.credit.workflow import GOOD
from ifonly.scm.actions import Put, Swap
from ifonly.scm.faulty import faulty_choice
from ifonly.scm.finite import choice
from ifonly.scm.fixed import Function, given
from ifonly.scm.kernel import endogenous
from ifonly.scm.queries import counterfactual

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ifonly.scenarios.credit.workflow import Workflow
    from ifonly.scm.answers import Twin
    from ifonly.scm.faulty import FaultyChoice
    from ifonly.scm.kernel import Node

__all__ = ["edges", "facts", "swapped_from", "what_if", "workflow_world"]


def workflow_world(workflow: Workflow, models: Sequence[int]) -> Callable[[], None]:
    """Return the program of a run.

    Args:
        workflow: its laws and tools.
        models: index of each step's model, as logged.
    """
    steps = workflow.steps
    weights = (1 - workflow.fault, *(workflow.fault / steps,) * steps)

    def world() -> None:
        fault = endogenous("fault", choice(tuple(range(-1, steps)), weights))
        chosen: list[Node[Any]] = []
        results: list[Node[Any]] = []
        for k in range(steps):
            read = [results[j] for j in workflow.reads[k]]
            context = endogenous(f"context/{k}", Function(_any), *read) if read else given(f"context/{k}", 0)
            chosen.append(endogenous(f"choice/{k}", _mechanism(workflow, k, models[k]), fault, context))
            clash = [chosen[i] for i in _clashing(workflow, k)]
            tool = Function(partial(_corrupted, workflow, k))
            results.append(
                endogenous(f"result/{k}", tool, chosen[k], *(results[j] for j in workflow.parents[k]), *clash)
            )
        endogenous("success", Function(lambda corrupted: 1 - corrupted), results[-1])

    return world


def edges(workflow: Workflow) -> frozenset[tuple[str, str]]:
    """The graph of the world."""
    made = {(f"result/{workflow.steps - 1}", "success")}
    for k in range(workflow.steps):
        made |= {("fault", f"choice/{k}"), (f"context/{k}", f"choice/{k}"), (f"choice/{k}", f"result/{k}")}
        made |= {(f"result/{j}", f"context/{k}") for j in workflow.reads[k]}
        made |= {(f"result/{j}", f"result/{k}") for j in workflow.parents[k]}
        made |= {(f"choice/{i}", f"result/{k}") for i in _clashing(workflow, k)}
    return frozenset(made)


def facts(choices: Sequence[int]) -> dict[str, int]:
    """What a log shows: the options that were taken; results follow."""
    return {f"choice/{k}": option for k, option in enumerate(choices)}


def swapped_from(workflow: Workflow, step: int, model: int) -> dict[str, Swap]:
    """The action of another model from a step on: other laws, the same noise."""
    return {f"choice/{k}": Swap(_mechanism(workflow, k, model)) for k in range(step, workflow.steps)}


def what_if(
    workflow: Workflow,
    models: Sequence[int],
    choices: Sequence[int],
    kind: str,
    step: int,
    *,
    particles: int = 4_000,
    seed: int = 0,
) -> Twin:
    """Return the counterfactual of a logged run: its good option at a step, or the last model from there on.

    Args:
        workflow: the world.
        models: index of each step's model, as logged.
        choices: options taken, as logged.
        kind: ``action`` or ``model``.
        step: where.
        particles: number of draws.
        seed: of the noise.
    """
    acted: dict[str, Any] = {f"choice/{step}": Put(GOOD)}
    if kind == "model":
        acted = dict(swapped_from(workflow, step, len(workflow.models) - 1))
    world = workflow_world(workflow, models)
    return counterfactual(world, facts(choices), acted, particles=particles, seed=seed)


def _mechanism(workflow: Workflow, step: int, model: int) -> FaultyChoice:
    return faulty_choice(workflow.log_laws[step, :, model], workflow.options - 1, step)


def _clashing(workflow: Workflow, step: int) -> tuple[int, ...]:
    return tuple(i for at, pair in workflow.clash if at == step for i in pair)


def _any(*corrupted: Any) -> Any:
    met = corrupted[0]
    for one in corrupted[1:]:
        met = met | one
    return met


def _corrupted(workflow: Workflow, step: int, option: Any, *read: Any) -> Any:
    """Whether the result is corrupted: `Workflow.corrupted`, for tensors over particles as for numbers."""
    parents, clash = read[: len(workflow.parents[step])], read[len(workflow.parents[step]) :]
    bad = workflow.options - 1
    met = _any(*parents) if parents else option * 0
    if clash:
        neutral = [(one > GOOD) & (one < bad) for one in clash]
        met = met | (_all(neutral) * 1)
    cured = met * (option != GOOD) if step == workflow.undo else met
    return ((option == bad) * 1) | cured


def _all(flags: Sequence[Any]) -> Any:
    held = flags[0]
    for one in flags[1:]:
        held = held & one
    return held
