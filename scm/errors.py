"""What the kernel refuses, and what to do about it.

- `Refusal`
    - `NeverReached`: a fact, action or noise names a site that the world never ran
    - `ReachedTwice`: one site name, two nodes in one run
    - `ImpossibleEvidence`: the world cannot take the facts
    - `NotEnumerable`: exact enumeration met noise without a finite support
    - `NotIdentified`: the estimand does not follow from the data
    - `NotApplicable`: arguments that make sense each, but not together
    - `OffSimplex`: shares that are no mixture, or a domain that there is not
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

__all__ = [
    "ImpossibleEvidence",
    "NeverReached",
    "NotApplicable",
    "NotEnumerable",
    "NotIdentified",
    "OffSimplex",
    "ReachedTwice",
    "Refusal",
]


class Refusal(Exception):
    """Root of all errors raised by `ifonly.scm`.

    Not a `ValueError`: `pyro.poutine.trace` rebuilds those from their text alone and would lose the type.
    """


class NeverReached(Refusal):
    """A name was asked for that the world never ran.

    Attributes:
        asked: the names asked for and not reached.
        reached: the sites that the world did run, in order.
    """

    def __init__(self, role: str, asked: Collection[str], reached: Iterable[str]) -> None:
        """Say what was asked, what is nearest, and the fix.

        Args:
            role: what the names were given as: "fact", "action" or "noise".
            asked: the names not reached, at least one.
            reached: the names reached, in order.
        """
        self.asked = tuple(asked)
        self.reached = tuple(reached)
        lines = [f"{role} at {name!r}: {self._nearest(name)}" for name in self.asked]
        super().__init__(
            f"the world never reached {len(self.asked)} named site(s). " + "; ".join(lines) + ". "
            f"Correct the name or drop this {role}: what a world skips can be neither observed nor changed."
        )

    def _nearest(self, name: str) -> str:
        near = get_close_matches(name, self.reached, n=3, cutoff=0.5)
        if near:
            return "nearest reached " + ", ".join(map(repr, near))
        some = ", ".join(map(repr, self.reached[:5])) or "none"
        more = ", ..." if self.reached[5:] else ""
        return f"nothing like it among the {len(self.reached)} sites reached ({some}{more})"


class ReachedTwice(Refusal):
    """A world ran two nodes under one site name."""

    def __init__(self, site: str) -> None:
        """Name the site.

        Args:
            site: the name used twice.
        """
        self.site = site
        super().__init__(
            f"site {site!r} was reached twice in one run. Give each node its own structural name, "
            f"for instance {site + '/0'!r} and {site + '/1'!r} in a loop."
        )


class ImpossibleEvidence(Refusal):
    """The facts have probability (density) zero in the world, or are not a number."""

    def __init__(self, what: str, why: str) -> None:
        """Say which evidence and why it cannot hold.

        Args:
            what: the site or the value that cannot be conditioned on.
            why: the reason, as a clause.
        """
        super().__init__(
            f"cannot condition on {what}: {why}. Check the recorded value and the mechanism of its site; "
            "a world with no noise at a site can only agree with it or contradict it."
        )


class NotEnumerable(Refusal):
    """Enumeration met a noise site whose law has no finite scalar support."""

    def __init__(self, site: str, law: object) -> None:
        """Name the noise site and its law.

        Args:
            site: the noise site.
            law: its law.
        """
        self.site = site
        super().__init__(
            f"noise {site!r} has law {law!r}, which has no finite scalar support. Use `counterfactual` with "
            "particles, or give the site a finite mechanism (`Finite`, `table`, `choice`)."
        )


class NotIdentified(Refusal):
    """An estimand that the given graph or distribution does not determine."""


class NotApplicable(Refusal):
    """Arguments that each make sense, but not together."""


class OffSimplex(Refusal):
    """Shares that are no mixture, or a domain that there is not."""

    def __init__(self, asked: str, found: str, fix: str) -> None:
        """Say what was given, why it is no mixture, and the fix.

        Args:
            asked: what was given.
            found: why it is no mixture.
            fix: what to do about it.
        """
        super().__init__(f"{asked}: {found}. {fix}".strip())

    @classmethod
    def unknown(cls, domain: str, domains: Iterable[str]) -> OffSimplex:
        """Say that there is no such domain, and which are near.

        Args:
            domain: the name asked for.
            domains: those that there are.
        """
        known = list(domains)
        near = get_close_matches(domain, known, n=3, cutoff=0.4)
        told = f"the nearest is {', '.join(near)}" if near else "nothing is like it"
        return cls(f"domain {domain!r}", f"there is none of that name; {told}", f"There are {', '.join(known)}.")
