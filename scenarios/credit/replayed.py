"""The ten-step agent as a world of a batch: counterfactual replays of many of its runs at once.

Without logs, unit n is a run of the known world under noise of its own; its counterfactual is the same noise in the
changed world: exact. With logs (`runs.jsonl.gz` of `../shared/data/credit_world`), the laws are those that the logs
tell and the rate of faults is fitted to them; unit n is logged run n mod R with particle n div R, a draw from the
posterior of its noise given what was logged. In the race form of a Gumbel-max choice, Y = argmin_j E_j / p_j with
E_j ~ Exp(1), given Y = i:

    T ~ Exp(1),   E_i = p_i T,   E_j = p_j T + Exp(1) for j other than i

(Maddison, Tarlow and Minka 2014; `ifonly.scm.gumbel` has what it comes to on average). A fault that may have put a
logged choice is drawn first, from its posterior; a step at fault keeps its option in every world, and its noise is then
what it was before anything was seen. Sites are ``plan/0``, ``search_a/0`` and so on; options are called ``good``,
``neutral`` and ``bad``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from ifonly.agents.actions import ModelAction, RedrawAction, ReplyAction
from ifonly.agents.errors import ActionError, UnknownName
from ifonly.scenarios.credit.fitted import Decoded, decoded, fitted
from ifonly.scenarios.credit.logs import read_runs
from ifonly.scenarios.credit.workflow import GOOD, Workflow, shipped
from ifonly.sim.batch.worlds import Both

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from pydantic import JsonValue

    from ifonly.agents.actions import Action
    from ifonly.scm.draw import Draw
    from ifonly.scm.gumbel import Floats

    Ints = NDArray[np.int64]

__all__ = ["SCORE", "Agent", "Noise", "commit", "repair", "replay"]

SCORE: Final = "success"
"""The one score: the last result is not corrupted."""

_NONE: Final = -1


def commit(settings: Mapping[str, JsonValue], files: Sequence[Path]) -> Agent:
    """The world in which a fault stays; see `ifonly.sim.batch.worlds.World`."""
    return _made(settings, files, repair=False)


def repair(settings: Mapping[str, JsonValue], files: Sequence[Path]) -> Agent:
    """The world whose step 6 can cure what reaches it; see `ifonly.sim.batch.worlds.World`."""
    return _made(settings, files, repair=True)


def _made(settings: Mapping[str, JsonValue], files: Sequence[Path], *, repair: bool) -> Agent:
    if settings:
        raise UnknownName("setting", next(iter(settings)), (), "This world has no settings.")
    workflow = shipped(repair=repair)
    if not files:
        return Agent(workflow)
    logs = decoded(workflow, [run for file in files for run in read_runs(file)])
    return Agent(fitted(workflow, logs), logs)


@dataclass(frozen=True, eq=False)
class Noise:
    """What makes runs: of each unit the exponential noise, the step at fault, and the models.

    Attributes:
        races: shape (units, steps, options).
        fault: the step that takes its bad option, or that keeps its logged one; -1 for none. Shape (units,).
        models: index of each step's model, shape (units, steps).
    """

    races: Floats
    fault: Ints
    models: Ints


@dataclass(frozen=True, eq=False)
class Agent:
    """The units of the ten-step agent.

    Attributes:
        workflow: the known world, or the one fitted to the logs.
        logs: runs whose noise is abducted; None where units are runs of the known world.
    """

    workflow: Workflow
    logs: Decoded | None = None

    @property
    def noise(self) -> str | None:
        """The noise model of abducted runs; None where the noise is known."""
        return None if self.logs is None else "gumbel-max"

    def check(self, actions: Sequence[Action]) -> None:
        """See `ifonly.sim.batch.worlds.World`."""
        for action in actions:
            self._step(action.site)
            if isinstance(action, ReplyAction):
                self._option(action)
            elif isinstance(action, ModelAction):
                self._model(action)
            elif not isinstance(action, RedrawAction):
                fix = "Ask for another model, another reply (good, neutral or bad), or a redraw."
                raise ActionError(f"do {action.do} at {action.site}", "this agent has choices of models alone", fix)

    def names(self, units: range) -> list[str]:
        """See `ifonly.sim.batch.worlds.World`."""
        if self.logs is None:
            return [str(unit) for unit in units]
        runs = self.logs.names
        return [f"{runs[unit % len(runs)]}#{unit // len(runs)}" for unit in units]

    def tasks(self, units: range) -> list[str] | None:
        """See `ifonly.sim.batch.worlds.World`: particles of one logged run are no independent runs."""
        return None if self.logs is None else [self.logs.names[unit % len(self.logs.names)] for unit in units]

    def replay(self, units: range, actions: Sequence[Action], draw: Draw) -> dict[str, Both]:
        """See `ifonly.sim.batch.worlds.World`."""
        noise, factual, put = self._abducted(units, draw) if self.logs else self._drawn(units, draw)
        races, models = noise.races.copy(), noise.models.copy()
        for action in actions:
            k = self._step(action.site)
            if isinstance(action, ReplyAction):
                put[:, k] = self._option(action)
            elif isinstance(action, ModelAction):
                models[:, k : k + 1 if action.scope == "step" else None] = self._model(action)
            else:
                races[:, k] = -np.log(draw.rows(f"{action.site}/redraw", units.start, len(units), races.shape[-1]))
                put[:, k] = _NONE
        changed = replay(self.workflow, Noise(races, noise.fault, models), put)
        return {SCORE: Both(factual, changed)}

    def _drawn(self, units: range, draw: Draw) -> tuple[Noise, Floats, Ints]:
        """Runs of the known world: (noise, outcomes, options put: those of faults)."""
        world, steps = self.workflow, self.workflow.steps
        races = self._races(units, draw)
        chance = draw.rows("fault", units.start, len(units), 1)[:, 0]
        fault = np.where(chance < world.fault, (chance / world.fault * steps).astype(np.int64), _NONE)
        models = np.searchsorted(np.cumsum(world.logging)[:-1], draw.rows("model", units.start, len(units), steps))
        put = np.where(np.arange(steps) == fault[:, None], world.options - 1, _NONE)
        noise = Noise(races, fault, models)
        return noise, replay(world, noise, put), put

    def _abducted(self, units: range, draw: Draw) -> tuple[Noise, Floats, Ints]:
        """Logged runs with noise from its posterior: (noise, logged outcomes, options put: those of faults)."""
        logs = self.logs
        assert logs is not None
        run = np.arange(units.start, units.stop) % len(logs.names)
        at_fault = np.cumsum(logs.faults(self.workflow)[run], -1)
        chance = draw.rows("fault", units.start, len(units), 1)
        fault = np.where(chance[:, 0] < at_fault[:, -1], (chance >= at_fault).sum(-1), _NONE)
        races, choices = self._races(units, draw), logs.choices[run]
        law = logs.laws(self.workflow)[run]
        ended = -np.log(draw.rows("ended", units.start, len(units), self.workflow.steps))[..., None]
        taken = np.arange(self.workflow.options) == choices[..., None]
        faulty = np.arange(self.workflow.steps) == fault[:, None]
        races = np.where(faulty[..., None], races, law * ended + np.where(taken, 0.0, races))
        return Noise(races, fault, logs.models[run]), logs.success[run], np.where(faulty, choices, _NONE)

    def _races(self, units: range, draw: Draw) -> Floats:
        """Exp(1) noise of every option, keyed by step and unit."""
        steps = range(self.workflow.steps)
        rows = [draw.rows(self._site(k), units.start, len(units), self.workflow.options) for k in steps]
        return -np.log(np.stack(rows, 1))

    def _site(self, k: int) -> str:
        return f"{self.workflow.names[k]}/0"

    def _step(self, site: str) -> int:
        sites = [self._site(k) for k in range(self.workflow.steps)]
        if site not in sites:
            raise UnknownName("site", site, sites)
        return sites.index(site)

    def _model(self, action: ModelAction) -> int:
        if action.model not in self.workflow.models:
            raise UnknownName("model", action.model, self.workflow.models)
        return self.workflow.models.index(action.model)

    def _option(self, action: ReplyAction) -> int:
        names = {"good": GOOD, "neutral": GOOD + 1, "bad": self.workflow.options - 1}
        if not isinstance(action.content, str) or action.content not in names:
            raise UnknownName("reply", str(action.content), names)
        return names[action.content]


def replay(world: Workflow, noise: Noise, put: Ints) -> Floats:
    """Return the outcomes of many runs: 1. where the last result is not corrupted, shape (units,).

    Args:
        world: its laws.
        noise: of the runs.
        put: options that are put, -1 where the noise chooses; shape (units, steps).
    """
    corrupted, choices = np.zeros(put.shape, bool), np.zeros(put.shape, np.int64)
    laws, bad = np.exp(world.log_laws), world.options - 1
    for k in range(world.steps):
        moved = corrupted[:, world.reads[k]].any(-1)
        law = laws[k][moved.astype(np.int64), noise.models[:, k]]
        choice = np.where(put[:, k] == _NONE, np.argmin(noise.races[:, k] / law, -1), put[:, k])
        reached = corrupted[:, world.parents[k]].any(-1)
        if k == world.undo:
            reached &= choice != GOOD
        for at, pair in world.clash:
            if at == k:
                neutral = (choices[:, pair] > GOOD) & (choices[:, pair] < bad)
                reached |= neutral.all(-1) & ((choice != GOOD) if k == world.undo else True)
        corrupted[:, k], choices[:, k] = reached | (choice == bad), choice
    return (~corrupted[:, -1]).astype(float)
