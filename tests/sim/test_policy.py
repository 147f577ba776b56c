"""Policies from tables and runs: worlds whose value is known, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ifonly.agents.errors import ActionError, InputError, UnknownName
from ifonly.agents.tables import table_of
from ifonly.scenarios.inbox import sample
from ifonly.scm.errors import NotApplicable
from ifonly.scm.policy.rules import Constant, Leaf, Mixed, Split, Tree
from ifonly.sim.policy import (
    Columns,
    SavedRule,
    Target,
    Valuing,
    choices_table,
    decisions_of,
    pareto,
    parse_choice,
    parse_target,
    summarise_log,
)
from ifonly.sim.policy.features import Category, Encoding, Number, Text, encoding_of
from ifonly.views.policy import rule_lines

COLUMNS = Columns("model", "solved", ("kind", "length"), propensity="p", cost="paid", cluster="task", seconds="took")
# Chance of success by kind of task and model: the large model helps with code alone.
SOLVED = {("code", "large"): 0.8, ("code", "small"): 0.3, ("chat", "large"): 0.7, ("chat", "small"): 0.7}


def routed(n=3_000, seed=0):
    """A router sends code to the large model, four times in five, and chat to the small one as often."""
    generator = np.random.default_rng(seed)
    kind = np.where(generator.random(n) < 0.5, "code", "chat")
    p_large = np.where(kind == "code", 0.8, 0.2)
    model = np.where(generator.random(n) < p_large, "large", "small")
    chance = np.array([SOLVED[k, m] for k, m in zip(kind, model, strict=True)])
    return {
        "model": model.tolist(),
        "solved": (generator.random(n) < chance).astype(float).tolist(),
        "kind": kind.tolist(),
        "length": generator.integers(10, 500, n).astype(float).tolist(),
        "p": np.where(model == "large", p_large, 1 - p_large).tolist(),
        "paid": np.where(model == "large", 3.0, 1.0).tolist(),
        "took": np.where(model == "large", 2.0, 0.5).tolist(),
        "task": [f"t{i}" for i in range(n)],
    }


@pytest.fixture(scope="module")
def table():
    return table_of(routed())


@pytest.fixture(scope="module")
def valuing(table):
    return Valuing(decisions_of(table, COLUMNS), table, controls=("length",))


@pytest.fixture(scope="module")
def trees(valuing):
    return pareto(valuing, "tree", [2.05])


def truth(share_code, share_chat):
    """The value of the large model with these probabilities on code and on chat."""
    mixed = (
        s * SOLVED[k, "large"] + (1 - s) * SOLVED[k, "small"] for k, s in (("code", share_code), ("chat", share_chat))
    )
    return sum(mixed) / 2


@pytest.mark.parametrize(
    ("text", "share"),
    [("large", (1, 1)), ("small", (0, 0)), ("uniform", (0.5, 0.5)), ("large=0.2,small=0.8", (0.2, 0.2))],
)
def test_values_hold_the_truth_which_the_naive_comparison_misses(valuing, text, share):
    """4.9 standard errors: false-failure rate 1e-6 an estimator."""
    answer = valuing.value(parse_target(text, valuing.log.arms))
    wanted = truth(*share)
    for name in ("ipw", "snipw", "dr", "sndr", "mrdr"):
        one = answer.estimates[name]
        assert abs(one.value - wanted) < 4.9 * (one.high - one.low) / (2 * 1.96)
    assert answer.verdict == "answered"
    assert answer.value == answer.estimates["sndr"]
    assert answer.cost.value == pytest.approx(1 + 2 * np.mean(share), abs=0.05)
    assert answer.seconds.value == pytest.approx(0.5 + 1.5 * np.mean(share), abs=0.05)
    assert answer.bounds["nothing"].low < wanted < answer.bounds["nothing"].high
    assert answer.controls[0].p_value > 1e-6


def test_the_naive_comparison_is_wrong(valuing):
    arms = summarise_log(valuing.decisions, valuing.propensities).arms
    assert arms["large"][1] == pytest.approx(0.78, abs=0.05)
    assert truth(1, 1) == pytest.approx(0.75)
    assert arms["small"][1] == pytest.approx(0.62, abs=0.05)
    assert truth(0, 0) == pytest.approx(0.5)


def test_fitted_propensities_do_as_well(table):
    fitted = Valuing(decisions_of(table, Columns("model", "solved", ("kind",))), table, "fitted")
    answer = fitted.value(parse_target("small", fitted.log.arms))
    assert answer.value.low < truth(0, 0) < answer.value.high
    assert "fitted" in answer.assumes[0]


def test_without_propensities_nothing_is_weighed(table):
    valuing = Valuing(decisions_of(table, Columns("model", "solved", ("kind",))), table)
    with pytest.raises(NotApplicable, match="no propensities"):
        valuing.value(parse_target("small", valuing.log.arms))


def test_declared_propensities_that_are_wrong_are_seen(table):
    columns = Columns("model", "solved", declared={"large": 0.9, "small": 0.1})
    valuing = Valuing(decisions_of(table, columns), table, "declared")
    answer = valuing.value(parse_target("small", valuing.log.arms))
    assert answer.verdict == "thin support"
    assert "do not fit the log" in answer.support.why


def test_an_arm_that_was_never_taken_is_bounded(table):
    columns = Columns("model", "solved", ("kind",), propensity="p", prices={"large": 3, "small": 1, "huge": 9})
    valuing = Valuing(decisions_of(table, columns), table)
    answer = valuing.value(parse_target("huge=0.5,small=0.5", valuing.log.arms))
    assert answer.verdict == "bounds only"
    assert answer.value.identified == "bounds"
    assert answer.value.low < 0.25
    assert answer.value.high > 0.75
    assert answer.change is None
    assert answer.support.never == {"huge": pytest.approx(0.5)}


def test_the_bootstrap_agrees_with_the_influence_function(valuing):
    target = parse_target("large", valuing.log.arms)
    plain, drawn = valuing.value(target), replace(valuing, intervals="bootstrap", repeats=400).value(target)
    assert (plain.intervals, drawn.intervals) == ("influence", "bootstrap")
    pairs = [(one, plain.estimates[name]) for name, one in drawn.estimates.items()]
    for one, other in (*pairs, (drawn.change, plain.change), (drawn.value, plain.value)):
        assert one.value == other.value
        assert one.low != other.low
        assert (one.high - one.low) / (other.high - other.low) == pytest.approx(1, abs=0.25)


def test_what_is_only_bounded_is_not_resampled(table):
    columns = Columns("model", "solved", ("kind",), propensity="p", prices={"large": 3, "small": 1, "huge": 9})
    valuing = Valuing(decisions_of(table, columns), table, intervals="bootstrap")
    answer = valuing.value(parse_target("huge", valuing.log.arms))
    assert (answer.verdict, answer.intervals, answer.estimates) == ("bounds only", "influence", {})


@pytest.mark.parametrize("rule", ["tree", "linear"])
def test_a_designed_policy_spends_where_it_gains(valuing, trees, table, rule):
    front = trees if rule == "tree" else pareto(valuing, rule, [2.05])
    designed = next(one for one in front if one.budget == 2.05)
    policy = designed.target.policy(table, valuing.log.arms)[:, 0]
    code = np.array(table.texts("kind")) == "code"
    assert policy[code].mean() > 0.95
    assert policy[~code].mean() < 0.1
    assert designed.value.low < truth(1, 0) < designed.value.high
    assert designed.cost.value <= 2.15
    alone = {one.target.name: one for one in front if one.budget is None}
    assert alone["always large"].dominated
    assert not designed.dominated


def test_a_saved_rule_is_followed_by_a_few_lines(tmp_path, valuing, trees, table):
    designed = next(one for one in trees if one.budget)
    path = tmp_path / "rule.json"
    path.write_text(SavedRule(rule=designed.target.rule, encoding=designed.target.encoding).model_dump_json())
    again = parse_target(f"@{path}", valuing.log.arms)
    assert (again.policy(table, valuing.log.arms) == designed.target.policy(table, valuing.log.arms)).all()


def test_time_may_have_a_price(table):
    valuing = Valuing(decisions_of(table, Columns("model", "solved", ("kind",), propensity="p", seconds="took")), table)
    with pytest.raises(ActionError, match="no costs"):
        pareto(valuing, "tree", [1.0])
    assert len(pareto(valuing, "tree", [1.3], seconds_price=1.0)) == 3


@pytest.mark.parametrize(
    ("text", "error", "found"),
    [
        ("larg", UnknownName, "near: large"),
        ("large=0.5,small=0.6", ActionError, "sum to 1.1"),
        ("large=half", ActionError, "no NAME=NUMBER"),
        ("huge=1.0", UnknownName, "huge"),
        ("@/nowhere.json", InputError, "cannot be read"),
    ],
)
def test_targets_that_make_no_sense(text, error, found):
    with pytest.raises(error, match=found):
        parse_target(text, ("large", "small"))


def test_a_file_that_is_no_rule(tmp_path):
    path = tmp_path / "rule.json"
    path.write_text('{"version": 1, "rule": {"kind": "tree", "arms": ["a"]}}')
    with pytest.raises(InputError, match=r"no saved rule \(rule.tree.root"):
        parse_target(f"@{path}", ("a",))


def test_a_rule_for_other_arms_is_refused(table):
    with pytest.raises(ActionError, match="huge"):
        Target(name="@x", rule=Constant(arms=("huge",))).policy(table, ("large", "small"))


def test_encodings():
    table = table_of(
        {"n": [1.0, 2.0], "s": ["a", "b"], "t": ["One? Two, 3\nlines of prose that go on.", "x" * 60], "m": [1.0, None]}
    )
    encoding = encoding_of(table, ["n", "s"])
    assert encoding == Encoding(columns=(Number(column="n"), Category(column="s", values=("a", "b"))))
    assert encoding.names == ("n", "s=a", "s=b")
    assert encoding.features(table).tolist() == [[1, 1, 0], [2, 0, 1]]
    text = Text(column="t")
    assert text.names[:3] == ("t.chars", "t.words", "t.lines")
    assert [row[0] for row in text.features(table)] == [38, 9, 2, 1, 3, 1]
    with pytest.raises(InputError, match="no finite numbers"):
        Number(column="m").features(table)


def test_a_column_of_many_names_is_no_context():
    table = table_of({"id": [f"r{i}" for i in range(200)]})
    with pytest.raises(InputError, match="200 values in 200 rows"):
        encoding_of(table, ["id"])


def test_runs_are_a_table_of_choices():
    runs = sample(60)
    table, left_out = choices_table(runs, parse_choice("model"), "runs")
    assert (len(table), left_out) == (60, 0)
    assert set(table.texts("chosen")) == {run.model for run in runs}
    assert table.numbers("score.security") == [float(run.outcome.scores["security"]) for run in runs]
    assert table.numbers("calls") == [0.0] * 60
    at, without = choices_table(runs, parse_choice("tool@agent/1"), "runs")
    assert len(at) + without == 60
    assert min(at.numbers("calls")) >= 1
    with pytest.raises(UnknownName, match="agent/9"):
        choices_table(runs, parse_choice("tool@agent/9"), "runs")
    with pytest.raises(ActionError, match="no choice"):
        parse_choice("tool")


def test_rules_in_words():
    tree = Tree(arms=("a", "b"), root=Split(feature="k=x", at=0.5, at_most=Leaf(arm="a"), above=Leaf(arm="b")))
    mixed = Mixed(arms=("a", "b"), shares=(0.25, 0.75))
    assert rule_lines(tree) == ("if k is x:", "    b", "else:", "    a")
    assert rule_lines(mixed) == ("a with probability 0.25", "b with probability 0.75")


def test_a_period_is_valued_by_the_whole_log():
    """P(hard) is .2, and .8 in the last tenth; large is worth .9 - .5 hard: .8, and .5 then. 4.5 errors: below 1e-5."""
    generator = np.random.default_rng(3)
    when = np.arange(3_000.0)
    hard = generator.random(3_000) < np.where(when < 2_700, 0.2, 0.8)
    large = generator.random(3_000) < 0.5
    solved = generator.random(3_000) < np.where(large, 0.9 - 0.5 * hard, 0.5)
    table = table_of(
        {"m": np.where(large, "large", "small"), "r": solved, "hard": hard * 1, "t": when, "p": large * 0 + 0.5}
    )
    decisions = decisions_of(table, Columns("m", "r", propensity="p", context=("hard",), time="t"))
    answer = Valuing(decisions, table, since=2_700.0).value(parse_target("large", ("large", "small")))
    error = 0.95 * (answer.drift.period.high - answer.drift.period.low) / (2 * 1.96)
    assert abs(answer.drift.period.value - 0.5) < 4.5 * error + 0.03  # .023: of P(hard) in 300 rounds, times .5
    assert answer.value.low > 0.6
    assert Valuing(decisions, table).value(parse_target("large", ("large", "small"))).drift.period is None
