"""Tests over many steps: exact sign tests and false-discovery rates."""

from __future__ import annotations

from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ifonly.scm.errors import NotApplicable
from ifonly.scm.multiplicity import adjust, discoveries, paired_p_values, sign_p_values

# Benjamini and Hochberg 1995, sec. 4.1: 15 end points of a trial.
PUBLISHED = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528]
PUBLISHED += [0.7590, 1.0]


def test_the_example_of_benjamini_and_hochberg():
    """At .05 their procedure rejects the four smallest; Bonferroni three."""
    assert discoveries(PUBLISHED, 0.05, "positive").sum() == 4
    assert (np.array(PUBLISHED) <= 0.05 / 15).sum() == 3
    assert adjust(PUBLISHED, "positive")[:4] == pytest.approx([0.0015, 0.003, 0.0095, 0.035625])
    harmonic = sum(1 / k for k in range(1, 16))
    assert adjust(PUBLISHED)[:4] == pytest.approx(harmonic * np.array([0.0015, 0.003, 0.0095, 0.035625]))


p_vectors = st.lists(st.floats(0, 1), min_size=0, max_size=12)


@settings(max_examples=60, deadline=None)
@given(p_vectors, st.sampled_from(["any", "positive"]), st.floats(0.01, 0.5))
def test_adjusted_p_values_are_the_step_up_procedure(p, dependence, rate):
    """Reject the k smallest for the largest k with p_(k) <= k rate / (m c)."""
    adjusted, m = adjust(p, dependence), len(p)
    factor = sum(1 / k for k in range(1, m + 1)) if dependence == "any" else 1.0
    ordered = sorted(p)
    passed = [k for k in range(1, m + 1) if factor * m * ordered[k - 1] / k <= rate]
    assert (adjusted <= rate).sum() == (max(passed) if passed else 0) or np.isclose(adjusted, rate).any()
    assert ((adjusted >= np.array(p) - 1e-15) & (adjusted <= 1)).all()
    assert (np.diff(adjusted[np.argsort(p, kind="stable")]) >= -1e-15).all()


def test_the_false_discovery_rate_is_kept_under_dependence():
    """20 null steps that share noise and 5 real ones, 400 runs: the rate's mean is at most .05, and its standard
    error at most .011; the bound .1 fails by chance with probability below 1e-5.
    """
    rng, rates = np.random.default_rng(0), []
    for _ in range(400):
        shared = rng.normal()
        z = 0.7 * shared + 0.5**0.5 * rng.normal(size=25)
        z[20:] += 4
        p = np.array([0.5 * (1 - np.tanh(v * (0.7978845608 + 0.0356774 * v * v))) for v in z])
        found = discoveries(np.clip(p, 0, 1), 0.05)
        rates.append(found[:20].sum() / max(found.sum(), 1))
    assert np.mean(rates) <= 0.1


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 30), st.integers(0, 30))
def test_sign_test_is_the_binomial(gained, lost):
    n = gained + lost
    tail = sum(comb(n, k) for k in range(min(gained, lost) + 1)) / 2**n
    assert float(sign_p_values(gained, lost)) == pytest.approx(min(1.0, 2 * tail))
    assert float(sign_p_values(gained, lost, "gain")) == pytest.approx(sum(comb(n, k) for k in range(lost + 1)) / 2**n)
    assert float(sign_p_values(lost, gained)) == float(sign_p_values(gained, lost))


def test_paired_outcomes_by_step():
    control = np.zeros(10)
    changed = np.array([[1] * 10, [0] * 10, [1] * 5 + [0] * 5])
    assert paired_p_values(control, changed) == pytest.approx([2 / 2**10, 1.0, 2 / 2**5])
    assert paired_p_values(control, changed, "gain") == pytest.approx([1 / 2**10, 1.0, 1 / 2**5])
    assert paired_p_values(changed[0], control, "gain") == pytest.approx(1.0)
    assert discoveries(paired_p_values(control, changed)).tolist() == [True, False, False]


def test_refusals():
    with pytest.raises(NotApplicable, match=r"p-values in \[0, 1\]"):
        adjust([0.1, 1.2])
    with pytest.raises(NotApplicable, match=r"p-values in \[0, 1\]"):
        adjust([0.1, float("nan")])
    with pytest.raises(NotApplicable, match="counts"):
        sign_p_values([1.5], [2])
    with pytest.raises(NotApplicable, match="0 or 1"):
        paired_p_values([0, 1], [0, 0.5])
