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

    def shows(self, executed: Any, parents: tuple[Any, ...]) -> bool:
        """Whether the recorded value stands for an output; where the machine cannot say, only equal parents tell."""
        return parents == self.parents if isinstance(executed, Undetermined) else executed == self.executed


@dataclass(frozen=True, slots=True)
class Reexecuted:
    """value = u(machine(parents)): a tool or judge executed again, with the noise that the recording shows.

    The prior of u is the identity: the machine is taken at its word. Given a recorded value, u maps the machine's
    output at the recorded parents to that value and is the identity elsewhere; so a recorded value that cannot be
    reproduced (a clock, a corrected judge) survives wherever the machine's output is unchanged. This is a choice of
    noise model, seen only where a run does not re-execute exactly; answers say so there.

    Attributes:
        machine: the parents' values to the output.
        doubt: why an output may have been recorded as something else, where nothing is known of how; an output that
            the recording does not show is then undetermined.
    """

    machine: Callable[..., Any]
    doubt: str | None = None
    coupling: ClassVar[None] = None

    def prior(self, *parents: Any) -> TorchDistribution:
        """The identity."""
        return Point(None)

    def __call__(self, noise: Seen | None, *parents: Any) -> Any:
        """u(machine(parents))."""
        executed = self.machine(*parents)
        if noise is not None and noise.shows(executed, parents):
            return noise.recorded
        return executed if self.doubt is None else Undetermined(why=self.doubt)

    def posterior(self, value: Any, *parents: Any) -> TorchDistribution:
        """The point at the function that takes today's output to the recorded value."""
        return Point(Seen(parents, self.machine(*parents), value))

    def log_prob(self, value: Any, *parents: Any) -> torch.Tensor:
        """Zero: how often a machine differs from its recording is not modelled."""
        return torch.zeros(())
