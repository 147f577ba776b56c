"""Direct and indirect effects: the mediation formula, and nested counterfactuals along steps."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyro.distributions as dist
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ifonly.scm.continuous import Additive
from ifonly.scm.errors import NeverReached, NotApplicable
from ifonly.scm.finite import choice, table
from ifonly.scm.fixed import Function
from ifonly.scm.fixed import given as constant
from ifonly.scm.kernel import endogenous
from ifonly.scm.mediation import mediation
from ifonly.scm.nested import Cause, Sampling
from ifonly.scm.pathways import mediation_in
from ifonly.scm.tables import NoTable

FILE = Path(__file__).resolve().parents[3] / "shared" / "known_answers.json"
ENTRIES = {
    entry["id"]: entry
    for entry in (json.loads(FILE.read_text()) if FILE.exists() else [])
    if entry["group"] == "mediation"
}
NORMAL = dist.Normal(0.0, 1.0)
HOMEWORK = [[0.6, 0.4], [0.25, 0.75]]
EXAM = [[0.2, 0.3], [0.4, 0.8]]


def linear():
    x = endogenous("X", Additive(lambda: 0.0, NORMAL))
    m = endogenous("M", Additive(lambda x: 0.5 * x, NORMAL), x)
    endogenous("Y", Additive(lambda x, m: 0.7 * x + 0.4 * m, NORMAL), x, m)


def mediation_formula_homework():
    found = mediation(HOMEWORK, EXAM)
    return {
        "TE": found.total.value,
        "NDE": found.direct.value,
        "NIE": found.indirect.value,
        "NIE/TE": found.sufficient,
        "1-NDE/TE": found.necessary,
        "NDE_reverse": found.back_direct.value,
    }


def mediation_linear():
    found = mediation_in(linear, Cause("X", 1.0, 0.0), ["M"], "Y", held=[{"M": 3.0}], by=Sampling(50))
    return {
        "TE": found.total.value,
        "NDE": found.direct.value,
        "NIE": found.indirect.value,
        "CDE": found.controlled[0].value,
    }


SOLVED = {"mediation_formula_homework": mediation_formula_homework, "mediation_linear": mediation_linear}


def test_every_known_answer_is_tested():
    assert set(ENTRIES) <= set(SOLVED)


@pytest.mark.parametrize("name", ENTRIES)
def test_known_answer(name):
    answer, entry = SOLVED[name](), ENTRIES[name]
    assert answer == pytest.approx(entry["expected"], abs=entry["tolerance"], rel=0)


def test_homework_as_published():
    found = mediation(HOMEWORK, EXAM)
    assert [found.total.value, found.direct.value, found.indirect.value] == pytest.approx([0.46, 0.32, 0.035])
    assert [estimate.value for estimate in found.controlled] == pytest.approx([0.2, 0.5])
    assert (found.total.rung, found.direct.rung) == ("interventional", "counterfactual")
    assert (found.direct.identified, found.direct.level) == ("exact", 1.0)


shares = st.lists(st.integers(1, 20), min_size=3, max_size=3).map(lambda w: (np.array(w) / sum(w)).tolist())
scores = st.lists(st.integers(-10, 10), min_size=3, max_size=3)


@settings(max_examples=50, deadline=None)
@given(st.lists(shares, min_size=4, max_size=4), st.lists(scores, min_size=4, max_size=4), st.integers(1, 9))
def test_identities(mediators, outcomes, tenths):
    """TE = NDE - NIE_r = NIE - NDE_r, in every stratum and in their mixture (Pearl 2001, theorem 3)."""
    p, y = np.array(mediators).reshape(2, 2, 3), np.array(outcomes, dtype=float).reshape(2, 2, 3)
    weights = [tenths / 10, 1 - tenths / 10]
    mixed, parts = mediation(p, y, weights), [mediation(p[w], y[w]) for w in (0, 1)]
    for found in (mixed, *parts):
        total = found.total.value
        assert total == pytest.approx(found.direct.value - found.back_indirect.value, abs=1e-12)
        assert total == pytest.approx(found.indirect.value - found.back_direct.value, abs=1e-12)
    for name in ("total", "direct", "indirect"):
        mean = sum(w * getattr(part, name).value for w, part in zip(weights, parts, strict=True))
        assert getattr(mixed, name).value == pytest.approx(mean, abs=1e-12)
    back = mediation(p[0], y[0], off=1, on=0)
    assert back.direct.value == pytest.approx(parts[0].back_direct.value, abs=1e-12)
    assert back.indirect.value == pytest.approx(parts[0].back_indirect.value, abs=1e-12)


@pytest.mark.parametrize(
    ("p", "y", "strata"),
    [
        ([[0.6, 0.5], [0.5, 0.5]], EXAM, None),
        (HOMEWORK, [[0.2, 0.3, 0.1], [0.4, 0.8, 0.1]], None),
        (HOMEWORK, EXAM, [1.0]),
        ([HOMEWORK], [EXAM], [0.5]),
    ],
)
def test_what_is_no_table_is_refused(p, y, strata):
    with pytest.raises(NoTable):
        mediation(p, y, strata)


def test_no_such_value_of_the_cause():
    with pytest.raises(NoTable, match="rows 0 and 2"):
        mediation(HOMEWORK, EXAM, on=2)


# ---- in worlds


def homework():
    """The table as a world: its natural effects do not hang on how the noise couples the rows."""
    t = endogenous("T", choice([0, 1]))
    m = endogenous("M", table(torch.tensor(HOMEWORK)), t)
    rows = torch.tensor(EXAM)
    endogenous("Y", table(torch.stack([1 - rows, rows], -1)), t, m)


@pytest.mark.parametrize("particles", [None, 50_000])
def test_a_world_agrees_with_the_formula(particles):
    """By enumeration exactly; by particles within intervals of false-failure rate 1e-6."""
    by = Sampling(particles, level=1 - 1e-6)
    exact = mediation(HOMEWORK, EXAM)
    held = [{"M": torch.tensor(0)}, {"M": torch.tensor(1)}]
    found = mediation_in(homework, Cause("T", 1, 0), ["M"], "Y", held=held, by=by)
    for name in ("total", "direct", "indirect", "back_direct", "back_indirect"):
        estimate = getattr(found, name)
        assert estimate.low - 1e-9 <= getattr(exact, name).value <= estimate.high + 1e-9
        assert estimate.high - estimate.low < (1e-9 if particles is None else 0.05)
    for estimate, expected in zip(found.controlled, exact.controlled, strict=True):
        assert estimate.low - 1e-9 <= expected.value <= estimate.high + 1e-9
    assert (found.direct.identified, found.direct.noise) == ("assumed", "inverse-cdf")
    # Without facts the total and controlled effects are interventional, and hang on no coupling.
    assert (found.total.rung, found.total.noise) == ("interventional", None)


def test_facts_make_the_effects_those_of_the_unit():
    """Joe (Primer, sec. 4.2.3): all his noise is abducted, so nothing is left to chance."""
    facts = {"X": 0.5, "M": 1.0, "Y": 1.5}
    found = mediation_in(linear, Cause("X", 1.0, 0.0), ["M"], "Y", facts, by=Sampling(2))
    assert (found.total.value, found.total.rung) == (pytest.approx(0.9), "counterfactual")
    assert found.direct.value == pytest.approx(0.7)
    assert (found.total.low, found.total.level, found.total.effective) == (found.total.high, 1.0, None)


def plan():
    """A plan that an agent follows through two steps at once, and a final answer that may look at it directly."""
    p = endogenous("plan", choice(["good", "bad"], [0.7, 0.3]))
    a = endogenous("search", Function(lambda p: p == "good"), p)
    b = endogenous("read", Function(lambda p: p == "good"), p)
    endogenous("answer", Function(lambda a, b: float(a or b)), a, b)


def test_several_mediators_are_held_together():
    """Neither path alone carries the effect, both do: the case that one mediator at a time gets wrong."""
    cause = Cause("plan", "good", "bad")
    alone = [mediation_in(plan, cause, [site], "answer") for site in ("search", "read")]
    assert [part.direct.value for part in alone] == [1.0, 1.0]
    assert [part.indirect.value for part in alone] == [1.0, 1.0]
    both = mediation_in(plan, cause, ["search", "read"], "answer")
    assert (both.total.value, both.direct.value, both.indirect.value) == (1.0, 0.0, 1.0)
    assert (both.sufficient, both.necessary) == (1.0, 1.0)


def test_refusals():
    with pytest.raises(NotApplicable, match="other sites"):
        mediation_in(plan, Cause("plan", "good", "bad"), ["plan"], "answer")
    with pytest.raises(NotApplicable, match="at least one"):
        mediation_in(plan, Cause("plan", "good", "bad"), [], "answer")
    with pytest.raises(NeverReached, match="action at 'plam'"):
        mediation_in(plan, Cause("plam", "good", "bad"), ["search"], "answer")


def test_no_effect_has_no_shares():
    def world():
        constant("A", 1)
        m = constant("M", 1)
        endogenous("Y", Function(float), m)

    found = mediation_in(world, Cause("A", 1, 0), ["M"], "Y")
    assert (found.sufficient, found.necessary) == (None, None)
