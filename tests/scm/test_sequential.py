import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ifonly.scm.draw import Draw
from ifonly.scm.intervals import clopper_pearson
from ifonly.scm.sequential import betting_interval


def capital(x, m, level=0.95, planned=None, most=0.75):
    """Both gamblers' capital after every draw, one draw at a time: eqs. 23-26 of the paper, by hand."""
    up, down, seen = [1.0], [1.0], []
    for t, value in enumerate(x, start=1):
        means = [(0.5 + sum(seen[:i])) / (i + 1) for i in range(1, t)]
        variance = (0.25 + sum((a - b) ** 2 for a, b in zip(seen, means, strict=True))) / t
        size = planned or t * np.log(1 + t)
        bet = np.sqrt(2 * np.log(2 / (1 - level)) / (variance * size))
        up.append(up[-1] * (1 + min(bet, most / m) * (value - m)))
        down.append(down[-1] * (1 - min(bet, most / (1 - m)) * (value - m)))
        seen.append(value)
    return up, down


@pytest.mark.parametrize("planned", [None, 12])
def test_ends_are_where_a_gambler_is_ruined(planned):
    x = [1.0, 0.0, 1.0, 1.0, 0.25, 1.0, 0.0, 1.0, 1.0, 0.5, 1.0, 1.0]
    low, high = betting_interval(x, 0, 1, planned=planned)
    for m, inside in ((low - 0.003, False), (low + 0.003, True), (high - 0.003, True), (high + 0.003, False)):
        if 0 < m < 1:
            up, down = capital(x, m, planned=planned)
            assert (max(*up, *down) < 2 / 0.05) == inside


def test_without_draws_all_is_open():
    assert betting_interval([], 0, 1) == (0.0, 1.0)
    assert betting_interval([], -1, 1) == (-1.0, 1.0)


def test_equal_draws_give_no_point():
    """A constant sample is evidence, not proof: the interval has the order of Clopper and Pearson's."""
    low, high = betting_interval([0.0] * 20, 0, 1, planned=20)
    assert low == 0
    assert clopper_pearson(0, 20)[1] < high < 1.5 * clopper_pearson(0, 20)[1]


@pytest.mark.parametrize(("values", "low", "high", "level"), [([2.0], 0, 1, 0.95), ([0.5], 1, 1, 0.95), ([], 0, 1, 1)])
def test_refuses_what_it_does_not_cover(values, low, high, level):
    with pytest.raises(ValueError, match="need a vector"):
        betting_interval(values, low, high, level)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_laws(x):
    low, high = betting_interval(x, 0, 1)
    assert 0 <= low <= np.mean(x) <= high <= 1
    mirrored = betting_interval([1 - v for v in x], 0, 1)
    assert mirrored == pytest.approx((1 - high, 1 - low), abs=2e-3)
    wide = betting_interval([4 * v - 1 for v in x], -1, 3)
    assert wide == pytest.approx((4 * low - 1, 4 * high - 1), abs=8e-3)


@pytest.mark.parametrize("mean", [0.05, 0.4])
def test_covers_when_one_stops_at_a_width(mean):
    """Stopped at the first width below .5, 400 times. At 95 % coverage 375 is 1.2 sd below: expected nearer 1.

    False-failure rate: P(Binomial(400, .95) < 362) < 1e-4; the law promises at least 95 %.
    """
    generator, covered = Draw(11).generator(f"stop/{mean}"), 0
    for _ in range(400):
        x = (generator.random(60) < mean).astype(float)
        for stop in (10, 20, 30, 45, 60):
            low, high = betting_interval(x[:stop], 0, 1, planned=60)
            if high - low < 0.5:
                break
        covered += low <= mean <= high
    assert covered >= 362
