"""Pretraining runs whose mixture was drawn at random: RegMix's (Liu et al. 2025, arXiv 2407.01492), at three sizes.

One row a run: `orig_split`, `model_size`, `index`, shares by domain (``w_*``) and validation losses by domain
(``loss_*``). The 60M runs have the mixtures of the 1M test runs with the same index; the 1B runs have mixtures of their
own, though their index looks the same. So runs are paired by mixture, never by index.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from ifonly.agents.errors import InputError
from ifonly.agents.tables import read_table
from ifonly.scm.mixtures.simplex import check_shares

if TYPE_CHECKING:
    from pathlib import Path

    from ifonly.scm.mixtures.simplex import Floats

__all__ = ["FILE", "TARGET", "MixtureRuns", "read_runs"]

FILE: Final = "mixture_loss.csv"
"""In the folder."""

TARGET: Final = "pile_cc"
"""The loss that RegMix minimises: its best guess at what matters downstream."""

_ROUNDING: Final = 0.001
"""Shares are printed with three decimals."""
_FEWEST: Final = 40


@dataclass(frozen=True, eq=False)
class MixtureRuns:
    """Runs of one size.

    Attributes:
        domains: names of the K domains.
        shares: shape (n, K).
        losses: by domain of validation, each of shape (n,).
    """

    domains: tuple[str, ...]
    shares: Floats
    losses: dict[str, Floats]

    def __len__(self) -> int:
        """How many runs."""
        return len(self.shares)

    def loss(self, name: str) -> Floats:
        """The losses on one domain, shape (n,).

        Args:
            name: of the domain.
        """
        return self.losses[name]


def read_runs(folder: Path) -> dict[tuple[str, str], MixtureRuns]:
    """Read the runs: by split (``train``, ``test``) and size (``1m``, ``60m``, ``1B``).

    Args:
        folder: holds `mixture_loss.csv`.

    Raises:
        InputError: no such file, no share columns, or too few 1M runs to learn from and to be held out.
        UnknownName: a column is missing.
        OffSimplex: shares do not sum to 1 within their rounding.
    """
    table = read_table([folder / FILE])
    weights = [name for name in table.columns if name.startswith("w_")]
    if len(weights) < len(("one", "other")):
        found = f"has {len(weights)} column(s) of shares (w_*)"
        raise InputError(table.name, found, "Write one column a domain, w_ and its name, at least two.")
    domains = tuple(name.removeprefix("w_") for name in weights)
    shares = check_shares(np.column_stack([table.numbers(name) for name in weights]), domains, _ROUNDING)
    table.column(f"loss_{TARGET}")
    losses = {
        name.removeprefix("loss_"): np.array(table.numbers(name)) for name in table.columns if name.startswith("loss_")
    }
    split, size = np.array(table.texts("orig_split")), np.array(table.texts("model_size"))
    made = {}
    for part in sorted({*zip(split.tolist(), size.tolist(), strict=True)}):
        rows = (split == part[0]) & (size == part[1])
        made[part] = MixtureRuns(domains, shares[rows], {name: loss[rows] for name, loss in losses.items()})
    for needed in (("train", "1m"), ("test", "1m")):
        if len(made.get(needed, ())) < _FEWEST:
            found = f"{len(made.get(needed, ()))} run(s) of model_size {needed[1]!r} have orig_split {needed[0]!r}"
            raise InputError(table.name, found, f"At least {_FEWEST} are needed, to learn from and to be held out.")
    return made
