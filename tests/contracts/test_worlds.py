"""Worlds that prove themselves: whatever a known world states of itself is checked against its program.

A new world needs no test of its own: `known_worlds` finds it.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chi2, norm

from ifonly.scenarios.catalog import known_worlds
from ifonly.scenarios.known import SURE
from ifonly.scm.enumeration import enumerate_world
from ifonly.scm.queries import counterfactual

WORLDS = {world.name: world for world in known_worlds()}
QUERIES = {f"{world.name}: {query.name}": (world, query) for world in WORLDS.values() for query in world.queries}
DRAWS = 20_000
FALSE_FAILURE = 1e-6
EXPECTED = 10  # cells expected less often are pooled, so that chi-square holds
EXACT = 1e-9


SAMPLED = {name: pair for name, pair in QUERIES.items() if pair[1].estimators}
LARGE = 40_000


@pytest.fixture(params=list(WORLDS))
def known(request):
    return WORLDS[request.param]


@pytest.fixture(params=list(QUERIES))
def asked(request):
    return QUERIES[request.param]


def twins(known):
    """Every twin of the recorded unit with nothing done, and which of its particles count."""
    if known.by.particles is None:
        return [(branch.twin, None) for branch in enumerate_world(known.world, known.facts).branches]
    twin = counterfactual(known.world, known.facts, {}, particles=200, seed=known.by.seed)
    return [(twin, (twin.weights > 0).numpy())]


def kept(value, where):
    value = np.asarray(value, dtype=float)
    return value if where is None else np.broadcast_to(value, where.shape)[where]


def test_names_are_unique():
    assert len(WORLDS) == len(list(known_worlds()))
    assert len(QUERIES) == sum(len(world.queries) for world in WORLDS.values())


def test_the_declared_graph_is_that_of_the_trace(known):
    for twin, _ in twins(known):
        assert set(twin.factual.graph.edges) == known.edges
    assert known.hidden <= {site for edge in known.edges for site in edge}


def test_nothing_done_returns_the_facts(known):
    for twin, where in twins(known):
        for site in twin.factual.sites:
            np.testing.assert_array_equal(kept(twin[site], where), kept(twin.factual[site], where))
        for site, value in known.facts.items():
            assert (kept(twin[site], where) == float(value)).all()


def test_truth_is_that_of_brute_force(asked):
    _, query = asked
    assert query.brute() == pytest.approx(query.truth, abs=max(query.brute_error, EXACT))


def test_ours_is_the_truth(asked):
    known, query = asked
    ours = query.ours()
    if known.by.particles is None:
        assert ours.value == pytest.approx(query.truth, abs=EXACT)
        assert ours.identified in ("exact", "assumed")
    else:
        # The interval is asked for at a level of 1 - 1e-6.
        assert ours.low <= query.truth <= ours.high
        assert ours.level in (1.0, known.by.level)


def test_some_naive_answer_is_wrong(known):
    assert max(abs(query.naive - query.truth) for query in known.queries) > 0.05


@pytest.mark.parametrize("named", list(SAMPLED))
def test_right_estimators_hold_the_truth_and_wrong_ones_miss_it(named):
    """Right: in an interval that fails once in a million. Wrong: not even in a 95 % one, however many the units."""
    known, query = SAMPLED[named]
    sample = known.sample(LARGE, 7)
    assert len({one.name for one in query.estimators}) == len(query.estimators)
    assert any(not one.right for one in query.estimators)
    for one in query.estimators:
        made = one.of(sample, SURE if one.right else 0.95)
        assert (made.low <= query.truth <= made.high) == one.right, (one.name, made, query.truth)
        assert made.level in (1.0, SURE if one.right else 0.95)
        assert one.why
        if one.name == "naive":
            sure = one.of(sample, SURE)
            assert sure.low <= query.naive <= sure.high


def test_samples_follow_the_moments(known):
    """Each moment within the standard errors that fail once in a million."""
    drawn = known.sample(DRAWS, 12) if known.moments else {}
    assert known.moments or known.sites
    for moment in known.moments:
        values = moment.of(drawn)
        assert values.shape == (DRAWS,)
        error = values.std(ddof=1) / np.sqrt(DRAWS)
        assert abs(values.mean() - moment.truth) <= norm.isf(FALSE_FAILURE / 2) * error + 1e-12, moment.name


def test_samples_follow_the_law(known):
    drawn, law = known.sample(DRAWS, 11), known.law()
    assert sum(law.values()) == pytest.approx(1)
    cells, counts = np.unique(np.stack([drawn[site] for site in known.sites], -1), axis=0, return_counts=True)
    found = {tuple(cell): count for cell, count in zip(cells.astype(int).tolist(), counts.tolist(), strict=True)}
    assert not found.keys() - {cell for cell, p in law.items() if p > 0}
    rare = [cell for cell, p in law.items() if DRAWS * p < EXPECTED]
    pairs = [(found.get(cell, 0), DRAWS * p) for cell, p in law.items() if cell not in rare and p > 0]
    if (pooled := DRAWS * sum(law[cell] for cell in rare)) > EXPECTED:
        pairs.append((sum(found.get(cell, 0) for cell in rare), pooled))
    statistic = sum((count - expected) ** 2 / expected for count, expected in pairs)
    assert len(pairs) == 1 or statistic < chi2.isf(FALSE_FAILURE, len(pairs) - 1)


def test_samples_hang_on_the_seed_alone(known):
    one, again, other = (known.sample(50, seed) for seed in (1, 1, 2))
    assert all((one[site] == again[site]).all() for site in one)
    assert len(known.law()) == 1 or any((one[site] != other[site]).any() for site in one)
