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
_EDGE, _HEAD, _CLEAR = 6.0, 7.0, 3.0
_POINTS = 24
# Wider than the last box, and no wider than it takes: each up and down.
_BOWS = (0.0, *(sign * wide for wide in (20.0, 40.0, 60.0, 80.0, 100.0, 130.0, 160.0) for sign in (-1, 1)))


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
        top: upper edge of the picture: below 0 where an arrow bows out.
        width: of the picture.
        height: of the picture.
        nodes: the boxes.
        arrows: the arrows.
    """

    top: float
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
    drawn = [_arrow(nodes[a], nodes[b], nodes.values()) for a, b in graph.edges]
    reached = [y for _, ends in drawn for y in ends]
    top = min([0.0, *(y - _EDGE for y in reached)])
    bottom = max([rows * _ROW + 2 * _EDGE, *(y + _EDGE for y in reached)])
    return Drawn(top, x - _GAP + _EDGE, bottom - top, tuple(nodes.values()), tuple(arrow for arrow, _ in drawn))


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


def _arrow(cause: Node, effect: Node, nodes: Iterable[Node]) -> tuple[Arrow, tuple[float, float]]:
    """A curve from the right edge of the cause to the left edge of the effect, past other boxes; and how far it goes.

    Of bows ever wider, up and down, the first that crosses the fewest boxes.
    """
    x1, y1, x2, y2 = cause.x + cause.width, cause.middle, effect.x - _HEAD, effect.middle
    between = [node for node in nodes if x1 < node.x + node.width and node.x < x2 and node not in (cause, effect)]

    def heights(bow: float) -> list[tuple[float, float]]:
        """Points of the cubic, which has its controls half way."""
        made = []
        for t in (step / _POINTS for step in range(_POINTS + 1)):
            near, far = (1 - t) ** 3 + 3 * t * (1 - t) ** 2, t**3 + 3 * t**2 * (1 - t)
            across = 1.5 * t * (1 - t) ** 2 + 1.5 * t**2 * (1 - t) + t**3
            made.append((x1 + across * (x2 - x1), y1 * near + y2 * far + 3 * t * (1 - t) * bow))
        return made

    def crossed(bow: float) -> int:
        points = heights(bow)
        return sum(
            any(
                node.x - _CLEAR <= x <= node.x + node.width + _CLEAR and abs(y - node.middle) < node.height / 2 + _CLEAR
                for x, y in points
            )
            for node in between
        )

    bow = min(_BOWS if between else (0.0,), key=crossed)
    reach = (x2 - x1) / 2
    path = f"M {x1:.1f} {y1:.1f} C {x1 + reach:.1f} {y1 + bow:.1f} {x2 - reach:.1f} {y2 + bow:.1f} {x2:.1f} {y2:.1f}"
    head = f"M {effect.x:.1f} {y2:.1f} l -8 -4 l 0 8 z"
    ys = [y for _, y in heights(bow)]
    return Arrow(path, head, cause.hidden), (min(ys), max(ys))
