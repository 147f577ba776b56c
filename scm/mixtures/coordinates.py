"""Coordinates of mixtures: log-ratios, in which the simplex is a plane, and the polynomials of mixture experiments."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from ifonly.scm.errors import OffSimplex

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ifonly.scm.mixtures.simplex import Floats

__all__ = ["others", "pivot_coordinates", "replace_zeros", "scheffe"]


def replace_zeros(shares: Floats, detection: float) -> Floats:
    """Return mixtures without zeros: each zero becomes `detection`, and the rest shrinks to make room.

    Multiplicative replacement: ratios of what is not 0 stay as they are (Martin-Fernandez, Barcelo-Vidal and
    Pawlowsky-Glahn 2003, Mathematical Geology 35:253).

    Args:
        shares: rows sum to 1, shape (n, K).
        detection: what a zero stands for, say half the last digit printed.

    Raises:
        OffSimplex: if the zeros of a row would take the whole.
    """
    zero = shares <= 0
    room = 1 - detection * zero.sum(1, keepdims=True)
    if not (detection > 0 and (room > 0).all()):
        raise OffSimplex(f"{detection} for a zero", "this leaves nothing for the others", "Take less.")
    replaced: Floats = np.where(zero, detection, shares * room)
    return replaced


def pivot_coordinates(shares: Floats) -> Floats:
    """Return isometric log-ratio coordinates, shape (n, K - 1); the first speaks of the first domain alone.

    z_i = sqrt((K - i) / (K - i + 1)) ln(w_i / geometric mean of w_i+1 .. w_K): distances are those of the simplex
    (Egozcue et al. 2003, Mathematical Geology 35:279; Filzmoser, Hron and Templ 2018, ch. 3). Raising the first
    coordinate alone is a substitution in proportion from all others.

    Args:
        shares: positive, rows sum to 1, shape (n, K): see `replace_zeros`.

    Raises:
        OffSimplex: if a share is 0.
    """
    if not (shares > 0).all():
        raise OffSimplex(f"{int((shares <= 0).sum())} share(s) of 0", "their logarithm is infinite", "Replace zeros.")
    logs = np.log(shares)
    left = np.arange(shares.shape[1] - 1, 0, -1)
    means = np.cumsum(logs[:, ::-1], 1)[:, ::-1][:, 1:] / left
    coordinates: Floats = np.sqrt(left / (left + 1)) * (logs[:, :-1] - means)
    return coordinates


def scheffe(shares: Floats, domains: Sequence[str]) -> tuple[Floats, tuple[str, ...]]:
    """Return the columns of Scheffe's quadratic, and their names: sum b_i w_i + sum b_ij w_i w_j, without intercept.

    Every quadratic on the simplex is of this form, once (Scheffe 1958, "Experiments with mixtures", JRSS B 20:344).

    Args:
        shares: rows sum to 1, shape (n, K).
        domains: names of the K columns.
    """
    pairs = list(combinations(range(len(domains)), 2))
    products = [shares[:, i] * shares[:, j] for i, j in pairs]
    names = (*domains, *(f"{domains[i]} x {domains[j]}" for i, j in pairs))
    return np.column_stack([shares, *products]), names


def others(shares: Floats, at: int) -> Floats:
    """Return the mixture of all domains but one among themselves, shape (n, K - 1).

    A substitution in proportion keeps it. A row that is the one domain alone has equal parts.

    Args:
        shares: rows sum to 1, shape (n, K).
        at: place of the domain left out.
    """
    rest = np.delete(shares, at, 1)
    whole = rest.sum(1, keepdims=True)
    parts: Floats = np.divide(rest, whole, out=np.full_like(rest, 1 / rest.shape[1]), where=whole > 0)
    return parts
