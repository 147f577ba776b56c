"""Every world with a known truth proves itself: its graph, its truth, its sampler, and the law of identity."""

from __future__ import annotations

import math

import pytest

from ifonly.scenarios.causes import WORLDS
from ifonly.scm.enumeration import enumerate_world
from ifonly.scm.queries import counterfactual, observe

SAMPLE = 400

every_world = pytest.mark.parametrize("known", WORLDS, ids=lambda known: known.name)
every_query = pytest.mark.parametrize(
    ("known", "query"),
    [pytest.param(known, query, id=f"{known.name}: {query.asks}") for known in WORLDS for query in known.queries],
)


def plain(value):
    return value.item() if hasattr(value, "item") else value


@every_world
def test_the_declared_graph_is_that_of_the_trace(known):
    graph = observe(known.world, seed=0).run.graph
    assert set(graph.edges) == set(known.edges)
    assert {site for site in graph if not graph.degree(site)} == set(known.lone)


@every_query
def test_ifonly_gives_the_truth(known, query):
    assert query.answer() == pytest.approx(query.truth, abs=1e-9)


@every_world
def test_the_naive_analysis_is_wrong_somewhere(known):
    assert known.naive
    assert any(query.naive is not None and abs(query.naive - query.truth) > 0.01 for query in known.queries)


@every_world
def test_the_sampler_matches_the_law(known):
    """Chi-square at its 1 - 1e-6 quantile, a marginal each; the marginals are held to enumeration as well."""
    units = known.sample(SAMPLE, seed=1)
    assert units == known.sample(SAMPLE, seed=1)
    whole = enumerate_world(known.world)
    for site, law in known.marginals.items():
        exact = {plain(value): mass for value, mass in whole.distribution(site).items()}
        assert {value: pytest.approx(mass, abs=1e-9) for value, mass in exact.items()} == dict(law)
        counts = {value: sum(unit[site] == value for unit in units) for value in law}
        assert sum(counts.values()) == SAMPLE
        statistic = sum((counts[v] - SAMPLE * p) ** 2 / (SAMPLE * p) for v, p in law.items())
        # P(chi-square with d degrees > d + 2 sqrt(14 d) + 28) < 1e-6 (Laurent and Massart 2000, lemma 1, x = 14).
        freedom = len(law) - 1
        assert statistic < freedom + 2 * math.sqrt(14 * freedom) + 28


@every_world
def test_no_action_gives_the_unit_back(known):
    for seed in range(5):
        unit = {site: plain(value) for site, value in observe(known.world, seed=seed).run.values.items()}
        twin = counterfactual(known.world, unit, {}, seed=seed + 100)
        assert {site: plain(twin[site]) for site in unit} == unit
        assert twin.changed == ()
