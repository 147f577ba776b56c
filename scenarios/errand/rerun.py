"""The errand, recorded until it fails once, and what would have helped: another prompt, another model."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ifonly.agents.actions import ModelAction, PromptAction
from ifonly.agents.errors import ProviderError
from ifonly.agents.loop import AgentSpec, run_agent, workplace
from ifonly.agents.records import Trajectory
from ifonly.agents.toolbox.box import Toolbox
from ifonly.agents.toolbox.environment import PythonEnvironment
from ifonly.agents.toolbox.ledger import Ledger
from ifonly.scenarios.errand import AGENT, BETTER
from ifonly.sim.live import Counted, Fresh
from ifonly.sim.rollout import Effort
from ifonly.sim.whatif_live import whatif_live

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ifonly.agents.actions import Action
    from ifonly.agents.completion import ChatModel
    from ifonly.sim.answers import WhatIfAnswer

__all__ = ["OTHER_MODEL", "ErrandRuns", "ask_errand", "record_errands"]

OTHER_MODEL = "smollm2-28"
"""The other local model."""

_TRIES = 8


@dataclass(frozen=True)
class ErrandRuns:
    """Runs of the errand, in the order in which they were made; the last one failed."""

    runs: tuple[Trajectory, ...]

    @property
    def failed(self) -> Trajectory:
        """The run that failed."""
        return self.runs[-1]


def record_errands(model: ChatModel, folder: Path) -> ErrandRuns:
    """Run the errand, each time with the next seed, until it fails.

    Args:
        model: answers for ``smollm2``.
        folder: for the ledger of effects; the errand's tools have none.

    Raises:
        ProviderError: it did not fail in several tries, or the model cannot be asked.
    """
    spec, runs = AgentSpec.load(AGENT), list[Trajectory]()
    for seed in range(_TRIES):
        seeded = spec.model_copy(update={"settings": {**spec.settings, "seed": seed}})
        place = workplace(seeded, f"errand/{seed}", Ledger(folder / "effects"))
        runs.append(asyncio.run(run_agent(seeded, model, place, id=f"errand/{seed}")))
        if runs[-1].outcome.error and not runs[-1].outcome.scores:
            raise ProviderError("the errand", runs[-1].outcome.error, "See that the local model is installed.")
        if not runs[-1].outcome.scores.get("solved"):
            return ErrandRuns(tuple(runs))
    raise ProviderError("the errand", f"it was solved {_TRIES} times in a row", "Try again with other seeds.")


def ask_errand(
    run: Trajectory,
    model: ChatModel,
    particles: int,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> dict[str, WhatIfAnswer]:
    """Two what-ifs, each with its control: a better prompt from the start, and the other model at the first step.

    Args:
        run: of the errand.
        model: answers for both models.
        particles: re-runs in each arm.
        progress: told the particles done, and of how many.
    """
    environment = PythonEnvironment(Toolbox.load(str(AGENT.with_name("tools.py"))), run)
    asked: dict[str, Action] = {
        "prompt": PromptAction(site="system/0", content=BETTER),
        "model": ModelAction(site="agent/0", model=OTHER_MODEL),
    }
    answers = {}
    for number, (name, action) in enumerate(asked.items()):
        counted = Counted(model)
        told = _shifted(progress, number * particles, len(asked) * particles)
        effort = Effort(particles=particles, workers=4)
        live = whatif_live(
            run, [action], Fresh(counted), counted, effort=effort, environment=environment, progress=told
        )
        answers[name] = live.answer
    return answers


def _shifted(progress: Callable[[int, int], None], done: int, of: int) -> Callable[[int, int], None]:
    return lambda now, _: progress(done + now, of)
