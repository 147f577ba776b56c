"""Exact enumeration: the oracle, and the object worlds of agents."""

from __future__ import annotations

import math

import pyro.distributions as dist
import pytest
from torch import tensor

from ifonly.scm.actions import Put
from ifonly.scm.enumeration import enumerate_world
from ifonly.scm.errors import ImpossibleEvidence, NeverReached, NotEnumerable
from ifonly.scm.finite import choice, table
from ifonly.scm.fixed import Exogenous, Function, given, latent
from ifonly.scm.kernel import endogenous
from ifonly.scm.queries import counterfactual
from ifonly.scm.recorded import Pinned, Unpinned

CORPUS = {"clean: hi": ["sent", "refused", "sent"]}


def agent():
    """A model answers a request; where the recording does not say what, recorded replies elsewhere do."""
    result = given("search/0", "evil: hi")
    reply = endogenous("model/1", Pinned(key=lambda text: text), result)
    if isinstance(reply.value, Unpinned):
        replies = CORPUS.get(reply.value.request[0], [Unpinned(reply.value.request)])
        reply = endogenous("model/1/corpus", choice(replies), result, reply)
    endogenous("score", Function(lambda text: float(text == "sent")), reply)


def test_a_recorded_agent_continued_by_the_corpus():
    exact = enumerate_world(agent, {"model/1": "obeyed", "score": 0.0}, {"search/0": Put("clean: hi")})
    assert exact.distribution("model/1/corpus") == {"sent": pytest.approx(2 / 3), "refused": pytest.approx(1 / 3)}
    assert [branch.twin.fresh for branch in exact.branches] == [("model/1/corpus",)] * 3
    assert [branch.twin.factual["model/1"] for branch in exact.branches] == ["obeyed"] * 3
    estimate = exact.estimate("score")
    assert (estimate.value, estimate.low, estimate.high) == (pytest.approx(2 / 3),) * 3
    assert (estimate.identified, estimate.rung, estimate.effective) == ("exact", "counterfactual", None)


def test_an_undetermined_continuation_is_a_value():
    exact = enumerate_world(agent, {"model/1": "obeyed"}, {"search/0": Put("unseen")})
    assert list(exact.distribution("model/1/corpus")) == [Unpinned(("unseen",))]


def test_an_unchanged_agent_is_its_own_twin():
    exact = enumerate_world(agent, {"model/1": "obeyed"})
    (branch,) = exact.branches
    assert (branch.weight, branch.twin.changed) == (1.0, ())
    assert branch.twin.run.values == branch.twin.factual.values


def branching():
    """Supports and sites that depend on earlier choices."""
    coin = endogenous("coin", choice(["heads", "tails"], [0.25, 0.75]))
    if coin.value == "heads":
        endogenous("die", choice([1, 2, 3]), coin)
    else:
        endogenous("card", choice(["red", "black"]), coin)


def test_supports_that_depend_on_earlier_choices():
    exact = enumerate_world(branching)
    assert len(exact.branches) == 5
    assert exact.probability == pytest.approx(1.0)
    assert sum(branch.weight for branch in exact.branches) == pytest.approx(1.0)
    assert exact.distribution("coin") == {"heads": pytest.approx(0.25), "tails": pytest.approx(0.75)}


def test_facts_at_sites_of_some_branches():
    exact = enumerate_world(branching, {"die": 2})
    assert exact.probability == pytest.approx(1 / 12)
    assert exact.distribution("coin") == {"heads": 1.0}


def test_actions_at_sites_of_some_branches():
    exact = enumerate_world(branching, {}, {"die": Put(6)})
    dice = exact.distribution(lambda twin: twin["die"] if "die" in twin.run else None)
    assert dice == {6: pytest.approx(0.25), None: pytest.approx(0.75)}


def test_names_reached_in_no_branch_raise():
    with pytest.raises(NeverReached, match="fact at 'dei': nearest reached 'die'"):
        enumerate_world(branching, {"dei": 2})
    with pytest.raises(NeverReached, match="action at 'cart': nearest reached 'card'"):
        enumerate_world(branching, {}, {"cart": Put("red")})


@pytest.mark.parametrize("facts", [{"die": 7}, {"die": 2, "card": "red"}, {"coin": "edge"}])
def test_facts_of_probability_zero_raise(facts):
    with pytest.raises(ImpossibleEvidence, match="no value of the noise"):
        enumerate_world(branching, facts)


def test_infinite_noise_is_refused_and_settled_noise_is_not():
    def world():
        u = latent("u", dist.Normal(0.0, 1.0))
        endogenous("above", Function(lambda u: (u > 0).double()), u)

    with pytest.raises(NotEnumerable, match=r"'u.noise'"):
        enumerate_world(world)
    assert enumerate_world(world, {"u": tensor(1.0)}).mean("above") == 1.0


def test_enumeration_agrees_with_particles():
    """A confounded table world; error bound at a false-failure rate of 1e-6."""
    rows = tensor([[[0.2, 0.8], [0.6, 0.4]], [[0.9, 0.1], [0.3, 0.7]]])

    def world():
        u = endogenous("u", Exogenous(dist.Categorical(tensor([0.3, 0.7]))))
        x = endogenous("x", table(rows[0]), u)
        endogenous("y", table(rows), u, x)

    facts, actions = {"x": tensor(1), "y": tensor(0)}, {"x": Put(tensor(0))}
    exact = enumerate_world(world, facts, actions).estimate("y")
    twin = counterfactual(world, facts, actions, particles=100_000)
    sampled = twin.estimate("y", level=1 - 1e-6)
    assert sampled.low <= (exact.value or math.nan) <= sampled.high
    assert (exact.identified, exact.noise) == ("assumed", "inverse-cdf")
    # By hand: the odds of u are those of the facts, and y moves as its cells do.
    prior = [0.3 * 0.8 * 0.9, 0.7 * 0.4 * 0.3]
    for u, (branch_mass, cell) in enumerate(zip(prior, [0.9, 0.3], strict=True)):
        assert enumerate_world(world, {**facts, "u": tensor(u)}).probability == pytest.approx(
            (0.3, 0.7)[u] * float(rows[0][u][1]) * float(rows[u][1][0])
        )
        assert branch_mass > 0
        assert cell > 0
