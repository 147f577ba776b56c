"""Which steps caused an outcome together: flip sets, actual causes, and the names of how causes share the work.

Everything is asked of one question, "had these values been put, would the event still have been?", about one unit: a
recorded run, re-executed or simulated in its own noise (`effect.question`). An actual cause is one by the modified
definition of Halpern and Pearl (Halpern 2015, "A modification of the Halpern-Pearl definition of causality", IJCAI,
def. 2.2): X = x caused the event if

    AC1  X = x, and the event was;
    AC2  for some other values x' and some set W of sites kept at the values that they actually had, doing both would
         have averted the event;
    AC3  no part of X does so.

W is the witness: holding it shuts out a backup that only came in because X changed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, combinations, product
from typing import TYPE_CHECKING, Any, Literal

from ifonly.scm.errors import NotApplicable

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

__all__ = ["Alternatives", "Flip", "JointCause", "Kind", "Question", "actual_cause", "flip_sets", "joint_causes"]

Question = Callable[[Mapping[str, Any]], bool]
"""Had these values been put, by site, would the event have been?"""

Alternatives = Mapping[str, Sequence[Any]]
"""The other values that each site might have had."""

Kind = Literal["but-for", "overdetermination", "preemption", "joint"]
"""How sites caused an event: see `JointCause`."""


@dataclass(frozen=True)
class Flip:
    """A change that averts the event.

    Attributes:
        put: the other values, by site: X and x'.
        held: the sites kept at their actual values meanwhile, by site: W; empty for a plain flip.
    """

    put: Mapping[str, Any]
    held: Mapping[str, Any]

    @property
    def sites(self) -> tuple[str, ...]:
        """The sites that were changed."""
        return tuple(self.put)


@dataclass(frozen=True)
class JointCause:
    """A smallest set of sites whose change averts the event, and how they share the work.

    Attributes:
        sites: the sites, in the order in which they were given.
        kind: `but-for`: one site, without which the event would not have been. `overdetermination`: none alone
            averts it, whatever is held; all together do. `preemption`: none alone averts it, but for exactly
            `causes` it is so only because of a backup that comes in when they are changed (the witness shuts it out);
            the other sites are that backup. `joint`: none alone averts it, and each would but for a backup.
        flip: the change that averts the event.
        causes: of a preemption, the sites that did it, each with its witness; else empty.
    """

    sites: tuple[str, ...]
    kind: Kind
    flip: Flip
    causes: tuple[Flip, ...] = ()


def flip_sets(happens: Question, alternatives: Alternatives, *, size: int = 2) -> tuple[Flip, ...]:
    """Return the minimal sets of sites whose change averts the event, smaller ones first.

    A set is minimal if no part of it averts the event. Of a set's alternatives the first combination that does is
    given. Costs one question for each combination of values that is not above a smaller flip set.

    Args:
        happens: the question.
        alternatives: the values to try, by site.
        size: largest number of sites in a set.

    Raises:
        NotApplicable: if the event does not happen by itself.
    """
    _demand(happens)
    found: list[Flip] = []
    for sites in _subsets(tuple(alternatives), size):
        if any(set(flip.put) <= set(sites) for flip in found):
            continue
        flip = _averting(happens, alternatives, sites, {})
        if flip is not None:
            found.append(flip)
    return tuple(found)


def actual_cause(
    happens: Question,
    actual: Mapping[str, Any],
    alternatives: Alternatives,
    sites: Collection[str],
    *,
    witness: int = 2,
    pool: Collection[str] | None = None,
) -> Flip | None:
    """Return how the sites' actual values caused the event (modified Halpern-Pearl), or None if they did not.

    Args:
        happens: the question.
        actual: the values that the sites had.
        alternatives: other values, by site: of each of `sites` at least one.
        sites: the candidate cause X.
        witness: largest number of sites to hold; a cause that needs more is not found.
        pool: sites that may be held; all of `actual` outside the candidate if None. The event's own site must not be
            among them.

    Returns:
        The change and its witness, of the smallest witness; None also if a part of the candidate is a cause already.

    Raises:
        NotApplicable: if the event does not happen by itself, or a site has no actual value or no other one.
    """
    _demand(happens)
    for site in sites:
        if site not in actual or not alternatives.get(site):
            raise NotApplicable(f"site {site!r} needs its actual value and at least one other to be a candidate cause")
    chosen = tuple(sites)
    for part in _subsets(chosen, len(chosen) - 1):
        if _witnessed(happens, actual, alternatives, part, witness, pool) is not None:
            return None
    return _witnessed(happens, actual, alternatives, chosen, witness, pool)


def joint_causes(
    happens: Question,
    actual: Mapping[str, Any],
    alternatives: Alternatives,
    *,
    size: int = 2,
    witness: int = 2,
    pool: Collection[str] | None = None,
) -> tuple[JointCause, ...]:
    """Return the minimal flip sets with the name of how their sites share the work, smaller ones first.

    Args:
        happens: the question.
        actual: the values that the sites had; those outside `alternatives` may only be held.
        alternatives: other values, by site: the candidates.
        size: largest number of sites in a set.
        witness: largest number of sites to hold.
        pool: sites that may be held; all of `actual` outside the candidate if None.

    Raises:
        NotApplicable: if the event does not happen by itself.
    """
    made = []
    for flip in flip_sets(happens, alternatives, size=size):
        if len(flip.put) == 1:
            made.append(JointCause(flip.sites, "but-for", flip))
            continue
        alone = (_witnessed(happens, actual, alternatives, (site,), witness, pool) for site in flip.sites)
        causes = tuple(cause for cause in alone if cause is not None)
        kind: Kind = "joint" if len(causes) == len(flip.put) else "preemption" if causes else "overdetermination"
        made.append(JointCause(flip.sites, kind, flip, causes if kind == "preemption" else ()))
    return tuple(made)


def _witnessed(
    happens: Question,
    actual: Mapping[str, Any],
    alternatives: Alternatives,
    sites: tuple[str, ...],
    witness: int,
    pool: Collection[str] | None,
) -> Flip | None:
    """AC2: the first averting change, smallest witness first."""
    may_hold = tuple(site for site in (actual if pool is None else pool) if site not in sites)
    for held in chain([()], _subsets(may_hold, witness)):
        flip = _averting(happens, alternatives, sites, {site: actual[site] for site in held})
        if flip is not None:
            return flip
    return None


def _averting(
    happens: Question, alternatives: Alternatives, sites: tuple[str, ...], held: Mapping[str, Any]
) -> Flip | None:
    for values in product(*(alternatives[site] for site in sites)):
        put = dict(zip(sites, values, strict=True))
        if not happens({**held, **put}):
            return Flip(put, held)
    return None


def _subsets(sites: tuple[str, ...], size: int) -> Iterator[tuple[str, ...]]:
    return chain.from_iterable(combinations(sites, n) for n in range(1, size + 1))


def _demand(happens: Question) -> None:
    if not happens({}):
        raise NotApplicable("the event does not happen when nothing is changed: there is nothing to find causes of")
