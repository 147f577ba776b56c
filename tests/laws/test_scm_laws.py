"""Laws of counterfactuals, in every world: random graphs that mix all mechanisms, tensors and objects.

Sources: composition, effectiveness and reversibility are Pearl, Causality, sec. 7.3.1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyro.distributions as dist
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, tensor

from ifonly.scm.actions import Map, Put
from ifonly.scm.continuous import Additive, Monotone
from ifonly.scm.couplings import bounds
from ifonly.scm.discrete import GumbelMax, InverseCdf, Threshold
from ifonly.scm.enumeration import enumerate_world
from ifonly.scm.errors import ImpossibleEvidence, NeverReached
from ifonly.scm.finite import Finite, choice, table
from ifonly.scm.fixed import Exogenous, Function
from ifonly.scm.gumbel import transition
from ifonly.scm.kernel import endogenous
from ifonly.scm.laws import same
from ifonly.scm.queries import counterfactual, intervene, observe
from ifonly.scm.recorded import Pinned

# Discrete kinds with the values that they may take.
SUPPORT = {"threshold": {0, 1}, "gumbel": {0, 1, 3}, "inverse": {0, 2, 3}, "table": {0, 1, 2}, "finite": {-1, 0, 1}}
TENSORS = ("additive", "monotone", "exogenous", "function", *SUPPORT)
FINITE = ("table", "finite", "words", "call")
OBJECTS = ("words", "call")
PARTICLES = 7


def number(values):
    """A number from any parents' values: tensors, replies, nothing."""
    total = tensor(0.1)
    for i, value in enumerate(values):
        total = total + (0.7 + i) * (value if isinstance(value, Tensor | float | int) else len(str(value)) / 10)
    return total


def wave(*values):
    return torch.sin(number(values))


def logits(*values):
    w = wave(*values)
    return torch.stack([w, -w, torch.full_like(w, -torch.inf), 0.5 * w], -1)


def chances(*values):
    w = (1 + wave(*values)) / 2
    return torch.stack([w / 2, torch.zeros_like(w), 0.5 - w / 4, 0.5 - w / 4], -1)


def cell(values):
    return (wave(*values) > 0).long()


ROWS = tensor([[0.2, 0.5, 0.3], [0.6, 0.1, 0.3]])
TABLE = table(ROWS)


def mechanism(kind, name):
    return {
        "additive": lambda: Additive(wave, dist.Normal(0.0, 1.0)),
        "monotone": lambda: Monotone(lambda *v: dist.LogNormal(wave(*v), 0.5)),
        "exogenous": lambda: Exogenous(dist.Exponential(tensor(1.0))),
        "function": lambda: Function(wave),
        "threshold": lambda: Threshold(lambda *v: 0.1 + 0.8 * (1 + wave(*v)) / 2),
        "gumbel": lambda: GumbelMax(logits),
        "inverse": lambda: InverseCdf(chances),
        "table": lambda: Finite(lambda u, *v: TABLE.function(u, cell(v)), TABLE.support, TABLE.weights),
        "finite": lambda: Finite(lambda u, *v: torch.sign(wave(*v)) * u, (0, 1), (0.4, 0.6)),
        "words": lambda: choice([f"{name} yes", f"{name} no", None], [0.5, 0.25, 0.25]),
        "call": lambda: Pinned(key=lambda *v: str(v)),
    }[kind]()


@dataclass(frozen=True)
class Spec:
    """A world: kinds of its sites in order, and the earlier sites that each one reads."""

    kinds: tuple[str, ...]
    parents: tuple[tuple[int, ...], ...]
    extra: int | None = None

    @property
    def sites(self):
        return [f"{kind}/{i}" for i, kind in enumerate(self.kinds)]

    def __call__(self):
        nodes = []
        for i, (site, kind) in enumerate(zip(self.sites, self.kinds, strict=True)):
            if i == self.extra:
                endogenous("retry/0", Additive(wave, dist.Normal(0.0, 1.0)), *nodes)
            read = () if kind == "exogenous" else (nodes[j] for j in self.parents[i])
            nodes.append(endogenous(site, mechanism(kind, site), *read))


@st.composite
def worlds(draw, kinds=TENSORS, most=7):
    chosen = draw(st.lists(st.sampled_from(kinds), min_size=2, max_size=most))
    parents = [draw(st.sets(st.integers(0, i - 1), max_size=3)) if i else set() for i in range(len(chosen))]
    return Spec(tuple(chosen), tuple(tuple(sorted(p)) for p in parents))


def facts_of(spec, seed):
    """A factual run of one unit, in which each recorded call returned a reply."""
    replies = {site: f"reply at {site}" for site in spec.sites if site.startswith("call/")}
    return dict(observe(spec, replies, seed=seed).run.values)


def identical(first, second):
    assert first.sites == second.sites
    for site in first.sites:
        assert same(first[site], second[site]), f"{site}: {first[site]} is not {second[site]}"


every_world = settings(max_examples=40, deadline=None, derandomize=True)
seeds = st.integers(0, 2**31)


@every_world
@given(spec=worlds(TENSORS + OBJECTS), seed=seeds, data=st.data())
def test_composition_with_all_facts(spec, seed, data):
    """do(observed value) returns the factual path exactly: objects, floats and all."""
    facts = facts_of(spec, seed)
    site = data.draw(st.sampled_from(spec.sites))
    value = facts[site].clone() if isinstance(facts[site], Tensor) else facts[site]
    twin = counterfactual(spec, facts, {site: Put(value)}, seed=seed)
    identical(twin.factual, twin.run)
    assert twin.changed == ()
    assert twin.verdict == "settled"


@every_world
@given(spec=worlds(), seed=seeds, data=st.data())
def test_composition_with_some_facts_and_particles(spec, seed, data):
    full = facts_of(spec, seed)
    facts = {site: full[site] for site in data.draw(st.sets(st.sampled_from(spec.sites)))}
    site = data.draw(st.sampled_from(spec.sites))
    try:
        path = counterfactual(spec, facts, {}, particles=PARTICLES, seed=seed)
    except ImpossibleEvidence:
        return  # no particle of so few agrees with a fact at a deterministic site
    twin = counterfactual(spec, facts, {site: Put(path.factual[site])}, particles=PARTICLES, seed=seed)
    identical(twin.factual, twin.run)
    identical(path.factual, twin.factual)


@every_world
@given(spec=worlds(), seed=seeds, data=st.data())
def test_the_noise_explains_the_facts(spec, seed, data):
    """Abducted noise, put through the mechanisms again, gives the facts: composition does not rest on memory."""
    facts = facts_of(spec, seed)
    site = data.draw(st.sampled_from(spec.sites))
    twin = counterfactual(spec, facts, {site: Map(lambda value: value)}, seed=seed)
    torch.testing.assert_close(tensor(float(twin[site])), tensor(float(facts[site])), rtol=1e-9, atol=1e-9)


@every_world
@given(spec=worlds(TENSORS + OBJECTS), seed=seeds)
def test_an_unchanged_world_is_its_own_twin(spec, seed):
    twin = counterfactual(spec, facts_of(spec, seed), {}, seed=seed)
    identical(twin.factual, twin.run)


@every_world
@given(spec=worlds(), seed=seeds, data=st.data())
def test_effectiveness_and_locality(spec, seed, data):
    """What is put is there, and only its descendants move."""
    facts, site = facts_of(spec, seed), data.draw(st.sampled_from(spec.sites))
    twin = counterfactual(spec, facts, {site: Put(tensor(5.0))}, seed=seed)
    assert float(twin[site]) == 5.0
    moved = {site, *twin.run.graph.nodes.keys() & _reach(twin.run.graph, site)}
    assert set(twin.changed) <= moved
    assert list(twin.run.graph.predecessors(site)) == []


def _reach(graph, site):
    found, open_sites = set(), [site]
    while open_sites:
        for child in graph.successors(open_sites.pop()):
            if child not in found:
                found.add(child)
                open_sites.append(child)
    return found


@every_world
@given(spec=worlds(), seed=seeds, data=st.data(), put=st.floats(-3, 3))
def test_discrete_sites_never_leave_their_support(spec, seed, data, put):
    site = data.draw(st.sampled_from(spec.sites))
    for answer in (
        counterfactual(spec, {}, {site: Put(tensor(put))}, particles=PARTICLES, seed=seed),
        counterfactual(spec, facts_of(spec, seed), {site: Put(tensor(put))}, seed=seed),
        intervene(spec, {site: Put(tensor(put))}, particles=PARTICLES, seed=seed),
    ):
        for other, kind in zip(spec.sites, spec.kinds, strict=True):
            if kind in SUPPORT and other != site:
                assert set(torch.as_tensor(answer[other]).flatten().tolist()) <= SUPPORT[kind]


@every_world
@given(spec=worlds(), seed=seeds, data=st.data())
def test_one_more_retry_shifts_no_other_noise(spec, seed, data):
    longer = Spec(spec.kinds, spec.parents, extra=data.draw(st.integers(0, len(spec.kinds) - 1)))
    site = data.draw(st.sampled_from(spec.sites))
    for query in (
        lambda world: observe(world, particles=PARTICLES, seed=seed),
        lambda world: counterfactual(world, facts_of(spec, seed), {site: Put(tensor(0.5))}, seed=seed),
    ):
        short, long = query(spec), query(longer)
        assert "retry/0" in long.run
        assert all(same(short[name], long[name]) for name in spec.sites)


@every_world
@given(spec=worlds(), seed=seeds)
def test_particles_agree_with_single_draws(spec, seed):
    """The first particle is the single draw of the same seed, up to a different order of vector arithmetic."""
    many, one = observe(spec, particles=PARTICLES, seed=seed), observe(spec, seed=seed)
    for site in spec.sites:
        first = torch.as_tensor(many[site]).expand(PARTICLES)[0].double()
        torch.testing.assert_close(first, one[site].double(), rtol=1e-9, atol=1e-9)


@every_world
@given(spec=worlds(TENSORS + OBJECTS), seed=seeds, data=st.data())
def test_misspelt_names_raise(spec, seed, data):
    wrong = data.draw(st.sampled_from(spec.sites)) + "x"
    with pytest.raises(NeverReached, match="nearest reached"):
        counterfactual(spec, {wrong: tensor(0.0)}, {}, seed=seed)
    with pytest.raises(NeverReached, match="nearest reached"):
        counterfactual(spec, {}, {wrong: Put(tensor(0.0))}, seed=seed)


IMPOSSIBLE = {
    "additive": torch.nan,
    "monotone": -1.0,
    "exogenous": -1.0,
    "function": 2.0,
    "threshold": 0.5,
    "gumbel": 2,
    "inverse": 1,
    "table": 3,
    "finite": 2.0,
    "words": "something else",
}


@every_world
@given(spec=worlds(tuple(IMPOSSIBLE)), seed=seeds, data=st.data(), particles=st.sampled_from([None, PARTICLES]))
def test_evidence_that_cannot_be_conditioned_on_raises(spec, seed, data, particles):
    index = data.draw(st.integers(0, len(spec.kinds) - 1))
    site, value = spec.sites[index], IMPOSSIBLE[spec.kinds[index]]
    if "words" in spec.kinds and particles is not None:
        particles = None  # objects cannot be spread over a plate
    with pytest.raises(ImpossibleEvidence, match=site):
        counterfactual(spec, {site: value}, {}, particles=particles, seed=seed)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(spec=worlds(FINITE, most=4), seed=seeds, data=st.data())
def test_enumeration_holds_the_facts(spec, seed, data):
    """Every branch holds the facts, weights are a law, and with all facts there is one branch, unchanged."""
    full = facts_of(spec, seed)
    observed = data.draw(st.sets(st.sampled_from(spec.sites)))
    # A call is settled by a recorded reply alone.
    facts = {site: full[site] for site in spec.sites if site in observed or site.startswith("call/")}
    site = data.draw(st.sampled_from(spec.sites))
    exact = enumerate_world(spec, facts, {site: Put(1)})
    assert sum(branch.weight for branch in exact.branches) == pytest.approx(1.0)
    assert all(same(branch.twin.factual[name], value) for branch in exact.branches for name, value in facts.items())
    settled = enumerate_world(spec, full, {})
    assert [branch.twin.changed for branch in settled.branches] == [()]


@settings(max_examples=15, deadline=None, derandomize=True)
@given(spec=worlds(("table", "finite"), most=4), seed=seeds, data=st.data())
def test_enumeration_equals_sampling(spec, seed, data):
    """Difference of means within 5.5 standard errors, false-failure rate below 1e-6 over all examples."""
    full, draws = facts_of(spec, seed), 20_000
    observed, site = data.draw(st.sampled_from(spec.sites)), data.draw(st.sampled_from(spec.sites))
    facts, actions = {observed: full[observed]}, {site: Put(tensor(1.0))}
    exact = enumerate_world(spec, facts, actions)
    twin = counterfactual(spec, facts, actions, particles=draws, seed=seed)
    for name in spec.sites:
        truth = exact.mean(name)
        law = exact.distribution(name)
        spread = sum(weight * (value - truth) ** 2 for value, weight in law.items()) ** 0.5
        assert abs(float(twin.mean(name)) - truth) <= 5.5 * spread / twin.effective**0.5 + 1e-9


laws_of_choice = st.lists(st.floats(0.0, 1.0), min_size=4, max_size=4).filter(lambda w: sum(w) > 0.1)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(p=laws_of_choice, q=laws_of_choice)
def test_gumbel_points_lie_in_the_bounds_over_all_scms(p, q):
    p, q = np.array(p) / sum(p), np.array(q) / sum(q)
    low, high = bounds(p, q)
    point = transition(p, q)
    possible = p > 0
    np.testing.assert_allclose(point[possible].sum(-1), 1, atol=1e-9)
    assert (low[possible] - 1e-9 <= point[possible]).all()
    assert (point[possible] <= high[possible] + 1e-9).all()
    np.testing.assert_allclose(p[possible] @ point[possible], q, atol=1e-9)
