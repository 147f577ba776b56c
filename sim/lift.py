"""Lift a trajectory to a structural causal model: an agent loop whose sites are the recorded steps.

The world is a plain Python program. Its structural equations, with the noise that abduction finds:

| site | equation | noise, given the recording |
|---|---|---|
| ``environment/0`` | the initial state | pinned at the recorded reference |
| ``user/n``, ``system/n`` | text from outside, as a response to the conversation | response function pinned there |
| ``agent/n.model`` | the model asked before, or the one recorded to follow it | none |
| ``agent/n.request`` | the conversation so far, put to that model | none |
| ``agent/n`` | u(request): the model's reply | response function pinned at the recorded request |
| ``search/n.call`` | the call that the reply makes | none |
| ``search/n`` | u(tool(state, call)), state = fold of all calls | u(re-executed) = recorded; identity elsewhere |
| ``outcome/s`` | u(judge(state, conversation)) | the same |

A reply to a request that is not pinned is what the recording does not settle. The
`ifonly.sim.continuations` decide: serve it from other recorded runs (a fresh draw of the same mechanism), or stop as
undetermined. `facts` are the recorded
values; under them and no action the world gives the recorded run back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ifonly.agents.actions import ENVIRONMENT
from ifonly.agents.environments.recorded import Recorded
from ifonly.agents.records import InputStep, ModelStep, ToolStep

if TYPE_CHECKING:
    from ifonly.agents.records import EnvironmentRef, Trajectory

__all__ = ["environment_ref", "facts_of"]


def environment_ref(run: Trajectory) -> EnvironmentRef:
    """The run's environment, or one that stands for its log."""
    return Recorded(run).ref


def facts_of(run: Trajectory) -> dict[str, object]:
    """What was observed: the value of every site that the recording shows."""
    facts: dict[str, object] = {ENVIRONMENT: environment_ref(run)}
    for step in run.steps:
        match step:
            case InputStep():
                facts[step.site] = step.message
            case ModelStep():
                facts[step.site] = step.reply
            case ToolStep():
                facts[step.site] = step.result
    for name, score in run.outcome.scores.items():
        facts[f"outcome/{name}"] = score
    return facts
