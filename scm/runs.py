"""One run of a world: its values, equations and graph, read off the Pyro trace."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import networkx as nx
from pyro.poutine.util import site_is_subsample

from ifonly.scm.errors import NeverReached
from ifonly.scm.kernel import Equation, Node, equation_of, node_of

if TYPE_CHECKING:
    from pyro.poutine.trace_struct import Trace

__all__ = ["Run"]


@dataclass(frozen=True)
class Run:
    """One run of a world, in all its particles and rows at once.

    Attributes:
        trace: the Pyro trace: endogenous sites, noise sites "<site>.noise", factors "<site>.evidence".
        returned: what the world returned.
    """

    trace: Trace
    returned: Any = None

    @cached_property
    def sites(self) -> tuple[str, ...]:
        """The sites reached, in order."""
        return tuple(name for name, message in self.trace.nodes.items() if message["type"] == "endogenous")

    def __getitem__(self, site: str) -> Any:
        """Return the value of a site.

        Raises:
            NeverReached: if the run did not reach it.
        """
        return self.node(site).value

    def __contains__(self, site: str) -> bool:
        """Return whether the run reached a site."""
        return site in self.trace and self.trace.nodes[site]["type"] == "endogenous"

    def node(self, site: str) -> Node[Any]:
        """Return the node of a site.

        Raises:
            NeverReached: if the run did not reach it.
        """
        if site not in self:
            raise NeverReached("value", [site], self.sites)
        return node_of(self.trace.nodes[site])

    def equation(self, site: str) -> Equation[Any]:
        """Return the structural equation that a site had in this run.

        Raises:
            NeverReached: if the run did not reach it.
        """
        self.node(site)
        return equation_of(self.trace.nodes[site])

    @cached_property
    def values(self) -> dict[str, Any]:
        """The values by site, in order."""
        return {site: self[site] for site in self.sites}

    @cached_property
    def graph(self) -> nx.DiGraph:
        """The causal graph of this run: an edge from each parent to its child; none leads into a site put."""
        graph = nx.DiGraph()
        for site in self.sites:
            graph.add_node(site)
            graph.add_edges_from((parent.site, site) for parent in self.equation(site).parents)
        return graph

    @cached_property
    def drawn(self) -> tuple[str, ...]:
        """The noise sites that were drawn at random, in order."""
        return tuple(
            name
            for name, message in self.trace.nodes.items()
            if message["type"] == "sample" and not message["is_observed"] and not site_is_subsample(message)
        )
