from __future__ import annotations

import copy
import datetime
import enum

import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from ifonly.agents.environments.agentdojo_state import copied, dumped, joined
from ifonly.agents.environments.agentdojo_suite import Template


class Status(enum.StrEnum):
    sent = "sent"
    draft = "draft"


class Mail(BaseModel):
    text: str
    when: datetime.datetime = datetime.datetime(2024, 5, 1)
    status: Status = Status.sent
    to: list[str] = []


class Box(BaseModel):
    owner: str
    first: list[Mail]
    mails: dict[str, Mail] = {}
    pages: dict[str, str] = {}
    size: float | int = 0


TEXTS = st.text(alphabet="ab: '#-\n", max_size=8)
MAILS = st.builds(Mail, text=TEXTS, status=st.sampled_from(Status), to=st.lists(TEXTS, max_size=2))


@st.composite
def boxes(draw: st.DrawFn) -> Box:
    first = draw(st.lists(MAILS, max_size=3))
    pages = draw(st.dictionaries(TEXTS, TEXTS, max_size=2))
    size = draw(st.sampled_from([0, 0.0, 1, 1.0]))
    return Box(owner="me", first=first, mails={str(i): mail for i, mail in enumerate(first)}, pages=pages, size=size)


def alike(one: object, other: object) -> bool:
    """Equal, types and kept fields too."""
    return one == other and repr(one) == repr(other)


@given(boxes())
def test_a_copy_is_a_deepcopy(box: Box) -> None:
    again = copied(box)
    assert alike(again, copy.deepcopy(box))
    assert again.model_fields_set == box.model_fields_set
    assert all(again.mails[str(i)] is mail for i, mail in enumerate(again.first))
    for mail in again.first:
        mail.text += "!"
        mail.to.append("you")
    again.pages["new"] = "x"
    assert all(not mail.text.endswith("!") and "you" not in mail.to for mail in box.first)
    assert "new" not in box.pages


@given(boxes(), boxes())
def test_joining_changes_nothing_but_identity(box: Box, base: Box) -> None:
    assert alike(joined(box, base), box)


@given(boxes(), st.data())
def test_joining_shares_all_that_did_not_change(base: Box, data: st.DataObject) -> None:
    box = copied(base)
    assert joined(box, base) is base
    box.pages["new"] = "x"
    assert joined(box, base).first is base.first
    if box.first:
        changed = data.draw(st.integers(0, len(box.first) - 1))
        box.first[changed].text += "!"
        again = joined(box, base)
        assert [mail is old for mail, old in zip(again.first, base.first, strict=True)] == [
            i != changed for i in range(len(base.first))
        ]
        assert again.mails[str(changed)] is again.first[changed]


def test_numbers_of_two_types_are_not_exactly_equal() -> None:
    one, other = Box(owner="me", first=[], size=1), Box(owner="me", first=[], size=1.0)
    assert joined(one, other) is not other
    assert type(joined(one, other).size) is int


def test_fields_that_were_set_tell_two_equal_models_apart() -> None:
    assert joined(Mail(text="a", to=[]), base := Mail(text="a")) is not base


PLAIN = st.text(alphabet="abc ZÉ01.:#-?%@[]{}&*!|>,'\"\n\t\\", max_size=120)
DATA = st.recursive(
    PLAIN | st.integers() | st.booleans() | st.none() | st.floats(allow_nan=False) | st.datetimes(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(PLAIN, inner, max_size=3),
    max_leaves=6,
)


@given(st.lists(DATA, max_size=3) | st.dictionaries(PLAIN, DATA, max_size=3))
def test_yaml_is_written_as_pyyaml_writes_it(value: object) -> None:
    assert dumped(value) == yaml.safe_dump(value)


def test_yaml_of_shared_objects_keeps_its_anchors() -> None:
    shared = ["x"]
    assert dumped({"a": shared, "b": shared}) == yaml.safe_dump({"a": shared, "b": shared})


YAML = """
"owner": "me"
"first":
- "text": "Hi {who}, {what}.\\nBye."
- "text": "plain"
"pages":
  "home": "see {what}"
  "about {where}": "x"
"""
DEFAULTS = {"who": "you", "what": "nothing", "where": "here"}
INJECTED = st.text(alphabet="ab :'\"\\\n-{}#", max_size=12)


def whole(texts: dict[str, str]) -> Box | None:
    """What the package does: format, parse and validate everything."""
    try:
        return Box.model_validate(yaml.safe_load(YAML.format(**{**DEFAULTS, **texts})))
    except (yaml.YAMLError, ValueError):
        return None


@given(st.dictionaries(st.sampled_from(["who", "what", "where"]), INJECTED))
def test_a_filled_template_is_the_state_parsed_whole(texts: dict[str, str]) -> None:
    expected = whole(texts)
    try:
        state = Template(YAML, DEFAULTS, Box).filled(texts)
    except Exception:
        assert expected is None
        return
    assert alike(state, expected)


def test_states_are_remembered_up_to_a_bound() -> None:
    template = Template(YAML, DEFAULTS, Box)
    first = template.filled({"who": "me"})
    assert template.filled({"who": "me"}) is first
    for n in range(64):
        template.filled({"who": str(n)})
    assert template.filled({"who": "me"}) is not first
    assert template.filled({"who": "me"}) == first
