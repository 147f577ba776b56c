"""Lineage, separation and identifying sets, on graphs whose answers are in the books."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest

from ifonly.scm import graphs
from ifonly.scm.adjustment import backdoor, frontdoor
from ifonly.scm.errors import NotIdentified
from ifonly.scm.fixed import Function, given
from ifonly.scm.kernel import endogenous
from ifonly.scm.queries import observe

SMOKING = nx.DiGraph([("U", "X"), ("U", "Y"), ("X", "Z"), ("Z", "Y")])
M_BIAS = nx.DiGraph([("A", "X"), ("A", "M"), ("B", "M"), ("B", "Y"), ("X", "Y")])
# Pearl, Causality, figure 3.4.
PEARL = nx.DiGraph(
    [
        ("X1", "X3"),
        ("X1", "X4"),
        ("X2", "X4"),
        ("X2", "X5"),
        ("X3", "Xi"),
        ("X4", "Xi"),
        ("X4", "Xj"),
        ("X5", "Xj"),
        ("Xi", "X6"),
        ("X6", "Xj"),
    ]
)


def test_the_graph_is_read_off_the_run():
    def world():
        a = given("a", 1)
        b = endogenous("b", Function(lambda a: a + 1), a)
        endogenous("c", Function(lambda a, b: a + b), a, b)
        given("d", 0)

    graph = observe(world).run.graph
    assert list(graph) == ["a", "b", "c", "d"]
    assert graphs.parents(graph, "c") == {"a", "b"}
    assert graphs.ancestors(graph, "b") == {"a"}
    assert graphs.descendants(graph, "a") == {"b", "c"}
    assert set(graphs.intervened(graph, ["c"]).edges) == {("a", "b")}
    assert set(graph.edges) == {("a", "b"), ("a", "c"), ("b", "c")}


def test_d_separation_and_colliders():
    assert graphs.d_separated(M_BIAS, ["A"], ["B"])
    assert not graphs.d_separated(M_BIAS, ["A"], ["B"], ["M"])
    assert not graphs.d_separated(SMOKING, ["X"], ["Y"], ["Z"])
    assert graphs.d_separated(SMOKING, ["X"], ["Y"], ["Z", "U"])
    assert graphs.d_separated(SMOKING, [], ["Y"])


def test_backdoor_sets_of_pearls_figure():
    """Causality, p. 80: {X3, X4} and {X4, X5} qualify, {X4} alone does not."""
    found = set(graphs.backdoor_sets(PEARL, "Xi", "Xj"))
    assert found == {frozenset(s) for s in ({"X3", "X4"}, {"X4", "X5"}, {"X1", "X4"}, {"X2", "X4"})}
    assert not graphs.is_backdoor(PEARL, "Xi", "Xj", {"X4"})
    assert not graphs.is_backdoor(PEARL, "Xi", "Xj", {"X3", "X4", "X6"})
    assert graphs.backdoor_set(PEARL, "Xi", "Xj", latent={"X1", "X2", "X3"}) == {"X4", "X5"}


def test_latents_cannot_be_adjusted_for():
    assert list(graphs.backdoor_sets(SMOKING, "X", "Y")) == [{"U"}]
    assert list(graphs.backdoor_sets(SMOKING, "X", "Y", latent={"U"})) == []
    assert graphs.backdoor_set(SMOKING, "X", "Y", latent={"U"}) is None
    assert list(graphs.frontdoor_sets(SMOKING, "X", "Y", latent={"U"})) == [{"Z"}]


def test_adjusting_for_a_collider_is_never_minimal():
    assert list(graphs.backdoor_sets(M_BIAS, "X", "Y")) == [frozenset()]


def test_frontdoor_fails_on_confounded_mediators():
    graph = SMOKING.copy()
    graph.add_edge("U", "Z")
    assert list(graphs.frontdoor_sets(graph, "X", "Y", latent={"U"})) == []


def test_frontdoor_takes_all_mediators():
    graph = nx.DiGraph([("U", "X"), ("U", "Y"), ("X", "Z"), ("X", "W"), ("Z", "Y"), ("W", "Y")])
    assert list(graphs.frontdoor_sets(graph, "X", "Y", latent={"U"})) == [{"W", "Z"}]


def joint_of_smoking(rng):
    """A random law that factors over SMOKING, with axes (u, x, z, y), and its truth P(y | do(x))."""
    u = rng.dirichlet(np.ones(3))
    x_u, z_x, y_zu = rng.dirichlet(np.ones(2), 3), rng.dirichlet(np.ones(4), 2), rng.dirichlet(np.ones(2), (4, 3))
    joint = np.einsum("u,ux,xz,zuy->uxzy", u, x_u, z_x, y_zu)
    return joint, np.einsum("u,xz,zuy->xy", u, z_x, y_zu)


@pytest.mark.parametrize("seed", range(5))
def test_adjustments_find_the_truth(seed):
    joint, truth = joint_of_smoking(np.random.default_rng(seed))
    np.testing.assert_allclose(frontdoor(joint.sum(0)), truth, atol=1e-12)
    np.testing.assert_allclose(backdoor(joint.sum(2).transpose(1, 0, 2)), truth, atol=1e-12)
    np.testing.assert_allclose(backdoor(1000 * joint.sum(2).transpose(1, 0, 2)), truth, atol=1e-12)


def test_missing_overlap_is_said():
    with pytest.raises(NotIdentified, match="x = 1 never occurs in stratum 0"):
        backdoor([[[1, 1], [1, 1]], [[0, 0], [1, 1]]])
    with pytest.raises(NotIdentified, match="x = 0 never occurs with mediator value 1"):
        frontdoor([[[1, 1], [0, 0]], [[1, 1], [1, 1]]])


def test_strata_that_never_occur_need_no_overlap():
    np.testing.assert_allclose(backdoor([[[1, 3], [0, 0]], [[3, 1], [0, 0]]])[:, 1], [0.75, 0.25])


def test_tables_have_a_cause_and_an_effect():
    with pytest.raises(ValueError, match="axes"):
        backdoor([1.0, 2.0])
