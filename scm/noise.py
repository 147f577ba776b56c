"""Name-keyed noise for Pyro: every sample site draws from its own stream, and no global generator moves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from pyro.poutine.messenger import Messenger
from pyro.poutine.util import site_is_subsample
from torch import Tensor

from ifonly.scm.laws import transport

if TYPE_CHECKING:
    from pyro.poutine.runtime import Message
    from torch.distributions import Distribution

    from ifonly.scm.draw import Draw

__all__ = ["Keyed", "keyed"]


class Keyed(Messenger):
    """Give each sample site the noise that its name has in a `Draw`. Enter it before plates."""

    def __init__(self, draw: Draw) -> None:
        """Take the source of uniforms."""
        super().__init__()
        self._draw = draw

    def _pyro_sample(self, message: Message[..., Any]) -> None:
        settled = message["done"] or message["is_observed"] or message["value"] is not None
        if not settled and not site_is_subsample(message):
            law: Any = message["fn"]
            message["value"] = keyed(law, str(message["name"]), self._draw)
            message["done"] = True


def keyed(law: Distribution, name: str, draw: Draw) -> Tensor:
    """Return the draw that a name has from a law, in double precision.

    A law without a quantile function (Gamma, Beta) is drawn by torch under a forked generator seeded by the
    same key.

    Args:
        law: any law, already expanded to the plates.
        name: the name of the noise.
        draw: source of uniforms.
    """
    uniform = torch.from_numpy(draw.uniform(name, tuple(law.batch_shape + law.event_shape)))
    try:
        return transport(law, uniform)
    except NotImplementedError:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(draw.key(name) % 2**63)
            return law.sample()
