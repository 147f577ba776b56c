"""Places for the nodes and arrows of a causal graph: causes to the left of what they move."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import networkx as nx

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

__all__ = ["Arrow", "Drawn", "Node", "layered"]

_CHARACTER, _PADDING, _HEIGHT = 7.2, 18.0, 28.0
_GAP, _ROW = 64.0, 46.0
_SWEEPS = 4
_EDGE = 6.0


@dataclass(frozen=True, slots=True)
class Node:
    """A box.

    Args:
        name: of the site.
        x: left edge.
        y: upper edge.
        width: of the box.
        height: of the box.
        hidden: whether nobody observes it.
    """

    name: str
    x: float
    y: float
    width: float
    height: float
    hidden: bool

    @property
    def middle(self) -> float:
        """Height of its middle."""
        return self.y + self.height / 2


@dataclass(frozen=True, slots=True)
class Arrow:
    """An arrow.

    Args:
        path: of its line, in SVG's words.
        head: of its head.
        hidden: whether it comes from a hidden cause.
    """

    path: str
    head: str
    hidden: bool


@dataclass(frozen=True, slots=True)
class Drawn:
    """A graph with places.

    Args:
        width: of the picture.
        height: of the picture.
        nodes: the boxes.
        arrows: the arrows.
    """

    width: float
    height: float
    nodes: tuple[Node, ...]
    arrows: tuple[Arrow, ...]


def layered(edges: Iterable[tuple[str, str]], hidden: Collection[str] = ()) -> Drawn:
    """Lay a directed acyclic graph out in layers (Sugiyama, Tagawa and Toda 1981): longest path, then barycentres.

    Args:
        edges: (cause, effect).
        hidden: sites that nobody observes.

    Raises:
        networkx.NetworkXUnfeasible: the graph has a cycle.
    """
    graph = nx.DiGraph(sorted(edges))
    layers = _ordered(graph)
    rows = max(map(len, layers), default=1)
    nodes: dict[str, Node] = {}
    x = _EDGE
    for layer in layers:
        width = max(len(name) for name in layer) * _CHARACTER + _PADDING
        start = _EDGE + (rows - len(layer)) * _ROW / 2
        for place, name in enumerate(layer):
            nodes[name] = Node(name, x, start + place * _ROW, width, _HEIGHT, name in hidden)
        x += width + _GAP
    depth = {name: index for index, layer in enumerate(layers) for name in layer}
    arrows = tuple(_arrow(nodes[a], nodes[b], depth[b] - depth[a]) for a, b in graph.edges)
    return Drawn(x - _GAP + _EDGE, rows * _ROW + 2 * _EDGE, tuple(nodes.values()), arrows)


def _ordered(graph: nx.DiGraph) -> list[list[str]]:
    """Layers with their nodes in an order that crosses few arrows."""
    depth: dict[str, int] = {}
    for name in nx.lexicographical_topological_sort(graph):
        depth[name] = 1 + max((depth[cause] for cause in graph.predecessors(name)), default=-1)
    # A root stands just before the first thing that it moves.
    for name in list(depth):
        if graph.in_degree(name) == 0:
            depth[name] = min(depth[effect] for effect in graph.successors(name)) - 1
    layers = [[name for name in depth if depth[name] == level] for level in range(max(depth.values(), default=-1) + 1)]
    for sweep in range(_SWEEPS):
        place = {name: (index + 0.5) / len(layer) for layer in layers for index, name in enumerate(layer)}
        near = graph.predecessors if sweep % 2 == 0 else graph.successors
        for layer in layers if sweep % 2 == 0 else reversed(layers):
            known = {name: [place[other] for other in near(name)] for name in layer}
            layer.sort(key=lambda name: sum(known[name]) / len(known[name]) if known[name] else place[name])
            place |= {name: (index + 0.5) / len(layer) for index, name in enumerate(layer)}
    return layers


def _arrow(cause: Node, effect: Node, steps: int) -> Arrow:
    """A curve from the right edge of the cause to the left edge of the effect; long ones bow out."""
    x1, y1, x2, y2 = cause.x + cause.width, cause.middle, effect.x - 7, effect.middle
    bow = 0.0 if steps == 1 else (-1 if y1 <= y2 else 1) * min(40.0, 16.0 * steps)
    reach = (x2 - x1) / 2
    path = f"M {x1:.1f} {y1:.1f} C {x1 + reach:.1f} {y1 + bow:.1f} {x2 - reach:.1f} {y2 + bow:.1f} {x2:.1f} {y2:.1f}"
    head = f"M {x2 + 7:.1f} {y2:.1f} l -8 -4 l 0 8 z"
    return Arrow(path, head, cause.hidden)
