"""The mechanism of a deterministic machine whose recorded output may differ from what it gives today."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import torch

from ifonly.agents.environments.base import Undetermined
from ifonly.scm.laws import Point

if TYPE_CHECKING:
    from collections.abc import Callable

    from pyro.distributions import TorchDistribution

__all__ = ["Reexecuted"]


@dataclass(frozen=True, slots=True)
class Seen:
    """Noise of a re-executed site: the identity, but for one output that was recorded as something else.

    Args:
        parents: the recorded parents' values.
        executed: what the machine gives for them today; Undetermined where it cannot say.
        recorded: what was recorded.
    """

    parents: tuple[Any, ...]
    executed: Any
    recorded: Any

    def __call__(self, executed: Any, parents: tuple[Any, ...]) -> Any:
        """The value that stands for an executed output; where the machine cannot say, only equal parents are known."""
        if isinstance(executed, Undetermined):
            return self.recorded if parents == self.parents else executed
        return self.recorded if executed == self.executed else executed


def _identity(executed: Any, parents: tuple[Any, ...]) -> Any:
    return executed


@dataclass(frozen=True, slots=True)
class Reexecuted:
    """value = u(machine(parents)): a tool or judge executed again, with the noise that the recording shows.

    The prior of u is the identity: the machine is taken at its word. Given a recorded value, u maps the machine's
    output at the recorded parents to that value and is the identity elsewhere; so a recorded value that cannot be
    reproduced (a clock, a corrected judge) survives wherever the machine's output is unchanged. This is a choice of
    noise model, seen only where a run does not re-execute exactly; answers say so there.

    Attributes:
        machine: the parents' values to the output.
    """

    machine: Callable[..., Any]
    coupling: ClassVar[None] = None

    def prior(self, *parents: Any) -> TorchDistribution:
        """The identity."""
        return Point(_identity)

    def __call__(self, noise: Callable[[Any, tuple[Any, ...]], Any], *parents: Any) -> Any:
        """u(machine(parents))."""
        return noise(self.machine(*parents), parents)

    def posterior(self, value: Any, *parents: Any) -> TorchDistribution:
        """The point at the function that takes today's output to the recorded value."""
        return Point(Seen(parents, self.machine(*parents), value))

    def log_prob(self, value: Any, *parents: Any) -> torch.Tensor:
        """Zero: how often a machine differs from its recording is not modelled."""
        return torch.zeros(())
