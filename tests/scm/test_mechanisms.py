"""Every mechanism: its posterior gives back the value, its parts agree, and it refuses what cannot be."""

from __future__ import annotations

import math

import pyro.distributions as dist
import pytest
import torch
from torch import tensor

from ifonly.scm.continuous import Additive, Monotone
from ifonly.scm.discrete import GumbelMax, InverseCdf, Threshold
from ifonly.scm.draw import Draw
from ifonly.scm.errors import ImpossibleEvidence, NotApplicable
from ifonly.scm.finite import Finite, choice, table
from ifonly.scm.fixed import Constant, Exogenous, Function
from ifonly.scm.laws import Between, Gumbels, Index, Point, TopDown, log_density, same, transport
from ifonly.scm.noise import keyed
from ifonly.scm.recorded import Pinned, Unpinned

N = 20_000
NORMAL = dist.Normal(0.0, 1.0)
LOGITS = tensor([[0.0, 1.0, -math.inf, 2.0], [1.0, -math.inf, 0.5, 0.0]])
ROWS = tensor([[0.2, 0.0, 0.5, 0.3], [0.1, 0.6, 0.0, 0.3]])

MECHANISMS = {
    "additive": Additive(lambda a: 2.0 * a, NORMAL),
    "additive, binary noise": Additive(lambda a: 2.0 * a, dist.Bernoulli(tensor(0.3))),
    "monotone": Monotone(lambda a: dist.LogNormal(0.5 * a, 1.0)),
    "threshold": Threshold(lambda a: 0.3 + 0.4 * a),
    "gumbel-max": GumbelMax(lambda a: LOGITS[a.long()]),
    "inverse-cdf": InverseCdf(lambda a: ROWS[a.long()]),
    "table": table(ROWS),
    "finite": Finite(lambda u, a: u * (1 + a), (0, 1, 2), (0.5, 0.25, 0.25)),
    "function": Function(lambda a: a + 1),
}


def noise_of(mechanism, parent, name="noise"):
    law = mechanism.prior(parent)
    return law.value if isinstance(law, Point) else keyed(law.expand(parent.shape), name, Draw(0))


@pytest.mark.parametrize("name", MECHANISMS)
def test_posterior_noise_gives_back_the_value(name):
    mechanism = MECHANISMS[name]
    parent = torch.arange(N) % 2 * 1.0
    value = mechanism(noise_of(mechanism, parent), parent)
    posterior = mechanism.posterior(value, parent)
    noise = posterior.value if isinstance(posterior, Point) else keyed(posterior.expand((N,)), "posterior", Draw(1))
    torch.testing.assert_close(mechanism(noise, parent), value, rtol=1e-12, atol=1e-12)
    assert torch.isfinite(mechanism.log_prob(value, parent)).all()


@pytest.mark.parametrize(
    "name", ["threshold", "gumbel-max", "inverse-cdf", "table", "finite", "additive, binary noise"]
)
def test_log_prob_is_the_frequency(name):
    """Two-sided false-failure rate below 1e-6 for each value."""
    mechanism, parent = MECHANISMS[name], torch.ones(N)
    values = mechanism(noise_of(mechanism, parent), parent)
    total = 0.0
    for value in range(5):
        p = float(mechanism.log_prob(tensor(float(value)), tensor(1.0)).exp())
        assert abs(float((values == value).double().mean()) - p) <= 4.9 * math.sqrt(p * (1 - p) / N) + 1e-12
        total += p
    assert total == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize("name", ["threshold", "gumbel-max", "inverse-cdf", "table"])
def test_abduction_leaves_the_prior_of_the_noise(name):
    """Noise drawn by way of a value has the prior's law: mixing the posteriors over values undoes abduction."""
    mechanism, parent = MECHANISMS[name], torch.zeros(N)
    prior = noise_of(mechanism, parent)
    posterior = mechanism.posterior(mechanism(prior, parent), parent)
    again = keyed(posterior.expand((N,)), "again", Draw(2))
    first, second = (x.double().reshape(N, -1) for x in (prior, again))
    error = (first.std(0) ** 2 + second.std(0) ** 2).sqrt() / math.sqrt(N)
    assert bool(((first.mean(0) - second.mean(0)).abs() <= 4.9 * error + 1e-12).all())
    assert bool(((first.std(0) - second.std(0)).abs() <= 10 * error + 1e-12).all())


@pytest.mark.parametrize(
    ("mechanism", "value"),
    [
        (MECHANISMS["threshold"], 0.5),
        (Threshold(lambda a: 0.0 * a), 1.0),
        (MECHANISMS["gumbel-max"], 2),
        (MECHANISMS["gumbel-max"], 7),
        (MECHANISMS["inverse-cdf"], 1),
        (MECHANISMS["inverse-cdf"], -1),
        (MECHANISMS["table"], 1),
        (MECHANISMS["finite"], 9),
        (choice(["a", "b"]), "c"),
    ],
)
def test_posterior_of_the_impossible_raises(mechanism, value):
    assert float(mechanism.log_prob(value, tensor(0.0))) == -math.inf
    with pytest.raises(ImpossibleEvidence, match="cannot condition"):
        mechanism.posterior(value, tensor(0.0))


@pytest.mark.parametrize(
    ("mechanism", "value"),
    [
        (MECHANISMS["monotone"], -1.0),
        (MECHANISMS["additive"], math.nan),
        (MECHANISMS["additive, binary noise"], 0.5),
        (MECHANISMS["function"], 0.0),
        (Exogenous(dist.Categorical(tensor([0.5, 0.5]))), 7),
        (Exogenous(dist.Beta(tensor(2.0), tensor(2.0))), 1.5),
    ],
)
def test_log_prob_outside_the_support_is_minus_infinity(mechanism, value):
    parents = () if isinstance(mechanism, Exogenous) else (tensor(0.0),)
    assert float(mechanism.log_prob(value, *parents)) == -math.inf


def test_impossible_elements_do_not_stop_the_possible_ones():
    value = tensor([1.0, -1.0])
    mechanism = MECHANISMS["monotone"]
    assert torch.isfinite(mechanism.log_prob(value, tensor(0.0))).tolist() == [True, False]
    assert mechanism.posterior(value, tensor(0.0)).value.tolist() == [pytest.approx(0.5), 0.5]


def test_gumbel_max_survives_probabilities_below_floating_point():
    mechanism = GumbelMax(lambda: tensor([0.0, -2000.0]))
    noise = keyed(mechanism.posterior(1).expand((1000,)), "g", Draw(0))
    assert torch.isfinite(noise).all()
    assert bool((mechanism(noise) == 1).all())


def test_impossible_options_keep_their_prior_noise():
    """Their Gumbels were never compared with anything: mean gamma, within 4.9 standard errors."""
    posterior = GumbelMax(lambda: LOGITS[0]).posterior(3)
    noise = keyed(posterior.expand((N,)), "g", Draw(0))[:, 2]
    assert float(noise.mean()) == pytest.approx(0.5772156649, abs=4.9 * 1.2825 / math.sqrt(N))


def test_threshold_shares_its_direction():
    a, b = Threshold(lambda: 0.3), Threshold(lambda: 0.5)
    noise = keyed(a.posterior(0.0).expand((N,)), "u", Draw(0))
    assert float(b(noise).mean()) == pytest.approx(2 / 7, abs=4.9 * math.sqrt(10 / 49 / N))


def test_table_is_the_inverse_cdf_coupling():
    exact = InverseCdf(lambda a: ROWS[a])
    finite = table(ROWS)
    assert sum(finite.weights) == pytest.approx(1.0)
    middles = tensor(finite.weights).cumsum(0) - tensor(finite.weights) / 2
    for a in (0, 1):
        cells = torch.arange(len(finite.weights))
        assert finite(cells, tensor(a)).tolist() == exact(middles, tensor(a)).tolist()


def test_finite_checks_its_weights():
    for support, weights in [((), ()), ((1, 2), (0.5,)), ((1, 2), (0.7, 0.7)), ((1, 2), (1.5, -0.5))]:
        with pytest.raises(ValueError, match="weights"):
            Finite(lambda u: u, support, weights)


def test_objects_cannot_be_spread_over_a_plate():
    with pytest.raises(NotApplicable, match="enumerate_world"):
        choice(["a", "b"])(torch.zeros(3, dtype=torch.long))


def test_function_tolerance():
    exact, loose = Function(lambda: 0.1 + 0.2), Function(lambda: 0.1 + 0.2, tolerance=1e-9)
    assert float(exact.log_prob(0.3)) == -math.inf
    assert float(loose.log_prob(0.3)) == 0.0


def test_pinned_call():
    call = Pinned(key=lambda text, times: (text, times))
    noise = call.posterior("yes", "q", 1).value
    assert call(noise, "q", 1) == "yes"
    assert call(noise, "q", 2) == Unpinned(("q", 2))
    assert call(call.prior("q", 1).value, "q", 1) == Unpinned(("q", 1))
    assert float(call.log_prob("yes", "q", 1)) == 0.0


def test_cassette_contradicting_a_fact():
    call = Pinned(key=lambda text: text, pins={"q": "no", "r": "maybe"})
    assert float(call.log_prob("yes", "q")) == -math.inf
    assert call(call.posterior("yes", "s").value, "r") == "maybe"


def test_a_missing_reply_is_no_fact():
    with pytest.raises(NotApplicable, match="no reply to pin"):
        Pinned(key=lambda text: text).posterior(Unpinned(("q",)), "q")


def test_none_is_a_value():
    call = Pinned(key=lambda text: text)
    assert call(call.posterior(None, "q").value, "q") is None
    assert float(Constant(None).log_prob(None)) == 0.0


@pytest.mark.parametrize(
    "law",
    [
        Between(0.2, tensor([0.5, 0.9])),
        Index(tensor([[0.0, 2.0, 1.0], [1.0, 0.0, 0.0]])),
        Gumbels(3),
        TopDown(LOGITS, tensor([1, 0])),
    ],
    ids=repr,
)
def test_laws_draw_inside_their_support(law):
    wide = law.expand((500, *law.batch_shape))
    draws = wide.sample()
    assert draws.shape == wide.batch_shape + wide.event_shape
    assert torch.isfinite(wide.log_prob(draws)).all()


def test_point_holds_any_object():
    message = {"role": "user"}
    law = Point(message)
    assert law() is message
    assert float(law.log_prob({"role": "user"})) == 0.0
    assert float(law.log_prob({"role": "tool"})) == -math.inf
    assert law.expand((3,)).log_prob(message).shape == (3,)


def test_transport_of_torch_laws():
    uniform = tensor([0.1, 0.5, 0.9])
    torch.testing.assert_close(NORMAL.cdf(transport(NORMAL.expand((3,)), uniform)), uniform)
    vector = dist.Normal(tensor([0.0, 1.0, 2.0]), 1.0).to_event(1)
    assert float(transport(vector, uniform)[1]) == pytest.approx(1.0)
    assert transport(dist.Bernoulli(tensor(0.3)).expand((3,)), uniform).tolist() == [0.0, 0.0, 1.0]
    with pytest.raises(NotImplementedError):
        transport(dist.Gamma(tensor(2.0), tensor(1.0)), tensor(0.5))


def test_log_density_of_transformed_laws_outside_their_support():
    assert log_density(dist.LogNormal(0.0, 1.0), tensor([-1.0, 1.0])).tolist()[0] == -math.inf


@pytest.mark.parametrize(
    ("left", "right", "equal"),
    [
        (tensor([1.0, 1.0]), 1.0, True),
        (tensor([1.0, 2.0]), 1.0, False),
        (tensor([1.0, 2.0]), tensor([1.0, 2.0, 3.0]), False),
        (tensor(1.0), tensor(1), True),
        (tensor(math.nan), tensor(math.nan), False),
        (tensor(1.0), "1", False),
        (1, True, False),
        ({"a": [1]}, {"a": [1]}, True),
    ],
)
def test_same(left, right, equal):
    assert same(left, right) is equal
