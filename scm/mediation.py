"""How much of an effect goes through a mediator: closed forms on discrete tables (Pearl's mediation formula).

For X changed from x' to x, a mediator M and an outcome Y (Pearl 2001, "Direct and indirect effects", UAI, sec. 3;
Pearl, Glymour and Jewell, Primer, sec. 4.5), with M and Y unconfounded given strata w, each under sum over w of P(w):

    TE     = E[Y_x] - E[Y_x']            = sum over m of E[Y | x, m, w] P(m | x, w) - E[Y | x', m, w] P(m | x', w)
    NDE    = E[Y_{x, M_x'}] - E[Y_x']    = sum over m of (E[Y | x, m, w] - E[Y | x', m, w]) P(m | x', w)
    NIE    = E[Y_{x', M_x}] - E[Y_x']    = sum over m of E[Y | x', m, w] (P(m | x, w) - P(m | x', w))
    CDE(m) = E[Y_{x, m}] - E[Y_{x', m}]  = E[Y | x, m, w] - E[Y | x', m, w]

and NDE_r and NIE_r, of going back from x to x'. TE = NDE - NIE_r = NIE - NDE_r in every model; TE = NDE + NIE only
without interaction of X and M. In a world of structural equations: see `pathways`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ifonly.scm.estimate import Estimate
from ifonly.scm.tables import NoTable, probabilities

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

__all__ = ["Mediation", "mediation"]


@dataclass(frozen=True)
class Mediation:
    """An effect and its parts.

    Attributes:
        total: TE.
        direct: NDE, the change of x with the mediator as it was.
        indirect: NIE, the change of the mediator with x as it was.
        back_direct: NDE_r, of going back: the change of x with the mediator as it became.
        back_indirect: NIE_r, of going back: the change of the mediator with x as it became.
        controlled: CDE, one for each value m at which the mediator was held.
    """

    total: Estimate
    direct: Estimate
    indirect: Estimate
    back_direct: Estimate
    back_indirect: Estimate
    controlled: tuple[Estimate, ...] = ()

    @property
    def sufficient(self) -> float | None:
        """NIE / TE: the share of the effect that the mediator alone would have; None where TE is 0 or bounded."""
        return self._share(self.indirect)

    @property
    def necessary(self) -> float | None:
        """1 - NDE / TE: the share of the effect that is lost without the mediator; None where TE is 0 or bounded."""
        share = self._share(self.direct)
        return None if share is None else 1 - share

    def _share(self, part: Estimate) -> float | None:
        return None if not self.total.value or part.value is None else part.value / self.total.value


def mediation(
    mediator: ArrayLike, outcome: ArrayLike, strata: ArrayLike | None = None, *, off: int = 0, on: int = 1
) -> Mediation:
    """Return the effects of X on Y through and around a discrete mediator, by the mediation formula.

    Args:
        mediator: P(m | x), shape (X, M); with strata P(m | x, w), shape (W, X, M).
        outcome: E[Y | x, m], shape (X, M); with strata E[Y | x, m, w], shape (W, X, M).
        strata: P(w), shape (W,): covariates given which M and Y are unconfounded; None if they are so as they are.
        off: index x' of X before.
        on: index x of X after.

    Raises:
        NoTable: if a table is no law, the shapes do not fit, or an index is out of range.
    """
    p_w, p, y = _tables(mediator, outcome, strata, (off, on))

    def mean(x: int, through: int) -> float:
        """E[Y_{x, M_through}]."""
        return float(np.einsum("w,wm,wm->", p_w, y[:, x], p[:, through]))

    def change(after: float, before: float) -> Estimate:
        return Estimate.settled(after - before, "counterfactual")

    held = p_w @ (y[:, on] - y[:, off])
    return Mediation(
        total=Estimate.settled(mean(on, on) - mean(off, off), "interventional"),
        direct=change(mean(on, off), mean(off, off)),
        indirect=change(mean(off, on), mean(off, off)),
        back_direct=change(mean(off, on), mean(on, on)),
        back_indirect=change(mean(on, off), mean(on, on)),
        controlled=tuple(Estimate.settled(float(value), "interventional") for value in held),
    )


def _tables(
    mediator: ArrayLike, outcome: ArrayLike, strata: ArrayLike | None, values: tuple[int, int]
) -> tuple[Floats, Floats, Floats]:
    """P(w), P(m | x, w) and E[Y | x, m, w], checked; one stratum if there are none."""
    p, y = np.asarray(mediator, dtype=float), np.asarray(outcome, dtype=float)
    if strata is None:
        p, y = p[None], y[None]
    p_w = probabilities("P(w)", [1.0] if strata is None else strata, (-1,), 1)
    p = probabilities("P(m | x)", p, (len(p_w), -1, -1), 1)
    if y.shape != p.shape or not np.isfinite(y).all():
        raise NoTable("E[Y | x, m]", f"finite numbers of the shape of P(m | x), {p.shape}", f"shape {y.shape}")
    if not all(0 <= x < p.shape[1] for x in values):
        raise NoTable("P(m | x)", f"a table with rows {values[0]} and {values[1]} of x", f"{p.shape[1]} rows")
    return p_w, p, y
