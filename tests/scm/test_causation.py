"""Probabilities of causation, from data and under an SCM; instruments; E-values."""

from __future__ import annotations

import json
import math
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ifonly.scm.causation import causation, risks
from ifonly.scm.discrete import GumbelMax
from ifonly.scm.errors import ImpossibleEvidence, NotApplicable
from ifonly.scm.finite import choice
from ifonly.scm.fixed import Function
from ifonly.scm.instruments import instrument_bounds, instrumental_inequality, natural_bounds
from ifonly.scm.kernel import endogenous
from ifonly.scm.necessity import causation_in
from ifonly.scm.nested import Cause, Sampling
from ifonly.scm.response import Limits, extremes
from ifonly.scm.sensitivity import e_value
from ifonly.scm.tables import NoTable, Refuted

FILE = Path(__file__).resolve().parents[3] / "shared" / "known_answers.json"
GROUPS = ("probabilities of causation", "bounds under instruments / no assumptions")
ENTRIES = {
    entry["id"]: entry
    for entry in (json.loads(FILE.read_text()) if FILE.exists() else [])
    if entry["group"] in GROUPS or entry["id"] == "evalue_3_9"
}
TYPES = np.array(list(product((0, 1), repeat=3)))  # X, Y_x', Y_x
LEUKEMIA = causation(risks(16 / 59026, 30 / 69160), monotone=True)
NAMES = ("pn", "ps", "pns", "harm")


def ends(estimate):
    return [estimate.low, estimate.high]


def both_kinds(inputs):
    table = [[inputs["P(x',y')"], inputs["P(x',y)"]], [inputs["P(x,y')"], inputs["P(x,y)"]]]
    found = causation(risks(inputs["P(y_x')"], inputs["P(y_x)"]), table)
    return {key: ends(getattr(found, key.lower())) for key in ("PNS", "PN", "PS", "harm")}


def by_z(*rows):
    """P(x, y | z), axes z, x, y, from rows in the order (y0x0, y0x1, y1x0, y1x1)."""
    return np.array(rows).reshape(-1, 2, 2).swapaxes(1, 2)


def synthetic(inputs):
    found = instrument_bounds(by_z(*inputs.values()))
    return {"ACE": ends(found.effect), "P(Y_{x=0}=1)": ends(found.off), "P(Y_{x=1}=1)": ends(found.on)}


def refused(_):
    table = by_z((0, 0.9, 0.1, 0), (0, 0, 0.1, 0.9))
    assert instrumental_inequality(table) == pytest.approx(1.8)
    with pytest.raises(Refuted, match=r"the instrument: .* = 1.8, above 1"):
        instrument_bounds(table)
    return "infeasible"


SOLVED = {
    "radiation_leukemia_PN": lambda _: LEUKEMIA.pn.value,
    "radiation_leukemia_PS": lambda _: LEUKEMIA.ps.value,
    "radiation_leukemia_PNS": lambda _: LEUKEMIA.pns.value,
    "drug_lawsuit": both_kinds,
    "mueller_pearl_women": both_kinds,
    "pns_experimental_only": lambda inputs: ends(causation(risks(inputs["P(y_x')"], inputs["P(y_x)"])).pns),
    "balke_pearl_lipid": lambda inputs: ends(instrument_bounds(by_z(*inputs.values())).effect),
    "balke_pearl_synthetic": synthetic,
    "balke_pearl_instrumental_inequality": refused,
    "manski_natural_bounds": lambda _: ends(natural_bounds([[0.2, 0.3], [0.1, 0.4]]).effect),
    "evalue_3_9": lambda _: [e_value(3.9), e_value(3.9, limit=1.8)],
}


def close(answer, expected, tolerance):
    if isinstance(expected, dict):
        assert set(answer) == set(expected)
        for key, value in expected.items():
            close(answer[key], value, tolerance)
    elif isinstance(expected, str):
        assert answer == expected
    else:
        np.testing.assert_allclose(answer, expected, rtol=0, atol=max(tolerance, 1e-15))


def test_every_known_answer_is_tested():
    assert set(ENTRIES) <= set(SOLVED)


@pytest.mark.parametrize("name", ENTRIES)
def test_known_answer(name):
    entry = ENTRIES[name]
    close(SOLVED[name](entry["inputs"]), entry["expected"], entry["tolerance"])


def test_mr_a_and_the_leukemia_trial_as_published():
    """Tian and Pearl 2000: the drug was surely to blame. Pearl, Causality, tables 9.1 and 9.2."""
    found = causation(risks(0.014, 0.016), [[0.486, 0.014], [0.499, 0.001]])
    assert ends(found.pn) == pytest.approx([1, 1], abs=1e-12)
    assert (found.pn.value, found.pn.identified, found.pn.rung) == (None, "bounds", "counterfactual")
    assert LEUKEMIA.pn.value == pytest.approx(1 - (16 / 59026) / (30 / 69160), abs=1e-12)
    assert (LEUKEMIA.pn.identified, LEUKEMIA.pn.noise) == ("assumed", "monotone")


def law(weights):
    return np.array(weights) / np.sum(weights)


def tables(q):
    x, off, on = TYPES.T
    done = risks(float(q @ off), float(q @ on))
    seen = [[float(q @ ((x == a) & (np.where(a, on, off) == y))) for y in (0, 1)] for a in (0, 1)]
    return done, seen


def truth(q):
    x, off, on = TYPES.T
    helped, hurt = (off == 0) & (on == 1), (off == 1) & (on == 0)
    pn, ps = (x == 1) & (on == 1), (x == 0) & (off == 0)
    return {
        "pn": q @ (pn & helped) / (q @ pn) if q @ pn else None,
        "ps": q @ (ps & helped) / (q @ ps) if q @ ps else None,
        "pns": q @ helped,
        "harm": q @ hurt,
    }


def programme(done, seen, name):
    """The bounds by linear programming over the 8 cells, nothing in closed form."""
    x, off, on = TYPES.T
    cells, values = [np.ones(8)], [1.0]
    if done is not None:
        cells += [off, on]
        values += [done[0][1], done[1][1]]
    if seen is not None:
        cells += [(x == a) & (np.where(a, on, off) == y) for a, y in product((0, 1), repeat=2)]
        values += np.ravel(seen).tolist()
    helped, hurt = (off == 0) & (on == 1), (off == 1) & (on == 0)
    treated, untreated = (np.ones(8), np.ones(8)) if seen is None else (x == 1, x == 0)
    target, over = {
        "pn": (helped, treated * (on == 1)),
        "ps": (helped, untreated * (off == 0)),
        "pns": (helped, None),
        "harm": (hurt, None),
    }[name]
    target = target if over is None else target * over
    return extremes(Limits(cells, values, values), target, over)


weights8 = st.lists(st.integers(0, 20), min_size=8, max_size=8).filter(lambda w: sum(w) > 0)


@settings(max_examples=25, deadline=None)
@given(weights8, st.sampled_from(["both", "experiment", "survey"]))
def test_bounds_are_sharp_and_hold_the_truth(weights, kind):
    q = law(weights)
    done, seen = tables(q)
    done, seen = (done if kind != "survey" else None), (seen if kind != "experiment" else None)
    found, real = causation(done, seen), truth(q)
    for name in NAMES:
        estimate = getattr(found, name)
        expected = programme(done, seen, name)
        if estimate is None:
            assert expected is None or (seen is None and expected == pytest.approx((0, 1)))
            continue
        assert ends(estimate) == pytest.approx(expected, abs=1e-6)
        if kind != "experiment" or name in ("pns", "harm"):  # an experiment's PN is of its own arms
            assert estimate.low - 1e-9 <= real[name] <= estimate.high + 1e-9


@settings(max_examples=60, deadline=None)
@given(weights8)
def test_monotone_points_are_the_truth(weights):
    q = np.where((TYPES[:, 1] == 1) & (TYPES[:, 2] == 0), 0.0, weights)
    if q.sum() == 0:
        return
    q = law(q)
    found, real = causation(*tables(q), monotone=True), truth(q)
    for name in NAMES:
        estimate = getattr(found, name)
        if estimate is not None and real[name] is not None:
            assert estimate.value == pytest.approx(real[name], abs=1e-7)
    assert found.harm.value == 0


def test_a_survey_alone_says_little_even_if_monotone():
    seen = [[0.3, 0.2], [0.1, 0.4]]
    for monotone in (False, True):
        found = causation(None, seen, monotone=monotone)
        assert ends(found.pn) == ends(found.ps) == [0, 1]
        assert ends(found.pns) == pytest.approx([0, 0.7])
        assert ends(found.harm) == pytest.approx([0, 0.0 if monotone else 0.3])
    assert causation(None, [[0.6, 0.4], [0.0, 0.0]]).pn is None


@pytest.mark.parametrize(
    ("done", "seen", "what"),
    [
        (risks(0.1, 0.1), [[0.25, 0.25], [0.25, 0.25]], "one population"),
        (risks(0.5, 0.9), [[0.25, 0.25], [0.25, 0.25]], "one population"),
        (risks(0.5, 0.4), None, "monotonicity"),
        (risks(0.5, 0.6), [[0.3, 0.1], [0.3, 0.3]], "monotonicity"),
    ],
)
def test_contradictions_are_refused(done, seen, what):
    with pytest.raises(Refuted, match=what):
        causation(done, seen, monotone=True)


def test_counts_refute_only_beyond_their_error():
    """40 of 100 after 41 of 100 is no evidence against monotonicity; 20 after 60 is."""
    mild = causation([[59, 41], [60, 40]], monotone=True, level=0.95)
    assert mild.pns.low == 0
    assert mild.pns.value == 0
    with pytest.raises(Refuted, match="monotonicity"):
        causation([[40, 60], [80, 20]], monotone=True, level=0.95)
    with pytest.raises(Refuted, match="one population"):
        causation([[900, 100], [900, 100]], [[250, 250], [250, 250]], level=0.95)


@pytest.mark.parametrize(
    ("done", "seen", "level"),
    [
        ([[0.5, 0.6], [0.5, 0.5]], None, None),
        ([0.5, 0.5], None, None),
        (None, [[0.5, 0.5], [0.5, 0.5]], None),
        (None, [[-0.1, 0.5], [0.3, 0.3]], None),
        (None, [[math.nan, 0.5], [0.3, 0.2]], None),
        ([[0.5, 0.5], [0.5, 0.5]], None, 0.95),
        ([[0, 0], [3, 4]], None, 0.95),
    ],
)
def test_what_is_no_table_is_refused(done, seen, level):
    with pytest.raises(NoTable):
        causation(done, seen, level=level)


def test_no_data_at_all():
    with pytest.raises(NotApplicable, match="no data"):
        causation()


def test_limits_from_counts_hold_the_sharp_bounds():
    """All four intervals at once in at least 95 % of samples: more than 9 misses of 40 have probability 1e-5."""
    rng, q = np.random.default_rng(0), law([6, 1, 5, 2, 3, 1, 8, 4])
    done, seen = tables(q)
    sharp, misses = causation(done, seen), 0
    for _ in range(40):
        arms = [[400 - k, k] for k in rng.binomial(400, [done[0][1], done[1][1]])]
        survey = rng.multinomial(600, np.ravel(seen)).reshape(2, 2)
        found = causation(arms, survey, level=0.95)
        misses += not all(
            getattr(found, name).low <= getattr(sharp, name).low + 1e-9
            and getattr(sharp, name).high - 1e-9 <= getattr(found, name).high
            for name in NAMES
        )
    assert misses <= 9


def test_limits_close_in_on_the_bounds():
    done, seen = tables(law([6, 1, 5, 2, 3, 1, 8, 4]))
    sharp = causation(done, seen)
    many = causation(np.round(np.array(done) * 1e8), np.round(np.array(seen) * 1e8), level=0.95)
    assert (many.pns.level, many.pns.effective) == (0.95, pytest.approx(3e8))
    for name in NAMES:
        assert ends(getattr(many, name)) == pytest.approx(ends(getattr(sharp, name)), abs=2e-3)


# ---- under a stated SCM


def types_world(q):
    """X and the responses of a unit, from one latent type."""

    def world():
        unit = endogenous("type", choice([tuple(row) for row in TYPES.tolist()], q.tolist()))
        x = endogenous("X", Function(lambda t: t[0]), unit)
        endogenous("Y", Function(lambda t, x: t[2] if x else t[1]), unit, x)

    return world


@settings(max_examples=25, deadline=None)
@given(weights8)
def test_unit_counterfactuals_give_the_truth(weights):
    q = law(weights)
    found, real = causation_in(types_world(q), Cause("X", 1, 0), "Y"), truth(q)
    for name in NAMES:
        estimate = getattr(found, name)
        assert (None if estimate is None else estimate.value) == pytest.approx(real[name], abs=1e-9)
        if estimate is not None:
            assert (estimate.identified, estimate.rung) == ("exact", "counterfactual")


def test_facts_narrow_the_population():
    q = law([1, 2, 3, 4, 5, 6, 7, 8])
    found = causation_in(types_world(q), Cause("X", 1, 0), "Y", {"Y": 1, "X": 1})
    assert found.pn.value == pytest.approx(truth(q)["pn"])
    assert found.ps is None
    assert found.pns.value == pytest.approx(found.pn.value)
    with pytest.raises(ImpossibleEvidence):
        causation_in(types_world(q), Cause("X", 1, 0), "Y", {"X": 7})


def test_a_binary_gumbel_choice_is_monotone():
    """Under Gumbel-max PN, PS and PNS are the monotone points (Oberst and Sontag 2019); particles agree.

    The intervals have a false-failure rate of 1e-6 each.
    """

    def world():
        x = endogenous("X", choice([0, 1]))
        endogenous("Y", GumbelMax(lambda x: rows[torch.as_tensor(x).long()]), x)

    rows = torch.tensor([[0.7, 0.3], [0.5, 0.5]]).log()

    found = causation_in(world, Cause("X", 1, 0), "Y", by=Sampling(100_000, level=1 - 1e-6))
    expected = causation(risks(0.3, 0.5), monotone=True)
    for name in ("pn", "ps", "pns"):
        estimate, point = getattr(found, name), getattr(expected, name).value
        assert estimate.low <= point <= estimate.high
        assert estimate.high - estimate.low < 0.04
        assert (estimate.identified, estimate.noise) == ("assumed", "gumbel-max")
    assert found.harm.value == 0


# ---- instruments

IV_TYPES = np.array(list(product((0, 1), repeat=4)))  # X_z0, X_z1, Y_0, Y_1


def balke_pearl(p):
    """The closed form of the bounds on the effect (Balke and Pearl 1997), p[y, x, z]."""
    low = max(
        p[1, 1, 1] + p[0, 0, 0] - 1,
        p[1, 1, 0] + p[0, 0, 1] - 1,
        p[1, 1, 0] - p[1, 1, 1] - p[1, 0, 1] - p[0, 1, 0] - p[1, 0, 0],
        p[1, 1, 1] - p[1, 1, 0] - p[1, 0, 0] - p[0, 1, 1] - p[1, 0, 1],
        -p[0, 1, 1] - p[1, 0, 1],
        -p[0, 1, 0] - p[1, 0, 0],
        p[0, 0, 1] - p[0, 1, 1] - p[1, 0, 1] - p[0, 1, 0] - p[0, 0, 0],
        p[0, 0, 0] - p[0, 1, 0] - p[1, 0, 0] - p[0, 1, 1] - p[0, 0, 1],
    )
    high = min(
        1 - p[0, 1, 1] - p[1, 0, 0],
        1 - p[0, 1, 0] - p[1, 0, 1],
        -p[0, 1, 0] + p[0, 1, 1] + p[0, 0, 1] + p[1, 1, 0] + p[0, 0, 0],
        -p[0, 1, 1] + p[1, 1, 1] + p[0, 0, 1] + p[0, 1, 0] + p[0, 0, 0],
        p[1, 1, 1] + p[0, 0, 1],
        p[1, 1, 0] + p[0, 0, 0],
        -p[1, 0, 1] + p[1, 1, 1] + p[0, 0, 1] + p[1, 1, 0] + p[1, 0, 0],
        -p[1, 0, 0] + p[1, 1, 0] + p[0, 0, 0] + p[1, 1, 1] + p[1, 0, 1],
    )
    return low, high


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 20), min_size=16, max_size=16).filter(lambda w: sum(w) > 0))
def test_instrument_bounds_are_those_of_balke_and_pearl(weights):
    q = law(weights)
    table = np.zeros((2, 2, 2))
    for mass, (x0, x1, y0, y1) in zip(q, IV_TYPES.tolist(), strict=True):
        for z, x in enumerate((x0, x1)):
            table[z, x, (y0, y1)[x]] += mass
    found = instrument_bounds(table)
    assert ends(found.effect) == pytest.approx(balke_pearl(table.transpose(2, 1, 0)), abs=1e-7)
    off, on = q @ IV_TYPES[:, 2], q @ IV_TYPES[:, 3]
    for estimate, real in ((found.effect, on - off), (found.off, off), (found.on, on)):
        assert estimate.low - 1e-7 <= real <= estimate.high + 1e-7
    assert instrumental_inequality(table) <= 1 + 1e-9
    # Forgetting z leaves the natural bounds, which are wider.
    natural = natural_bounds(table.mean(0))
    assert natural.effect.low <= found.effect.low + 1e-7
    assert found.effect.high <= natural.effect.high + 1e-7


def test_instrument_limits_from_counts():
    lipid = by_z((0.919, 0, 0.081, 0), (0.315, 0.139, 0.073, 0.473))
    found = instrument_bounds(np.round(lipid * 165_000), level=0.95)
    assert ends(found.effect) == pytest.approx([0.392, 0.780], abs=0.02)
    assert found.effect.low < 0.392
    assert found.effect.high > 0.780
    assert natural_bounds([[200, 300], [100, 400]], level=0.95).effect.high > 0.6
    with pytest.raises(Refuted, match="instrument"):
        instrument_bounds(by_z((0, 900, 100, 0), (0, 0, 100, 900)), level=0.95)


def test_e_value_of_a_protective_ratio_and_of_none():
    assert e_value(1 / 3.9) == pytest.approx(e_value(3.9))
    assert e_value(1.0) == e_value(3.9, limit=0.9) == e_value(0.5, limit=1.2) == 1.0
    with pytest.raises(NotApplicable, match="positive"):
        e_value(-1.0)
