"""Credit in a world that is written down, against closed form."""

from itertools import product
from math import factorial

import pytest

from ifonly.scenarios.desks import DESKS, NEEDED, SLIP
from ifonly.scm.finite import choice
from ifonly.scm.fixed import Function
from ifonly.scm.kernel import endogenous
from ifonly.scm.known_game import known_game
from ifonly.sim.blame.credit import credit

CARE = 0.6
FACTS = {"desk/0": False, "desk/1": True, "desk/2": False, "desk/3": True}


class Desk:
    """Right with probability CARE, less SLIP after a wrong one; its noise is a cell of the two laws' refinement."""

    cells = ((True, True, CARE - SLIP), (True, False, SLIP), (False, False, 1 - CARE))


def desk(cell, before=None):
    calm, slipped, _ = Desk.cells[int(cell)]
    return slipped if before is False else calm


def world():
    before = []
    nodes = []
    for index in range(DESKS):
        draw = endogenous(f"noise/{index}", choice([0, 1, 2], [cell[2] for cell in Desk.cells]))
        before = [endogenous(f"desk/{index}", Function(desk), draw, *before)]
        nodes += before
    return endogenous("fails", Function(lambda *right: float(sum(right) < NEEDED)), *nodes)


def fails(kept):
    """v(S) by enumeration over what every desk does."""
    total = 0.0
    for made in product((True, False), repeat=DESKS):
        p = 1.0
        for index, right in enumerate(made):
            hit = CARE - SLIP * (index > 0 and not made[index - 1])
            if index in kept:
                p *= right == FACTS[f"desk/{index}"]
            else:
                p *= hit if right else 1 - hit
        total += p * (sum(made) < NEEDED)
    return total


def test_credit_of_a_known_world_is_shapleys():
    """All 16 coalitions, by hand and by the kernel; the same `credit` as blame's."""
    players = list(FACTS)
    shares, pairs = credit(known_game(world, FACTS, players, "fails"), players, effort=16, seed=0, level=0.95)
    for i, name in enumerate(players):
        truth = 0.0
        for mask in range(2**DESKS):
            kept = {j for j in range(DESKS) if mask >> j & 1}
            if i not in kept:
                weight = factorial(len(kept)) * factorial(DESKS - len(kept) - 1) / factorial(DESKS)
                truth += weight * (fails(kept | {i}) - fails(kept))
        assert shares[name].value == pytest.approx(truth, abs=1e-9)
        assert (shares[name].identified, shares[name].rung) == ("exact", "interventional")
    assert sum(one.value for one in shares.values()) == pytest.approx(1 - fails(set()))
    assert pairs
