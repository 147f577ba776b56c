"""Mixtures: shares of domains that sum to 1, and substitutions, which say where the added share is taken from.

A share cannot be raised alone. "More code" is an intervention only once it says what gives way: one domain, several in
stated parts, or all others in proportion to what they have. Each is another estimand (in nutrition, where calories are
the whole, the *substitution* and the *relative* model: Tomova et al. 2022, "Theory and performance of substitution
models", Epidemiology 33:747).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import fsum
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from ifonly.scm.errors import OffSimplex

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike

__all__ = ["Floats", "Mixture", "Source", "check_shares", "domain_at", "substitute"]

Floats = NDArray[np.float64]
"""An array of float64."""

Source = str | Mapping[str, float] | None
"""What gives way: one domain; several, each with its part of what is taken; or None, all others in proportion."""

_EXACT: Final = 1e-6
"""How far a sum may be from 1 by floating point alone."""
_SHOWN: Final = 6
_ROWS: Final = 3


@dataclass(frozen=True, slots=True)
class Mixture:
    """Shares of a training set by domain: at least 0, and 1 in all. Make it with `of`.

    Attributes:
        domains: their names, in order, each once.
        shares: as many, in [0, 1], summing to 1.
    """

    domains: tuple[str, ...]
    shares: tuple[float, ...]

    @classmethod
    def of(cls, shares: Mapping[str, float], domains: Sequence[str] | None = None, rounding: float = 0.0) -> Mixture:
        """Check shares and make the mixture.

        Args:
            shares: by domain; a domain left out has none.
            domains: all that there are, in order; those of `shares` if None.
            rounding: unit of the last digit printed; sums may miss 1 by half of it a domain, and are then divided out.

        Raises:
            OffSimplex: shares are negative, no numbers, or do not sum to 1; or a domain is not known.
        """
        known = tuple(domains or shares)
        for name in shares:
            domain_at(name, known)
        row = check_shares([[shares.get(name, 0.0) for name in known]], known, rounding)[0]
        return cls(known, tuple(row.tolist()))

    def __getitem__(self, domain: str) -> float:
        """The share of a domain.

        Raises:
            OffSimplex: there is no such domain.
        """
        return self.shares[domain_at(domain, self.domains)]

    @property
    def row(self) -> Floats:
        """The shares as an array, shape (K,)."""
        return np.array(self.shares)

    def with_more(self, domain: str, amount: float, taken_from: Source = None) -> Mixture:
        """The mixture after a substitution.

        Args:
            domain: what there is more of.
            amount: by how much, as a share of the whole: .05 is five points; negative gives back instead.
            taken_from: what gives way.

        Raises:
            OffSimplex: a domain is not known, or has less than is taken.
        """
        row = substitute(self.row[None], self.domains, domain, amount, taken_from)[0]
        return Mixture(self.domains, tuple(row.tolist()))


def check_shares(shares: ArrayLike, domains: Sequence[str], rounding: float = 0.0) -> Floats:
    """Return mixtures as an array whose rows sum to 1 exactly, shape (n, K).

    Args:
        shares: one mixture a row, shape (n, K).
        domains: names of the K columns.
        rounding: unit of the last digit printed; K rounded shares miss their sum by at most K/2 units.

    Raises:
        OffSimplex: a row is none: the first few are told, with what they sum to.
    """
    rows = np.asarray(shares, dtype=float)
    if len(domains) < len(("one", "other")) or len(set(domains)) < len(domains):
        raise OffSimplex(f"the domains {list(domains)}", "a mixture has at least two domains, each named once", "")
    if rows.ndim != len(("rows", "columns")) or rows.shape[1] != len(domains):
        raise OffSimplex(
            f"shares of shape {rows.shape}", f"{len(domains)} domains want one column each", "Give one mixture a row."
        )
    bad = np.argwhere(~(np.isfinite(rows) & (rows >= 0)))
    if bad.size:
        told = "; ".join(f"row {row}: {domains[column]} has {rows[row, column]:.6g}" for row, column in bad[:_ROWS])
        raise OffSimplex(told, "a share is a number of at least 0", "Mend it: what is not used has the share 0.")
    sums = np.array([fsum(row) for row in rows])
    allowed = max(_EXACT, rounding * len(domains) / 2) + 1e-12
    off = np.flatnonzero(np.abs(sums - 1) > allowed)
    if off.size:
        told = "; ".join(f"row {row} sums to {sums[row]:.6g}" for row in off[:_ROWS])
        more = f" (and {len(off) - _ROWS} more)" if len(off) > _ROWS else ""
        raise OffSimplex(f"{told}{more}", f"the shares of a mixture sum to 1 (within {allowed:.2g})", _fix(sums[off]))
    made: Floats = rows / sums[:, None]
    return made


def substitute(
    shares: ArrayLike, domains: Sequence[str], domain: str, amount: float, taken_from: Source = None
) -> Floats:
    """Return mixtures after a substitution, shape (n, K).

    In proportion, the others keep their ratios: w_j (1 - w_d - amount) / (1 - w_d). Otherwise each named source loses
    its part of the amount.

    Args:
        shares: mixtures, shape (n, K).
        domains: names of the K columns.
        domain: what there is more of.
        amount: by how much; negative gives back instead.
        taken_from: what gives way.

    Raises:
        OffSimplex: a name is not known, parts do not sum to 1, or some mixture has less than is taken.
    """
    before = check_shares(shares, domains)
    at = domain_at(domain, domains)
    after = before.copy()
    if taken_from is None:
        rest = 1 - before[:, at]
        _enough(rest, amount, "all others together", domain)
        scale = np.divide(rest - amount, rest, out=np.zeros_like(rest), where=rest > 0)
        after *= scale[:, None]
    else:
        for name, part in _parts(taken_from, domain, domains).items():
            source = domain_at(name, domains)
            _enough(before[:, source], amount * part, name, domain)
            after[:, source] -= amount * part
    _enough(before[:, at], -amount, domain, "the others")
    after[:, at] = before[:, at] + amount
    return np.maximum(after, 0.0)


def domain_at(domain: str, domains: Sequence[str]) -> int:
    """Return the place of a domain.

    Raises:
        OffSimplex: there is none of that name; the nearest are told.
    """
    if domain not in domains:
        raise OffSimplex.unknown(domain, domains)
    return list(domains).index(domain)


def _parts(taken_from: str | Mapping[str, float], domain: str, domains: Sequence[str]) -> Mapping[str, float]:
    parts = {taken_from: 1.0} if isinstance(taken_from, str) else dict(taken_from)
    for name in parts:
        domain_at(name, domains)
    if domain in parts:
        raise OffSimplex(f"{domain} taken from itself", "nothing changes", "Name other domains that give way.")
    if not (min(parts.values(), default=-1.0) >= 0 and abs(fsum(parts.values()) - 1) <= _EXACT):
        raise OffSimplex(
            f"parts {parts}", "the parts of what is taken are at least 0 and sum to 1", "Divide them by their sum."
        )
    return parts


def _enough(has: Floats, taken: float, name: str, domain: str) -> None:
    short = np.flatnonzero(has < taken - _EXACT)
    if short.size:
        raise OffSimplex(
            f"{taken:.4g} taken from {name} for {domain}",
            f"{len(short)} of {len(has)} mixture(s) have less; the least has {has.min():.4g}",
            "Take less, take it from more domains, or leave these mixtures out.",
        )


def _fix(sums: Floats) -> str:
    if np.allclose(sums, 100, rtol=0.05):
        return "These look like per cent: divide by 100."
    return "Add the domain that is missing, or divide each row by its sum if the rest is rounding alone."
