"""Joint causes: known cases of overdetermination and preemption, and the modified Halpern-Pearl definition."""

from __future__ import annotations

import json
from itertools import chain, combinations, product
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ifonly.scm.effect import question
from ifonly.scm.errors import NotApplicable
from ifonly.scm.finite import choice
from ifonly.scm.fixed import Function
from ifonly.scm.fixed import given as constant
from ifonly.scm.joint_causes import actual_cause, flip_sets, joint_causes
from ifonly.scm.kernel import endogenous
from ifonly.scm.nested import Sampling

FILE = Path(__file__).resolve().parents[3] / "shared" / "known_answers.json"
ENTRIES = {entry["id"]: entry["expected"] for entry in (json.loads(FILE.read_text()) if FILE.exists() else [])}


def stones():
    """Both throw, Suzy's stone arrives first (Halpern and Pearl 2005, late preemption)."""
    suzy, billy = constant("ST", 1), constant("BT", 1)
    suzy_hits = endogenous("SH", Function(lambda s: s), suzy)
    billy_hits = endogenous("BH", Function(lambda b, s: int(b and not s)), billy, suzy_hits)
    endogenous("BS", Function(max), suzy_hits, billy_hits)


def forest(rule):
    """Lightning and a match; the fire needs either (disjunctive) or both (conjunctive)."""

    def world():
        endogenous("F", Function(rule), constant("L", 1), constant("M", 1))

    return world


BROKEN = question(stones, {}, "BS")
THROWS = {"ST": [0], "BT": [0]}
SEEN = {"ST": 1, "BT": 1, "SH": 1, "BH": 0}


def test_rock_throwing_is_preemption():
    assert [BROKEN({"ST": 0}), BROKEN({"ST": 0, "BH": 0})] == ENTRIES.get("rock_throwing_preemption", [1, 0])
    (found,) = joint_causes(BROKEN, SEEN, THROWS)
    assert (found.sites, found.kind) == (("ST", "BT"), "preemption")
    (cause,) = found.causes
    assert (cause.put, cause.held) == ({"ST": 0}, {"BH": 0})


def test_suzy_and_not_billy_broke_the_bottle():
    assert actual_cause(BROKEN, SEEN, THROWS, ["ST"]).held == {"BH": 0}
    assert actual_cause(BROKEN, SEEN, THROWS, ["BT"]) is None
    assert actual_cause(BROKEN, SEEN, THROWS, ["ST", "BT"]) is None  # AC3: Suzy alone is one
    assert actual_cause(BROKEN, SEEN, THROWS, ["ST"], witness=0) is None
    assert actual_cause(BROKEN, SEEN, THROWS, ["ST"], pool=["SH"]) is None


def test_forest_fire_is_overdetermination():
    burns, seen, others = question(forest(max), {}, "F"), {"L": 1, "M": 1}, {"L": [0], "M": [0]}
    expected = ENTRIES.get("forest_fire_disjunctive", [1, 1, 0])
    assert [burns({"L": 0}), burns({"M": 0}), burns({"L": 0, "M": 0})] == expected
    (found,) = joint_causes(burns, seen, others)
    assert (found.sites, found.kind, found.causes) == (("L", "M"), "overdetermination", ())
    # Halpern 2015, example 3.1: only the conjunction is a cause.
    assert actual_cause(burns, seen, others, ["L"]) is None
    assert actual_cause(burns, seen, others, ["L", "M"]).put == {"L": 0, "M": 0}


def test_a_conjunctive_fire_has_two_but_for_causes():
    found = joint_causes(question(forest(min), {}, "F"), {"L": 1, "M": 1}, {"L": [0], "M": [0]})
    assert [(cause.sites, cause.kind) for cause in found] == [(("L",), "but-for"), (("M",), "but-for")]


def voting(votes, needed):
    def world():
        nodes = [constant(f"V{i}", vote) for i, vote in enumerate(votes)]
        endogenous("W", Function(lambda *v: int(sum(v) >= needed)), *nodes)

    return question(world, {}, "W"), {f"V{i}": vote for i, vote in enumerate(votes)}


def test_an_election_won_by_ten_to_one():
    """11 voters, all for (Halpern 2015): every set of six is a minimal flip set, and a cause; no smaller one is."""
    happens, seen = voting([1] * 11, 6)
    assert flip_sets(happens, {site: [0] for site in seen}, size=2) == ()
    assert actual_cause(happens, seen, {site: [0] for site in seen}, [f"V{i}" for i in range(6)], witness=0)
    assert actual_cause(happens, seen, {site: [0] for site in seen}, [f"V{i}" for i in range(5)], witness=1) is None


def test_minimal_flip_sets_come_smaller_first():
    """F = A or (B and C), all true, with A's value a choice of three."""

    def world():
        a, b, c = constant("A", "x"), constant("B", 1), constant("C", 1)
        endogenous("F", Function(lambda a, b, c: int(a != "z" or (b and c))), a, b, c)

    found = flip_sets(question(world, {}, "F"), {"A": ["y", "z"], "B": [0], "C": [0]}, size=3)
    assert [flip.put for flip in found] == [{"A": "z", "B": 0}, {"A": "z", "C": 0}]
    assert all(flip.held == {} for flip in found)


def test_two_causes_that_back_each_other_up():
    """Each would have averted it but for the other, which only comes in when the first is changed."""

    def world():
        a, b = constant("A", 1), constant("B", 1)
        rescue_b = endogenous("RB", Function(lambda a, b: int(b and not a)), a, b)
        rescue_a = endogenous("RA", Function(lambda a, b: int(a and not b)), a, b)
        endogenous("Y", Function(lambda a, b, ra, rb: int((a and b) or ra or rb)), a, b, rescue_a, rescue_b)

    (found,) = joint_causes(question(world, {}, "Y"), {"A": 1, "B": 1, "RA": 0, "RB": 0}, {"A": [0], "B": [0]})
    assert (found.kind, found.causes) == ("joint", ())


def test_the_question_may_be_about_a_posterior():
    def world():
        coin = endogenous("coin", choice([0, 1], [0.25, 0.75]))
        endogenous("Y", Function(lambda c, a: (torch.as_tensor(c) + a > 0).double()), coin, constant("A", 1))

    for by in (Sampling(), Sampling(400)):
        happens = question(world, {"Y": 1}, "Y", by)
        assert happens({})
        assert happens({"A": 0})
        assert not question(world, {"Y": 1}, "Y", by, threshold=0.95)({"A": 0})


def test_refusals():
    with pytest.raises(NotApplicable, match="does not happen"):
        flip_sets(lambda values: False, {"A": [0]})
    with pytest.raises(NotApplicable, match="'B' needs its actual value"):
        actual_cause(lambda values: True, {"A": 1}, {"A": [0]}, ["B"])


# ---- against the definition, by brute force

N = 3


def subsets(items, least=0):
    return chain.from_iterable(combinations(items, n) for n in range(least, len(items) + 1))


def by_definition(rule, actual, sites):
    """AC1-AC3 of Halpern 2015 over binary sites that have no equations among them."""

    def averts(part):
        others = [i for i in range(N) if i not in part]
        for held in subsets(others):
            for values in product((0, 1), repeat=len(part)):
                # Sites neither put nor held keep their value too: nothing moves them.
                world = [*actual]
                for i, value in zip(part, values, strict=True):
                    world[i] = value
                assert all(world[i] == actual[i] for i in held)
                if not rule[sum(2**i * value for i, value in enumerate(world))]:
                    return True
        return False

    return averts(sites) and not any(averts(part) for part in subsets(sites, 1) if len(part) < len(sites))


@settings(max_examples=80, deadline=None)
@given(st.lists(st.booleans(), min_size=2**N, max_size=2**N), st.tuples(*[st.integers(0, 1)] * N))
def test_against_the_definition(rule, actual):
    names = [f"x{i}" for i in range(N)]
    seen = dict(zip(names, actual, strict=True))

    def happens(put):
        return rule[sum(2**i * {**seen, **put}[name] for i, name in enumerate(names))]

    if not happens({}):
        return
    others = {name: [1 - value] for name, value in seen.items()}
    found = {flip.sites for flip in flip_sets(happens, others, size=N)}
    for sites in subsets(range(N), 1):
        chosen = tuple(names[i] for i in sites)
        cause = actual_cause(happens, seen, others, chosen)
        assert (cause is not None) == by_definition(rule, actual, sites) == (chosen in found)
