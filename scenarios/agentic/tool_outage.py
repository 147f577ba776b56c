"""A search failed: call it again, call its provider's other tool, or another provider's?

    outage ---> search, again, fetch        one provider; an outage of it is never seen
                mirror                      another provider

P(outage) = .1;  P(search works) = P(again works) = .95, in an outage .05;  P(fetch works) = .9, in an outage .05
P(mirror works) = .7, always

The search failed, so that there is an outage with probability .095 / .14 = .679. Truth: calling it again works with
probability .339, fetch with .323, mirror with .7. Naive, each tool by its own record: .86, .815 and .7, the wrong way
round.
"""

from __future__ import annotations

from typing import Final

from ifonly.scenarios.agentic.steps import Step, Steps
from ifonly.scenarios.known import KnownWorld, Query, law_of, mean_of
from ifonly.scm.enumeration import enumerate_world

__all__ = ["WORLDS"]

_STEPS: Final = Steps(
    (
        Step("outage", lambda cell: 1 * (cell < 2)),  # noqa: PLR2004 -- .1 in twentieths
        Step("search", lambda cell, outage: 1 * (cell < 19 - 18 * outage), ("outage",)),
        Step("again", lambda cell, outage: 1 * (cell < 19 - 18 * outage), ("outage",)),
        Step("fetch", lambda cell, outage: 1 * (cell < 18 - 17 * outage), ("outage",)),
        Step("mirror", lambda cell: 1 * (cell < 14)),  # noqa: PLR2004 -- .7 in twentieths
    )
)
_FACTS: Final = {"search": 0}
_OUTAGE: Final = 0.1 * 0.95 / (0.1 * 0.95 + 0.9 * 0.05)


def _query(site: str, name: str, up: float, down: float) -> Query:
    """Whether a tool would have worked, from its chance with the provider up and down."""
    alike = up == down
    return Query(
        name=f"P({name} works | the search failed)",
        truth=_OUTAGE * down + (1 - _OUTAGE) * up,
        brute=lambda: mean_of(_STEPS.units, lambda do: do({})[site], _FACTS),
        ours=lambda: enumerate_world(_STEPS.world, _FACTS).estimate(site),
        naive=0.1 * down + 0.9 * up,
        mistake="none: it fails by itself" if alike else "the tool's own record, as if tools failed independently",
    )


# The worlds of this file: `ifonly.scenarios.catalog` finds them.
WORLDS: Final = (
    KnownWorld(
        name="tool outage",
        question="A search failed: call it again, call its provider's other tool, or another provider's?",
        edges=_STEPS.edges,
        world=_STEPS.world,
        facts=_FACTS,
        queries=(
            _query("again", "the same tool, called again,", 0.95, 0.05),
            _query("fetch", "the provider's other tool", 0.9, 0.05),
            _query("mirror", "another provider's tool", 0.7, 0.7),
        ),
        sites=_STEPS.sites,
        law=lambda: law_of(_STEPS.units, _STEPS.sites),
        assumptions=(
            "an outage lasts longer than the next call",
            "the other provider shares nothing with this one: no network, no region",
        ),
        decision="Fall back to the other provider, though its record is the worst: .7 against .34 for calling again "
        "and .32 for the provider's other tool, since two failures in three are outages of the provider.",
        hidden=frozenset({"outage"}),
    ),
)
