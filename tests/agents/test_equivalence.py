from __future__ import annotations

import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ifonly.agents.environments.agentdojo_ref import REDACTED
from ifonly.agents.equivalence import canonical_error, canonical_result, compare
from ifonly.agents.records import ToolResult

EMAIL = """\
- attachments: []
  body: 'Dinner at 100.0, room {room}

    See you.'
  recipients:
  - b@x.com
  - a@x.com
  timestamp: {stamp}"""
EVENT = "id_: '27'\nparticipants:\n- {0}\n- {1}\nstart_time: 2024-05-30 10:20:00"
ERROR = """\
ValidationError: 1 validation error for Input schema for `send_money`
amount
  Input should be a valid number{word} [type=float_type, input_value={value}, input_type=NoneType]
    For further information visit https://errors.pydantic.dev/{version}/v/float_type"""


def result(content: str = "", error: str | None = None) -> ToolResult:
    return ToolResult(content=content, error=error)


def test_equal_results_are_exact() -> None:
    assert compare(result("a"), result("a")) == "exact"
    assert compare(result(REDACTED), result(REDACTED)) == "exact"


def test_a_redacted_record_cannot_be_compared() -> None:
    assert compare(result(REDACTED), result("secret")) == "redacted"
    assert compare(result(REDACTED), result("", "ValueError: x")) == "differs"
    assert compare(result("secret"), result(REDACTED)) == "differs"


@pytest.mark.parametrize(
    ("recorded", "executed"),
    [
        (
            EMAIL.format(room=1, stamp="2024-07-16 12:13:36.935181"),
            EMAIL.format(room=1, stamp="2024-06-24 12:00:00.000001"),
        ),
        (
            "<<read: true\ntimestamp: 2024-07-16 12:13:36.935181>>",
            "<<read: true\ntimestamp: 2024-06-24 12:00:00.000001>>",
        ),
        ("size: 3\nlast_modified: 2024-07-16 12:13:36.935181", "size: 3\nlast_modified: 2024-06-24 12:00:00.000001"),
        (EVENT.format("a@x.com", "b@x.com"), EVENT.format("b@x.com", "a@x.com")),
        ("sent 100 to B.", "sent 100.0 to B."),
        ("{'A': 3.0, 'B': -7}", "{'A': 3, 'B': -7.0}"),
    ],
)
def test_what_no_reader_would_act_on_is_equivalent(recorded: str, executed: str) -> None:
    assert compare(result(recorded), result(executed)) == "equivalent"
    assert canonical_result(recorded) == canonical_result(executed)


@pytest.mark.parametrize(
    ("recorded", "executed"),
    [
        (
            EMAIL.format(room=1, stamp="2024-07-16 12:13:36.935181"),
            EMAIL.format(room=2, stamp="2024-07-16 12:13:36.935181"),
        ),
        ("timestamp: 2024-07-16 12:13:36", "timestamp: 2024-07-16 12:13:37"),
        ("start_time: 2024-07-16 12:13:36.935181", "start_time: 2024-06-24 12:00:00.000001"),
        ("recipients:\n- a@x.com\n- b@x.com", "recipients:\n- b@x.com\n- a@x.com"),
        (EVENT.format("a@x.com", "b@x.com"), EVENT.format("a@x.com", "c@x.com")),
        (EVENT.format("a@x.com", "b@x.com"), EVENT.format("a@x.com", "a@x.com")),
        ("- x\n- y", "- y\n- x"),
        ("100", "1000"),
        ("100.0", "100.05"),
        ("100.50", "100.5"),
        ("1.0.1", "1.1"),
        ("a", "a "),
        ("", "None"),
    ],
)
def test_what_a_reader_would_act_on_differs(recorded: str, executed: str) -> None:
    assert compare(result(recorded), result(executed)) == "differs"


def test_a_validation_error_is_told_by_its_fields_types_and_inputs() -> None:
    first = ERROR.format(word="", value="None", version="2.7")
    assert (
        compare(result("", first), result("", ERROR.format(word=", really", value="None", version="2.14")))
        == "equivalent"
    )
    assert compare(result("", first), result("", ERROR.format(word="", value="'1'", version="2.7"))) == "differs"
    assert compare(result("", first), result("", first.replace("amount", "date"))) == "differs"
    assert compare(result("", first), result("", first.replace("`send_money`", "`send`"))) == "differs"
    assert compare(result("", first), result("", None)) == "differs"


def test_another_error_is_told_by_its_whole_text() -> None:
    assert compare(result("", "ValueError: no 3"), result("", "ValueError: no 3.0")) == "differs"
    assert canonical_error(None) is None


@given(st.text(max_size=60), st.text(max_size=60))
def test_texts_without_numbers_stamps_and_sets_are_equivalent_only_if_equal(one: str, other: str) -> None:
    assume(not re.search(r"\d|participants", one + other))
    assert (canonical_result(one) == canonical_result(other)) == (one == other)


LINES = st.lists(st.text(alphabet="ab 01.-:@", max_size=12), min_size=1, max_size=6)


@given(LINES, st.data())
def test_a_missing_line_is_never_equivalent(lines: list[str], data: st.DataObject) -> None:
    gone = data.draw(st.integers(0, len(lines) - 1))
    rest = lines[:gone] + lines[gone + 1 :]
    assume("\n".join(rest) != "\n".join(lines))
    assert compare(result("\n".join(lines)), result("\n".join(rest))) == "differs"


@given(
    st.decimals(-10_000, 10_000, places=2),
    st.decimals(-10_000, 10_000, places=2),
    st.sampled_from(["{} sent", "a: {}", "- {}", "({},"]),
)
def test_another_number_is_never_equivalent(one: object, other: object, frame: str) -> None:
    a, b = float(str(one)), float(str(other))
    same = compare(result(frame.format(a)), result(frame.format(b))) in ("exact", "equivalent")
    assert same == (repr(a) == repr(b))


@given(st.integers(-10_000, 10_000), st.integers(-10_000, 10_000))
def test_an_integer_equals_only_its_own_float(one: int, other: int) -> None:
    same = compare(result(f"x {one} y"), result(f"x {other}.0 y")) == "equivalent"
    assert same == (one == other)


@given(st.text(alphabet="ab 01.\n-:@", max_size=80))
def test_canonical_spelling_is_a_fixed_point(text: str) -> None:
    once = canonical_result(text)
    assert canonical_result(once) == once
