"""The race over options: its laws, the closed form of its counterfactuals, and what a part of a law is enough for."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import chi2, kstest

from ifonly.scm.draw import Draw
from ifonly.scm.errors import ImpossibleEvidence
from ifonly.scm.gumbel import transition
from ifonly.scm.race import Law, Noise, Shaping, abduct, choose, law_of, posterior, prior, shaped, winner

P, Q = np.array([0.5, 0.3, 0.2]), np.array([0.2, 0.3, 0.5])
seeds = st.integers(0, 2**64)


@st.composite
def laws(draw, options=None, least=1e-6):
    size = draw(st.integers(2, 30)) if options is None else options
    weights = draw(st.lists(st.floats(least, 1.0), min_size=size, max_size=size))
    return np.log(np.array(weights) / np.sum(weights))


@st.composite
def pairs(draw):
    p = draw(laws())
    return p, draw(laws(len(p)))


def noise_of(seed, options, site="agent/0/token/3"):
    return prior(Draw(seed), site, options)


def listing(log_p, count):
    """The likeliest options and their log-probabilities, as a server lists them."""
    order = np.argsort(-log_p, kind="stable")[:count]
    return order, log_p[order]


def unlikely(counts, expected, rate=1e-6):
    """Whether counts differ from a law more than a chi-square test lets pass; false-failure rate as given."""
    counts, expected = np.asarray(counts, dtype=float), np.asarray(expected)
    expected = expected * counts.sum()
    statistic = ((counts - expected) ** 2 / expected).sum()
    return statistic > chi2.isf(rate, len(counts) - 1)


def test_noise_is_keyed_by_name_and_number():
    short, long = noise_of(1, 5), noise_of(1, 9)
    assert (long[:5] == short).all()
    assert (noise_of(1, 5) == short).all()
    assert not (noise_of(2, 5) == short).any()
    assert not (noise_of(1, 5, "agent/0/token/4") == short).any()


def test_noise_is_exponential():
    """Kolmogorov-Smirnov; false-failure rate 1e-6."""
    assert kstest(noise_of(3, 100_000), "expon").pvalue > 1e-6


def test_choices_follow_the_law():
    """False-failure rate 1e-6."""
    chosen = [choose(noise_of(seed, 3), np.log(P)) for seed in range(8_000)]
    assert not unlikely(np.bincount(chosen, minlength=3), P)


def test_choices_by_posterior_noise_follow_the_closed_form():
    """P(Y' | Y = 0) is .4, .1385, .4615 (DESIGN.md, section 3); three rows, false-failure rate 3e-6 in all."""
    exact = transition(P, Q)
    assert exact[0] == pytest.approx([0.4, 0.1385, 0.4615], abs=1e-4)
    for row in range(3):
        noises = [posterior(noise_of(seed, 3, f"row/{row}"), np.log(P), row) for seed in range(5_000)]
        counts = np.bincount([choose(noise, np.log(Q)) for noise in noises], minlength=3)
        assert (counts[exact[row] == 0] == 0).all()
        possible = exact[row] > 0
        assert not unlikely(counts[possible], exact[row][possible])


def test_posterior_noise_of_a_drawn_option_is_prior_noise():
    """Drawn under p, the option and then its noise: the noise is Exp(1) again; false-failure rate 3e-6 in all."""
    drawn = np.random.default_rng(0).choice(3, size=8_000, p=P)
    noises = np.array([posterior(noise_of(seed, 3), np.log(P), i) for seed, i in enumerate(drawn)])
    for option in range(3):
        assert kstest(noises[:, option], "expon").pvalue > 1e-6
    assert abs(np.corrcoef(noises.T)[np.triu_indices(3, 1)]).max() < 5.1 / math.sqrt(8_000)


@given(pairs(), seeds, st.data())
def test_what_was_chosen_is_chosen_again_and_others_only_if_their_odds_rose(pair, seed, data):
    p, q = pair
    chosen = data.draw(st.integers(0, len(p) - 1))
    noise = posterior(noise_of(seed, len(p)), p, chosen)
    assert choose(noise, p) == chosen
    other = choose(noise, q)
    assert other == chosen or q[other] - p[other] > q[chosen] - p[chosen] - 1e-9


@given(laws(), seeds)
def test_one_law_and_one_noise_give_one_choice(p, seed):
    noise = noise_of(seed, len(p))
    chosen = choose(noise, p)
    assert winner(Noise(noise, noise), Law(np.arange(len(p)), p)) == chosen
    assert choose(posterior(noise_of(seed + 1, len(p)), p, chosen), p) == chosen


@given(pairs(), seeds, st.data())
def test_what_a_part_of_the_laws_settles_is_settled_so_by_the_whole(pair, seed, data):
    """The certificate is sound: prior and posterior noise, any temperature, any part of either law."""
    p, q = pair
    options = len(p)
    shaping = Shaping(temperature=data.draw(st.sampled_from([0.5, 1.0, 2.0])))
    known = data.draw(st.integers(1, options)), data.draw(st.integers(1, options))
    chosen = data.draw(st.sampled_from(list(listing(p, known[0])[0])))
    drawn = noise_of(seed, options)
    whole_p, whole_q = shaped(p, shaping), shaped(q, shaping)
    part_p, part_q = (law_of(*listing(law, count), options, shaping) for law, count in zip(pair, known, strict=True))
    assert winner(Noise(drawn, drawn), part_q) in (None, choose(drawn, whole_q))
    exact, bounds = posterior(drawn, whole_p, chosen), abduct(drawn, part_p, chosen)
    assert (bounds.low <= exact * (1 + 1e-9)).all()
    assert (exact <= bounds.high * (1 + 1e-9)).all()
    assert winner(bounds, part_q) in (None, choose(exact, whole_q))


@given(pairs(), seeds, st.data())
def test_a_law_that_is_cut_off_needs_no_more_than_what_is_left(pair, seed, data):
    p, q = pair
    options = len(p)
    shaping = data.draw(
        st.builds(Shaping, st.sampled_from([0.0, 0.7, 1.0]), st.integers(1, 8), st.floats(0.1, 1), st.floats(0, 0.3))
    )
    part_p, part_q = (law_of(*listing(law, shaping.top_k), options, shaping) for law in pair)
    whole_p, whole_q = shaped(p, shaping), shaped(q, shaping)
    chosen = int(part_p.ids[-1])
    assume(whole_p[chosen] > -np.inf)
    drawn = noise_of(seed, options)
    bounds = abduct(drawn, part_p, chosen)
    assert bounds.low is bounds.high
    np.testing.assert_allclose(bounds.low, posterior(drawn, whole_p, chosen))
    assert winner(bounds, part_p) == chosen
    assert winner(bounds, part_q) == choose(bounds.low, whole_q)


def test_a_long_enough_part_settles_a_long_law():
    """Of 50,000 options 2,000 are known: nearly all choices are settled, all as by the whole."""
    log_p = -1.6 * np.log(np.arange(1, 50_001))
    log_p -= np.logaddexp.reduce(log_p)
    part = law_of(*listing(log_p, 2_000), 50_000, Shaping())
    settled = 0
    for seed in range(50):
        noise = noise_of(seed, 50_000)
        if (found := winner(Noise(noise, noise), part)) is not None:
            assert found == choose(noise, log_p)
            settled += 1
    assert settled > 40


def test_shaping_by_hand():
    log_p = np.log([0.1, 0.4, 0.2, 0.3])

    def left(**settings):
        return np.exp(shaped(log_p, Shaping(**settings))).round(12).tolist()

    assert left() == [0.1, 0.4, 0.2, 0.3]
    assert left(temperature=0) == [0, 1, 0, 0]
    assert left(top_k=2) == pytest.approx([0, 4 / 7, 0, 3 / 7])
    assert left(top_p=0.69) == pytest.approx([0, 4 / 7, 0, 3 / 7])
    assert left(top_p=0.71) == pytest.approx([0, 4 / 9, 2 / 9, 3 / 9])
    # top-p looks at what top-k left: 4/7 reaches .55 of it.
    assert left(top_k=2, top_p=0.55) == [0, 1, 0, 0]
    assert left(min_p=0.6) == pytest.approx([0, 4 / 7, 0, 3 / 7])
    # Temperature comes last and so does not move what is cut off.
    assert left(temperature=0.5, top_k=2) == pytest.approx([0, 16 / 25, 0, 9 / 25])


def test_too_short_a_part_does_not_shape():
    log_p = np.log([0.4, 0.3])
    ids = np.arange(2)
    assert law_of(ids, log_p, 9, Shaping(top_k=3)) is None
    assert law_of(ids, log_p, 9, Shaping(top_p=0.8)) is None
    assert law_of(ids, log_p, 9, Shaping(min_p=0.5)) is None
    assert law_of(ids, log_p, 9, Shaping(top_p=0.6)).ids.tolist() == [0, 1]
    assert law_of(ids, log_p, 9, Shaping(min_p=0.8)).ids.tolist() == [0]


def test_what_cannot_have_been_chosen_is_refused():
    with pytest.raises(ImpossibleEvidence, match="option 1"):
        posterior(noise_of(0, 2), np.array([0.0, -np.inf]), 1)
    with pytest.raises(ImpossibleEvidence, match="option 7"):
        abduct(noise_of(0, 9), Law(np.arange(2), np.log([0.5, 0.5])), 7)
