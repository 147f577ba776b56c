"""Published and hand-checked answers that the kernel must reproduce: ../shared/known_answers.json.

The worlds are here and the numbers in that file; a few are copied here, to prove something without it.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyro.distributions as dist
import pytest
import torch
from torch import tensor

from ifonly.scm.actions import Put
from ifonly.scm.adjustment import backdoor, frontdoor
from ifonly.scm.continuous import Additive, Monotone
from ifonly.scm.couplings import bounds, inverse_cdf, stable_bounds
from ifonly.scm.discrete import GumbelMax, InverseCdf, Threshold
from ifonly.scm.draw import Draw
from ifonly.scm.enumeration import enumerate_world
from ifonly.scm.finite import Finite, choice
from ifonly.scm.fixed import Function, given
from ifonly.scm.gumbel import noise_means, transition
from ifonly.scm.handover import counterfactual_from
from ifonly.scm.intervals import clopper_pearson
from ifonly.scm.kernel import endogenous
from ifonly.scm.laws import TopDown
from ifonly.scm.noise import keyed
from ifonly.scm.queries import counterfactual

FILE = Path(__file__).resolve().parents[3] / "shared" / "known_answers.json"
GROUPS = (
    "structural counterfactuals (discrete, exact)",
    "linear / additive-noise counterfactuals",
    "Gumbel-max categorical SCM",
    "interventions / identification (rung 2)",
)
OTHERS = ("beta_binomial_success_node",)
COPY = [
    {"id": "firing_squad_abduction", "expected": 5 / 6, "tolerance": 1e-12},
    {"id": "primer_joe_homework", "expected": {"U": [0.5, 0.75, 0.75], "Y_H2": 1.9}, "tolerance": 1e-12},
    {"id": "primer_thm_4_3_2", "expected": 2.6, "tolerance": 1e-9},
    {
        "id": "gumbel_K3_generic",
        "expected": [[0.4, 9 / 65, 6 / 13], [0, 10 / 13, 3 / 13], [0, 0, 1]],
        "tolerance": {"exact": 1e-9},
        "inputs": {"p": [0.5, 0.3, 0.2], "q": [0.2, 0.3, 0.5]},
    },
    {"id": "front_door_smoking_tar", "expected": [0.5475, 0.5025], "tolerance": 1e-12},
]
ENTRIES = {
    entry["id"]: entry
    for entry in (json.loads(FILE.read_text()) if FILE.exists() else COPY)
    if entry.get("group", GROUPS[0]) in GROUPS or entry["id"] in OTHERS
}
NORMAL = dist.Normal(0.0, 1.0)
DRAWS = 200_000
SE = 4.9  # standard errors allowed: two-sided false-failure rate 1e-6 a number


def bernoulli(p):
    return choice([0, 1], [1 - p, p])


def firing_squad(p=0.6, q=0.3):
    def world():
        order = endogenous("U", bernoulli(p))
        nerves = endogenous("W", bernoulli(q))
        captain = endogenous("C", Function(lambda u: u), order)
        a = endogenous("A", Function(max), captain, nerves)
        b = endogenous("B", Function(lambda c: c), captain)
        endogenous("D", Function(max), a, b)

    return world


def collider():
    a, b = endogenous("A", bernoulli(0.5)), endogenous("B", bernoulli(0.2))
    endogenous("E", Function(max), a, b)


def stones():
    suzy, billy = given("ST", 1), given("BT", 1)
    suzy_hits = endogenous("SH", Function(lambda s: s), suzy)
    billy_hits = endogenous("BH", Function(lambda b, s: int(b and not s)), billy, suzy_hits)
    endogenous("BS", Function(max), suzy_hits, billy_hits)


def forest():
    endogenous("F", Function(max), given("L", 1), given("M", 1))


def joe():
    x = endogenous("X", Additive(lambda: 0.0, NORMAL))
    h = endogenous("H", Additive(lambda x: 0.5 * x, NORMAL), x)
    endogenous("Y", Additive(lambda x, h: 0.7 * x + 0.4 * h, NORMAL), x, h)


def dowhy():
    x0 = endogenous("X0", Additive(lambda: 0.0, NORMAL))
    endogenous("X1", Additive(lambda x: 2 * x, NORMAL), x0)
    x2 = endogenous("X2", Additive(lambda x: 0.5 * x, NORMAL), x0)
    endogenous("X3", Additive(lambda x: 0.5 * x, NORMAL), x2)


def slope_one():
    x = endogenous("X", Additive(lambda: 0.0, NORMAL))
    endogenous("Y", Additive(lambda x: x, NORMAL), x)


def salary():
    x = endogenous("X", bernoulli(0.5))
    z = endogenous("Z", Finite(lambda u, x: 2 * x + u, (0, 1), (0.5, 0.5)), x)
    endogenous("Y", Function(lambda z: 3 * z), z)


def linear():
    x = endogenous("X", Additive(lambda: 0.0, NORMAL))
    endogenous("Y", Additive(lambda x: 2 * x, NORMAL), x)


def latency():
    action = given("A", 0)
    endogenous("Y", Monotone(lambda a: dist.LogNormal((1.0, 1.4)[a], (0.5, 0.8)[a])), action)


def would(world, facts, actions, target):
    twin = counterfactual(world, facts, {site: Put(value) for site, value in actions.items()})
    return twin[target]


def firing_squad_det():
    result = enumerate_world(firing_squad(q=0.0), {"D": 1}, {"A": Put(0)})
    return result.mean("D")


def firing_squad_abduction():
    return enumerate_world(firing_squad(), {"D": 1}).mean("U")


def composition_identity():
    return enumerate_world(collider, {"E": 1}).mean("E")


def rock_throwing_preemption():
    return [would(stones, {}, {"ST": 0}, "BS"), would(stones, {}, {"ST": 0, "BH": 0}, "BS")]


def forest_fire_disjunctive():
    return [would(forest, {}, did, "F") for did in ({"L": 0}, {"M": 0}, {"L": 0, "M": 0})]


def primer_joe_homework():
    facts = {"X": 0.5, "H": 1.0, "Y": 1.5}
    twin = counterfactual(joe, facts, {"H": Put(2.0)})
    noise = []
    for site, value in facts.items():
        equation = twin.factual.equation(site)
        noise.append(equation.mechanism.posterior(value, *equation.inputs).value)
    return {"U": noise, "Y_H2": twin["Y"]}


def primer_joe_do_x():
    twin = counterfactual(joe, {"X": 0.5, "H": 1.0, "Y": 1.5}, {"X": Put(1.0)})
    return {"Y": twin["Y"], "H": twin["H"]}


def primer_table_4_1():
    return [[would(slope_one, {"X": u, "Y": 2 * u}, {"X": x}, "Y") for x in (1, 2, 3)] for u in (1, 2, 3)]


def primer_skill_salary_a2():
    return [enumerate_world(salary, {"Z": 1}, {"X": Put(x)}).mean("Y") for x in (1, 0)]


def primer_thm_4_3_2():
    # Linear-Gaussian: Y_x is linear in the one open noise, so three quadrature points integrate it exactly.
    points, weights = np.polynomial.hermite_e.hermegauss(3)
    mean, sd = 1.2, 0.2**0.5  # posterior of X given Y = 3
    noise = {"X.noise": torch.from_numpy(mean + sd * points)}
    twin = counterfactual_from(noise, linear, {"Y": 3.0}, {"X": Put(1.0)})
    return float(twin["Y"] @ torch.from_numpy(weights / weights.sum()))


def dowhy_whatif_counterfactual():
    twin = counterfactual(dowhy, {"X0": 1.0, "X1": 3.0, "X2": 3.0, "X3": 4.0}, {"X2": Put(2.0)})
    return [twin[f"X{i}"] for i in range(4)]


def dowhy_whatif_noise():
    noise = {f"X{i}.noise": tensor([float(i + 1)]) for i in range(4)}
    twin = counterfactual_from(noise, dowhy, {}, {"X2": Put(2.0)})
    return [float(twin[f"X{i}"]) for i in range(4)]


def monotone_lognormal_latency():
    return would(latency, {"Y": 4.0}, {"A": 1}, "Y")


def categorical_cf_bounds_all_scms(p, q):
    low, high = bounds(p, q)
    return {"lo": low, "hi": high, "gumbel_max": transition(p, q)}


def categorical_cf_bounds_stable(p, q):
    low, high = stable_bounds(p, q)
    return {"lo": low, "hi": high}


def gumbel_binary_is_monotone():
    matrix = transition([0.7, 0.3], [0.5, 0.5])
    return [matrix[0, 1], matrix[1, 0]]


def gumbel_max_value_law():
    log_p = tensor([0.5, 0.3, 0.2]).log()
    tops = [(keyed(TopDown(log_p, tensor(i)).expand((DRAWS,)), f"top/{i}", Draw(0)) + log_p).amax(-1) for i in range(3)]
    return {"mean": [top.mean() for top in tops], "var": [top.var() for top in tops]}


def gumbel_identity_intervention():
    transitions = torch.from_numpy(np.random.default_rng(0).dirichlet(np.ones(4), size=4)).log()
    step = GumbelMax(transitions.__getitem__)

    def world():
        state = endogenous("a/0", GumbelMax(lambda: transitions[0]))
        for t in range(1, 8):
            state = endogenous(f"a/{t}", step, state)

    facts = counterfactual(world, {}, {}, rows=500).run.values
    twin = counterfactual(world, facts, {"a/3": Put(facts["a/3"].clone())}, rows=500)
    return min(float((twin[site] == facts[site]).double().mean()) for site in facts)


def primer_simpson_adjust():
    # axes (drug, gender, recovery)
    counts = [[[270 - 234, 234], [80 - 55, 55]], [[87 - 81, 81], [263 - 192, 192]]]
    effect = backdoor(counts)[:, 1]
    return [effect[1], effect[0], effect[1] - effect[0]]


def front_door_smoking_tar():
    x, z = np.array([0.5, 0.5]), np.array([[0.95, 0.05], [0.05, 0.95]])
    y = np.array([[0.90, 0.95], [0.10, 0.15]])
    joint = x[:, None, None] * z[:, :, None] * np.stack([1 - y, y], -1)
    effect = frontdoor(joint)[:, 1]
    return [effect[1], effect[0]]


def by_inputs(function):
    return lambda inputs: function(inputs["p"], inputs["q"])


def beta_binomial_success_node():
    """A success probability uniform on [0, 1], at Gauss-Legendre nodes: exact, the likelihood being a polynomial.

    The interval is that of the exact test: Beta(8, 4) has the lower end of 8 of 11 and the upper end of 7 of 11.
    """
    nodes, weights = np.polynomial.legendre.leggauss(12)

    def world():
        p = endogenous("p", choice(((1 + nodes) / 2).tolist(), (weights / 2).tolist()))
        for run in range(10):
            endogenous(f"success/{run}", Threshold(tensor), p)

    seen = {f"success/{run}": float(run < 7) for run in range(10)}
    mean = enumerate_world(world, seen).estimate("p").value
    return {"mean": mean, "ci90": [clopper_pearson(8, 11, 0.9)[0], clopper_pearson(7, 11, 0.9)[1]]}


SOLVED = {
    "beta_binomial_success_node": beta_binomial_success_node,
    "firing_squad_det": firing_squad_det,
    "firing_squad_abduction": firing_squad_abduction,
    "composition_identity": composition_identity,
    "rock_throwing_preemption": rock_throwing_preemption,
    "forest_fire_disjunctive": forest_fire_disjunctive,
    "primer_joe_homework": primer_joe_homework,
    "primer_joe_do_X": primer_joe_do_x,
    "primer_table_4_1": primer_table_4_1,
    "primer_skill_salary_a2": primer_skill_salary_a2,
    "primer_thm_4_3_2": primer_thm_4_3_2,
    "dowhy_whatif_counterfactual": dowhy_whatif_counterfactual,
    "dowhy_whatif_noise": dowhy_whatif_noise,
    "monotone_lognormal_latency": monotone_lognormal_latency,
    "gumbel_K3_generic": by_inputs(transition),
    "gumbel_stability_zero": by_inputs(transition),
    "gumbel_uniform_to_half": by_inputs(transition),
    "icdf_uniform_to_half": lambda: inverse_cdf([1 / 3] * 3, [0.5, 0.25, 0.25]),
    "categorical_cf_bounds_all_scms": by_inputs(categorical_cf_bounds_all_scms),
    "categorical_cf_bounds_stable": by_inputs(categorical_cf_bounds_stable),
    "gumbel_binary_is_monotone": gumbel_binary_is_monotone,
    "gumbel_posterior_means": lambda inputs: noise_means(inputs["p"]),
    "gumbel_max_value_law": gumbel_max_value_law,
    "gumbel_identity_intervention": gumbel_identity_intervention,
    "primer_simpson_adjust": primer_simpson_adjust,
    "front_door_smoking_tar": front_door_smoking_tar,
}


def close(answer, expected, tolerance):
    if isinstance(expected, dict):
        assert set(answer) == set(expected)
        for key, value in expected.items():
            close(answer[key], value, tolerance)
    else:
        got = np.asarray(answer, dtype=float)
        np.testing.assert_allclose(got, np.broadcast_to(expected, got.shape), rtol=0, atol=tolerance)


def test_every_known_answer_of_the_kernel_is_tested():
    assert set(ENTRIES) <= set(SOLVED)


@pytest.mark.skipif(not FILE.exists(), reason=f"{FILE} is absent")
def test_every_answer_of_the_file_is_named_by_a_test():
    tests = "".join(file.read_text() for file in Path(__file__).parent.glob("test_*.py"))
    assert [entry["id"] for entry in json.loads(FILE.read_text()) if entry["id"] not in tests] == []


@pytest.mark.parametrize("name", ENTRIES)
def test_known_answer(name):
    entry, solve = ENTRIES[name], SOLVED[name]
    answer = solve(entry["inputs"]) if solve.__code__.co_argcount else solve()
    tolerance = entry["tolerance"]
    if isinstance(tolerance, dict):
        # Monte Carlo entries give the law of the error: a Gumbel variance is the wider of the two (kurtosis 5.4).
        tolerance = tolerance.get("exact", SE * (4.4 * (np.pi**2 / 6) ** 2 / DRAWS) ** 0.5)
    close(answer, entry["expected"], max(tolerance, 1e-15))


@pytest.mark.skipif(not FILE.exists(), reason=f"{FILE} is absent: the copied answers were tested instead")
def test_the_copied_answers_are_those_of_the_file():
    for copied in COPY:
        close_to = ENTRIES[copied["id"]]["expected"]
        close(close_to, copied["expected"], 1e-12)


def test_joe_keeps_his_noise():
    """Drawing fresh noise would give .8 on average where the counterfactual is 1.9."""
    assert float(would(joe, {"X": 0.5, "H": 1.0, "Y": 1.5}, {"H": 2.0}, "Y")) == pytest.approx(1.9, abs=1e-12)


def test_linear_theorem_by_particles():
    estimate = counterfactual(linear, {"Y": 3.0}, {"X": Put(1.0)}, particles=DRAWS).estimate("Y", level=1 - 1e-6)
    assert estimate.low <= 2.6 <= estimate.high
    assert estimate.high - estimate.low < 0.05


@pytest.mark.parametrize(("p", "q"), [((0.5, 0.3, 0.2), (0.2, 0.3, 0.5)), ((1 / 3,) * 3, (0.5, 0.25, 0.25))])
@pytest.mark.parametrize("coupling", ["gumbel", "icdf"])
def test_sampling_agrees_with_the_closed_form(p, q, coupling):
    """False-failure rate below 1e-6 for each of 36 entries."""
    tables = torch.tensor([p, q])
    mechanism = GumbelMax(lambda a: tables[a].log()) if coupling == "gumbel" else InverseCdf(lambda a: tables[a])

    def world():
        endogenous("Y", mechanism, given("A", 0))

    exact = transition(p, q) if coupling == "gumbel" else inverse_cdf(p, q)
    for i, row in enumerate(exact):
        twin = counterfactual(world, {"Y": tensor(i)}, {"A": Put(1)}, particles=DRAWS)
        for j, probability in enumerate(row):
            sd = max(probability * (1 - probability), 1e-12) ** 0.5
            share = float((twin["Y"] == j).double().mean())
            assert abs(share - probability) <= 4.9 * sd / DRAWS**0.5 + 1e-9
