"""What strangers write cannot act on a terminal."""

import subprocess
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ifonly.agents.importers.native_export import write
from ifonly.views.text import contrast, cut, one_line, visible

PAYLOADS = {
    "colour": "\x1b[31mred\x1b[0m",
    "clear": "\x1b[2J\x1b[H",
    "title": "\x1b]0;owned\x07",
    "link": "\x1b]8;;http://evil.example\x1b\\click\x1b]8;;\x1b\\",
    "clipboard": "\x1b]52;c;ZXZpbA==\x07",
    "device": "\x1bP$q\x1b\\",
    "c1 csi": "\x9b31m",
    "c1 osc": "\x9d0;owned\x9c",
    "overwrite": "safe\revil",
    "backspace": "abc\b\b\bxyz",
    "bell": "\a\a",
    "nul": "a\0b",
    "delete": "a\x7fb",
    "form feed": "a\x0cb\x0bc",
    "bidi override": "\u202egnp.exe\u202c",
    "bidi isolate": "\u2066a\u2069",
    "marks": "\u200e\u200f\u061c",
    "zero width": "pay\u200bload\u2060\ufeff",
    "tags": "hi\U000e0069\U000e0067\U000e006e",
    "separators": "a\u2028b\u2029c",
    "surrogate": "\ud800",
    "private": "\ue000",
    "markup": "[bold red]x[/bold red]",
    "markup link": "[link=http://evil.example]x[/link]",
    "markup open": "[/] [/bold] [red",
    "markup escape": "\\[red]x",
    "emoji code": ":skull: :thumbs_up:",
    "variation": "a\u00ad\u180eb",
}
HIDDEN = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}


def acting(text):
    return [c for c in text if c != "\n" and unicodedata.category(c) in HIDDEN]


@pytest.fixture(params=PAYLOADS, ids=str)
def payload(request):
    return PAYLOADS[request.param]


@pytest.mark.parametrize("options", [(), ("--full",), ("--json",), ("--json", "--full")], ids=" ".join)
def test_show(cli, tmp_path, hostile, payload, options):
    if payload == "\ud800":
        pytest.skip("no file can hold it but as an escape: see the law below")
    path = tmp_path / "run.jsonl"
    write(path, [hostile(payload)])
    done = cli("show", path, *options)
    assert done.status == 0, done.err
    assert acting(done.out) == []
    assert acting(done.err) == []
    if payload.startswith(("[", ":")) and "--full" in options:
        assert payload in done.out  # markup is shown, not taken for what it says


def test_whatif_lists_and_errors(cli, tmp_path, hostile, payload):
    if payload == "\ud800":
        pytest.skip("no file can hold it but as an escape: see the law below")
    run = hostile(payload)
    path = tmp_path / "run.jsonl"
    write(path, [run, hostile(payload).model_copy(update={"id": "other"})])
    reply = ("--at", run.sites[-1], "--reply", payload.replace("\0", ""))
    for arguments in (
        ("show", path),
        ("show", payload.replace("\0", "") + "/nothing", "--in", path),
        ("whatif", path, *reply),
        ("whatif", "other", "--in", path, *reply),
        ("whatif", "other", "--in", path, "--at", payload.replace("\0", ""), "--drop"),
        ("corpus", path),
        ("verify", path, "--workers", "1"),
    ):
        done = cli(*arguments)
        assert acting(done.out) == []
        assert acting(done.err) == []


@given(st.text())
def test_visible_leaves_nothing_that_acts_and_nothing_out(text):
    shown = visible(text)
    assert [c for c in shown if c not in "\n\t" and unicodedata.category(c) in HIDDEN] == []
    assert visible(shown) == shown
    plain = "".join(c for c in text if c.isalnum())
    assert "".join(c for c in shown if c.isalnum() and c in plain) != "" or plain == ""


@given(st.text(), st.integers(1, 80))
def test_a_line_is_one_line_of_at_most_its_width(text, width):
    line = one_line(text, width)
    assert len(line) <= width
    assert "\n" not in line
    assert len(cut(text, width)) <= width


@given(st.text(), st.text())
def test_contrast_shows_where_texts_part(one, other):
    left, right = contrast(one, other)
    assert max(len(left), len(right)) <= 91


def test_a_terminal_without_unicode_gets_escapes(runs, tmp_path):
    path = tmp_path / "run.json"
    path.write_text('[{"role":"user","content":"caf\\u00e9 \\u2603"},{"role":"assistant","content":"ok"}]')
    act = "import sys; sys.argv[0] = 'ifonly'; from ifonly.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-P", "-c", act, "show", str(path)],
        capture_output=True,
        env={"PYTHONIOENCODING": "ascii", "PYTHONPATH": ":".join(sys.path), "PATH": ""},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert b"caf\\xe9 \\u2603" in done.stdout
