"""Item-response worlds: closed forms, recovery of simulated worlds, and NUTS."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit
from scipy.stats import norm

from ifonly.scm.draw import Draw
from ifonly.scm.errors import ImpossibleEvidence, NotApplicable
from ifonly.scm.item_response.abduct import abduct
from ifonly.scm.item_response.facets import Facets
from ifonly.scm.item_response.fit import fit, sample
from ifonly.scm.item_response.posterior import Posterior
from ifonly.scm.item_response.predict import count_interval, estimate_of, quantiles
from ifonly.scm.item_response.unit import between, coupled, fit_share, share_draws, with_share

UNITS, ITEMS = 25, 40


def grid(units, items, *, discrimination=False):
    """Every unit on every item."""
    cells = [(u, i) for u in range(units) for i in range(items)]
    columns = {"unit": [u for u, _ in cells], "item": [i for _, i in cells]}
    return Facets.of(columns, [i for _, i in cells] if discrimination else None)


@pytest.fixture(scope="module")
def simulated():
    """A world of known chances, nine tenths of whose outcomes were seen."""
    generator = np.random.default_rng(5)
    facets = grid(UNITS, ITEMS, discrimination=True)
    skill, ease = generator.standard_normal(UNITS), 1.5 * generator.standard_normal(ITEMS)
    sharpness = np.exp(0.4 * generator.standard_normal(ITEMS))
    chances = expit(sharpness * (skill[:, None] + ease)).ravel()
    outcomes = (generator.random(len(chances)) < chances).astype(float)
    seen = np.sort(generator.permutation(len(chances))[: 9 * len(chances) // 10])
    return facets, seen, outcomes, chances


@pytest.fixture(scope="module")
def fitted(simulated):
    facets, seen, outcomes, _ = simulated
    return fit(facets, seen, outcomes[seen], steps=600)


def test_a_cell_adds_up_the_effects_of_its_levels():
    facets = Facets.of({"unit": ["a", "b", "a"], "suite": ["x", None, "y"]}, ["x", None, "x"])
    assert facets.levels == (("a", "b"), ("x", "y"))
    assert facets.matrix.toarray().tolist() == [[1, 0, 1, 0], [0, 1, 0, 0], [1, 0, 0, 1]]
    assert facets.facet.tolist() == [0, 0, 1, 1]
    assert facets.group.tolist() == [0, -1, 0]


def test_only_keeps_what_cells_have():
    facets = Facets.of({"unit": ["a", "b", "a"], "suite": ["x", None, "y"]}, ["x", None, "y"]).rows([1, 2])
    kept = facets.only(np.array([0, 1, 3]), np.array([1]))
    assert kept.levels == (("a", "b"), ("y",))
    assert kept.groups == ("y",)
    assert kept.matrix.toarray().tolist() == [[0, 1, 0], [1, 0, 1]]
    assert kept.group.tolist() == [-1, 0]


def test_columns_of_unlike_length_are_refused():
    with pytest.raises(NotApplicable, match=r"lengths \[1, 2\]"):
        Facets.of({"unit": ["a"], "item": ["x", "y"]})


def test_outcomes_that_are_no_verdicts_are_refused():
    with pytest.raises(ImpossibleEvidence):
        fit(grid(1, 2), np.arange(2), np.array([0.0, 0.5]))


def test_the_mean_field_finds_simulated_chances(simulated, fitted):
    facets, seen, outcomes, chances = simulated
    hidden = np.setdiff1d(np.arange(len(facets)), seen)
    found = fitted.chances(facets.rows(hidden)).mean(axis=0)
    assert np.corrcoef(found, chances[hidden])[0, 1] > 0.85
    margin = np.mean((outcomes[seen].mean() - chances[hidden]) ** 2)
    assert np.mean((found - chances[hidden]) ** 2) < 0.4 * margin


def test_intervals_of_the_mean_field_cover_simulated_chances(simulated, fitted):
    """Nominal 90 %; the mean field leaves out correlations, so a little less is expected and no more than that."""
    facets, _, _, chances = simulated
    low, high = quantiles(fitted.chances(facets), (0.05, 0.95))
    assert 0.75 < np.mean((low <= chances) & (chances <= high)) < 0.99


def test_a_fit_is_deterministic_and_leaves_no_trace(simulated):
    facets, seen, outcomes, _ = simulated
    before = torch.get_rng_state()
    first, second, other = (fit(facets, seen, outcomes[seen], steps=20, draws=5, seed=seed) for seed in (3, 3, 4))
    assert torch.equal(before, torch.get_rng_state())
    assert np.array_equal(first.effect, second.effect)
    assert not np.array_equal(first.effect, other.effect)


def test_levels_without_outcomes_keep_their_prior():
    facets = grid(3, 200)
    seen = np.flatnonzero(facets.codes[:, 1] < 20)
    found = fit(facets, seen, np.ones(len(seen)), steps=50, draws=400)
    unknown = found.effect[:, ~found.known_effects]
    assert unknown.shape == (400, 180)
    assert abs(unknown.mean()) < 5 / np.sqrt(unknown.size)
    assert abs(unknown.std() - 1) < 5 / np.sqrt(2 * unknown.size)


def flat_posterior(facets, draws, unit_effects, item_scale):
    """A posterior in which units are known and items are not."""
    known = np.repeat([True, False], [len(levels) for levels in facets.levels])
    effect = np.zeros((draws, len(known)))
    effect[:, known] = unit_effects
    scale = np.tile([1.0, item_scale], (draws, 1))
    empty = np.zeros((draws, 0))
    return Posterior(facets, np.zeros(draws), scale, effect, empty, known, np.zeros(0, dtype=bool))


def test_abduction_of_one_new_item_agrees_with_quadrature():
    facets = grid(3, 1)
    skill, scale = np.array([-1.0, 0.5, 2.0]), 1.7
    posterior = flat_posterior(facets, 100, skill, scale)
    found = abduct(posterior, facets, np.array([0, 1]), np.array([1.0, 0.0]), Draw(1), copies=2_000)
    ease = np.linspace(-12, 12, 20_001)
    weight = norm.pdf(ease, scale=scale) * expit(skill[0] + ease) * (1 - expit(skill[1] + ease))
    truth = (weight[:, None] * expit(skill + ease[:, None])).sum(axis=0) / weight.sum()
    # The error is at most .5 / sqrt(effective) with 1 standard deviation; five of them fail one time in a million.
    assert np.abs(found.means - truth).max() < 5 * 0.5 / np.sqrt(found.effective)
    assert found.effective > 20_000


def test_without_new_outcomes_abduction_gives_the_prior_of_the_item():
    facets = grid(3, 1)
    posterior = flat_posterior(facets, 100, np.zeros(3), 1.0)
    found = abduct(posterior, facets, np.array([], dtype=int), np.array([]), Draw(0), copies=500)
    assert found.effective == pytest.approx(50_000)
    assert found.means == pytest.approx(np.full(3, 0.5), abs=0.01)


@pytest.mark.parametrize(("a", "b"), [(0.3, 0.8), (0.8, 0.3), (0.5, 0.5), (0.02, 0.9)])
def test_shared_noise_and_bounds_agree_with_enumerated_noise(a, b):
    noise = (np.arange(100_000) + 0.5) / 100_000
    for outcome, mine in ((1.0, noise < a), (0.0, noise >= a)):
        found = coupled(a, b, outcome)
        assert found.shared == pytest.approx((noise[mine] < b).mean(), abs=1e-9)
        # The opposite coupling, u_B = 1 - u_A, reaches the other bound.
        ends = sorted([(noise[mine] < b).mean(), (1 - noise[mine] < b).mean()])
        assert [found.low, found.high] == pytest.approx(ends, abs=1e-9)
        assert found.low <= found.independent <= found.high


def test_two_tools_that_share_a_latent():
    """DESIGN, section 5, case 3: A works iff U > .7, B iff U > .5, and A failed: 2/7."""
    assert coupled(0.3, 0.5, 0.0).shared == pytest.approx(2 / 7)


@pytest.mark.parametrize("share", [0.0, 0.35, 1.0])
def test_the_share_of_noise_is_found_again(share):
    generator = np.random.default_rng(11)
    a, b = generator.uniform(0.1, 0.9, (2, 40_000))
    first = generator.random(40_000)
    second = np.where(generator.random(40_000) < share, first, generator.random(40_000))
    found = coupled(a, b, first < a)
    assert fit_share(found.independent, found.shared, second < b) == pytest.approx(share, abs=0.06)
    assert with_share(0.2, 0.6, 0.5) == pytest.approx(0.4)


def test_no_share_where_there_is_nothing_to_tell():
    assert fit_share(np.array([]), np.array([]), np.array([])) == 0
    assert fit_share(np.full(5, 0.4), np.full(5, 0.4), np.ones(5)) == 0


def test_the_share_is_that_of_the_least_brier_score():
    generator = np.random.default_rng(1)
    independent, shared = generator.random((2, 200))
    outcomes = (generator.random(200) < 0.7 * independent + 0.3 * shared).astype(float)
    grid = np.linspace(0, 1, 1_001)
    scores = np.square(with_share(independent, shared, grid[:, None]) - outcomes).mean(1)
    assert fit_share(independent, shared, outcomes) == pytest.approx(grid[scores.argmin()], abs=1e-3)


def test_shares_of_resamples_are_those_of_clusters_drawn_again():
    """Two tasks, one of shared and one of independent noise: a resample is all one, all the other, or both."""
    tasks = ["shared"] * 50 + ["apart"] * 50
    independent, shared = np.full(100, 0.5), np.full(100, 1.0)
    outcomes = np.array([1.0] * 50 + [0.0, 1.0] * 25)
    draws = share_draws(independent, shared, outcomes, tasks, Draw(0), 4_000)
    values, counts = np.unique(draws.round(9), return_counts=True)
    assert values == pytest.approx([0.0, 0.5, 1.0])
    # 1/4, 1/2, 1/4: five standard errors of the last two are .04.
    assert counts / 4_000 == pytest.approx([0.25, 0.5, 0.25], abs=0.04)


@given(a=st.floats(0.01, 0.99), b=st.floats(0.01, 0.99), outcome=st.sampled_from([0.0, 1.0]), at=st.floats(0, 1))
def test_a_mixed_run_lies_within_its_bounds(a, b, outcome, at):
    """Whatever its own chance between both, and whatever the noises share."""
    low, high = between(a, b, outcome)
    ends = coupled(a, a + at * (b - a), outcome)
    assert low <= ends.low + 1e-12
    assert ends.high <= high + 1e-12


def test_weighted_quantiles():
    draws = np.array([[3.0], [1.0], [2.0]])
    assert quantiles(draws, (0.0, 0.5, 1.0))[:, 0].tolist() == [1.0, 2.0, 3.0]
    assert quantiles(draws, (0.5,), np.array([0.0, 1.0, 0.0]))[0, 0] == 1.0
    estimate = estimate_of(draws[:, 0] / 4, 0.9, rung="interventional", weights=np.array([0.0, 1.0, 1.0]))
    assert (estimate.value, estimate.low, estimate.high) == (0.375, 0.25, 0.5)
    assert estimate.effective == pytest.approx(2)


def test_count_intervals_are_those_of_the_binomial():
    low, high = count_interval(np.full((2_000, 50), 0.3), 0.95, Draw(0))
    assert (low, high) == (9.0, 22.0)


@pytest.mark.slow
def test_the_mean_field_agrees_with_nuts():
    """On a small set: probabilities within .04 on average and .15 at most, standardised effects within .5 of a sd."""
    generator = np.random.default_rng(2)
    facets = grid(6, 15)
    skill, ease = generator.standard_normal(6), 1.5 * generator.standard_normal(15)
    outcomes = (generator.random(90) < expit(skill[:, None] + ease).ravel()).astype(float)
    seen = np.flatnonzero(generator.random(90) < 0.8)
    exact = sample(facets, seen, outcomes[seen], warmup=200, draws=400)
    quick = fit(facets, seen, outcomes[seen], steps=1_500, rate=0.03, draws=1_000)
    gap = np.abs(exact.chances(facets).mean(axis=0) - quick.chances(facets).mean(axis=0))
    assert gap.mean() < 0.04
    assert gap.max() < 0.15
    # Scale and effect are known only together.
    terms = [found.scale[:, facets.facet] * found.effect for found in (exact, quick)]
    centred = [term - term.mean(axis=1, keepdims=True) for term in terms]
    shift = np.abs(centred[0].mean(axis=0) - centred[1].mean(axis=0)) / centred[0].std(axis=0)
    assert shift.mean() < 0.5
