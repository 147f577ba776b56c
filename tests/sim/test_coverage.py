"""Coverage counts what a corpus settles; each count is checked against the runs it comes from."""

import pytest

from ifonly.agents.canonical import Equality
from ifonly.agents.records import AssistantMessage, Request, ToolCall, ToolMessage, Trajectory, UserMessage
from ifonly.agents.sites import steps_of
from ifonly.scenarios.inbox import sample
from ifonly.sim.coverage import coverage


def run(name, model, said, call, result, then):
    """user, assistant (free text and a call), tool result, assistant (a call or none)."""
    made = ToolCall(name="search", arguments={"q": call}, id=name)
    last = (ToolCall(name="search", arguments={"q": then}, id=f"{name}.2"),) if then else ()
    messages = [
        UserMessage(content="find"),
        AssistantMessage(content=said, tool_calls=(made,)),
        ToolMessage(tool_call_id=name, name="search", content=result),
        AssistantMessage(content="so", tool_calls=last),
    ]
    steps = steps_of(messages, Request(model=model, messages=()), pending=True)
    return Trajectory(id=name, task=name[0], agent="a", model=model, steps=steps)


def rows(answer, swap, equality):
    return {row.step: row for row in answer.rows if (row.swap, row.equality) == (swap, equality)}


def test_a_model_swap_is_settled_where_another_model_was_asked_the_same():
    answer = coverage(
        [
            run("t1", "m", "hm", "x", "r", None),
            run("t2", "n", "hm", "x", "r", None),
            run("t3", "o", "ah", "x", "r", None),
        ]
    )
    exact, _, calls = (rows(answer, "model", equality) for equality in Equality)
    assert (exact[0].asked, exact[0].settled, exact[0].alternatives) == (3, 3, 2)
    assert (exact[1].asked, exact[1].settled, exact[1].alternatives) == (3, 2, pytest.approx(2 / 3))
    assert (calls[1].settled, calls[1].alternatives) == (3, 2)


def test_a_result_swap_is_settled_where_the_same_call_gave_another_result():
    answer = coverage(
        [
            run("t1", "m", "hm", "x", "r", None),
            run("t2", "m", "hm", "x", "s", None),
            run("t3", "m", "hm", "y", "q", None),
        ]
    )
    result = rows(answer, "result", Equality.EXACT)[0]
    assert (result.asked, result.settled, result.share) == (3, 2, pytest.approx(2 / 3))


def test_free_text_that_moves_replies_is_found_out():
    moved = [
        run(f"{task}{i}", "m", f"text {i % 2}", "x", f"r{task}", str(i % 2)) for task in "uvwxyz" for i in range(4)
    ]
    answer = coverage(moved).free_text
    assert (answer.same_text, answer.other_text, answer.conversations) == (0, 1, 6)
    assert answer.difference.low == 1


def test_free_text_that_moves_nothing_is_found_harmless():
    same = [run(f"{task}{i}", "m", f"text {i % 2}", "x", f"r{task}", "0") for task in "uvwxyz" for i in range(4)]
    answer = coverage(same).free_text
    assert answer.difference.value == 0


def test_without_pairs_of_both_kinds_nothing_is_said_of_free_text():
    assert coverage(sample(5)).free_text.difference is None
