"""Reading a causal graph of sites: lineage, d-separation, and the sets that identify an effect."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

import networkx as nx

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

__all__ = [
    "ancestors",
    "backdoor_set",
    "backdoor_sets",
    "d_separated",
    "descendants",
    "frontdoor_sets",
    "intervened",
    "is_backdoor",
    "is_frontdoor",
    "parents",
]


def parents(graph: nx.DiGraph, site: str) -> frozenset[str]:
    """Return the direct causes of a site."""
    return frozenset(graph.predecessors(site))


def ancestors(graph: nx.DiGraph, site: str) -> frozenset[str]:
    """Return the causes of a site, direct or not, without the site."""
    return frozenset(nx.ancestors(graph, site))


def descendants(graph: nx.DiGraph, site: str) -> frozenset[str]:
    """Return the effects of a site, direct or not, without the site."""
    return frozenset(nx.descendants(graph, site))


def intervened(graph: nx.DiGraph, sites: Iterable[str]) -> nx.DiGraph:
    """Return the graph after do(sites = values): no edge leads into them."""
    cut = graph.copy()
    cut.remove_edges_from(list(graph.in_edges(list(sites))))
    return cut


def d_separated(graph: nx.DiGraph, xs: Collection[str], ys: Collection[str], given: Collection[str] = ()) -> bool:
    """Return whether `given` blocks every path between `xs` and `ys` (Pearl, Causality, def. 1.2.3)."""
    if not xs or not ys:
        return True
    separated: bool = nx.is_d_separator(graph, set(xs), set(ys), set(given))
    return separated


def is_backdoor(graph: nx.DiGraph, x: str, y: str, given: Collection[str]) -> bool:
    """Return whether a set meets the back-door criterion for x on y (Pearl, Causality, def. 3.3.1)."""
    return not descendants(graph, x) & set(given) and d_separated(_without_effects(graph, [x]), [x], [y], given)


def backdoor_set(graph: nx.DiGraph, x: str, y: str, latent: Collection[str] = ()) -> frozenset[str] | None:
    """Return one minimal back-door set, or None if there is none.

    Takes polynomial time (van der Zander, Liskiewicz and Textor 2014).

    Args:
        graph: the causal graph.
        x: the cause.
        y: the effect.
        latent: nodes that were not measured and may not be adjusted for.
    """
    found = nx.find_minimal_d_separator(
        _without_effects(graph, [x]), x, y, restricted=_backdoor_candidates(graph, x, y, latent)
    )
    return None if found is None else frozenset(found)


def backdoor_sets(graph: nx.DiGraph, x: str, y: str, latent: Collection[str] = ()) -> Iterator[frozenset[str]]:
    """Yield all minimal back-door sets, smallest first; there may be exponentially many.

    Args:
        graph: the causal graph.
        x: the cause.
        y: the effect.
        latent: nodes that were not measured and may not be adjusted for.
    """
    yield from _minimal(_backdoor_candidates(graph, x, y, latent), lambda given: is_backdoor(graph, x, y, given))


def is_frontdoor(graph: nx.DiGraph, x: str, y: str, via: Collection[str]) -> bool:
    """Return whether a set meets the front-door criterion for x on y (Pearl, Causality, def. 3.3.3)."""
    intercepted = graph.copy()
    intercepted.remove_nodes_from(via)
    return (
        not nx.has_path(intercepted, x, y)
        and d_separated(_without_effects(graph, [x]), [x], via)
        and d_separated(_without_effects(graph, via), via, [y], [x])
    )


def frontdoor_sets(graph: nx.DiGraph, x: str, y: str, latent: Collection[str] = ()) -> Iterator[frozenset[str]]:
    """Yield all minimal front-door sets, smallest first.

    Args:
        graph: the causal graph.
        x: the cause.
        y: the effect.
        latent: nodes that were not measured and may not be used.
    """
    between = descendants(graph, x) & ancestors(graph, y) - set(latent)
    yield from _minimal(between, lambda via: is_frontdoor(graph, x, y, via))


def _backdoor_candidates(graph: nx.DiGraph, x: str, y: str, latent: Collection[str]) -> set[str]:
    # A minimal separator lies among the ancestors of what it separates.
    near = ancestors(graph, x) | ancestors(graph, y)
    return set(near - descendants(graph, x) - {x, y} - set(latent))


def _without_effects(graph: nx.DiGraph, sites: Collection[str]) -> nx.DiGraph:
    cut = graph.copy()
    cut.remove_edges_from(list(graph.out_edges(list(sites))))
    return cut


def _minimal(candidates: Collection[str], holds: Callable[[frozenset[str]], bool]) -> Iterator[frozenset[str]]:
    found: list[frozenset[str]] = []
    for size in range(len(candidates) + 1):
        for subset in map(frozenset, combinations(sorted(candidates), size)):
            if not any(smaller <= subset for smaller in found) and holds(subset):
                found.append(subset)
                yield subset
