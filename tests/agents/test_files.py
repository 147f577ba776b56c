import gzip
import json
import os
import time
import tracemalloc
import zlib

import pytest

from ifonly.agents.errors import InputError
from ifonly.agents.files import RecordFile, expand, parsed
from ifonly.agents.streams.limits import MIB, Limits

GOOD = [{"n": n, "text": "x" * n} for n in range(5)]
LINES = b"".join(json.dumps(record).encode() + b"\n" for record in GOOD)


def values(path, limits=None):
    """The values of a file's records, and its problems."""
    limits = limits or Limits()
    found = [parsed(path, number, raw, limits) for number, raw in RecordFile(path, limits)]
    return [v for v in found if not isinstance(v, InputError)], [v for v in found if isinstance(v, InputError)]


def written(folder, name, content):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    return path


def names(paths, ignore=()):
    return [str(file) for file in expand(paths, ignore)]


@pytest.mark.parametrize("packed", ["", ".gz"])
@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.jsonl", LINES),
        ("a.jsonl", LINES.rstrip()),
        ("a.jsonl", LINES.replace(b"\n", b"\r\n\n")),
        ("a.jsonl", b"\xef\xbb\xbf" + LINES),
        ("a.ndjson", LINES),
        ("a.json", LINES),
        ("a.json", json.dumps(GOOD).encode()),
        ("a.json", b" \n" + json.dumps(GOOD, indent=3).encode() + b"\n\n"),
        ("a.json", b"\xef\xbb\xbf" + json.dumps(GOOD).encode()),
    ],
)
def test_every_shape_gives_the_same_records(tmp_path, name, content, packed):
    path = written(tmp_path, name + packed, content)
    assert values(path) == (GOOD, [])


@pytest.mark.parametrize("indent", [None, 2])
def test_a_document_is_one_record(tmp_path, indent):
    document = {"list": GOOD, "text": 'a "quoted" {[, text'}
    assert values(written(tmp_path, "a.json", json.dumps(document, indent=indent).encode())) == ([document], [])


def test_a_list_of_chat_messages_is_one_record(tmp_path):
    chat = [{"role": "user", "content": "]["}, {"role": "assistant", "content": '\\"'}]
    assert values(written(tmp_path, "a.json", json.dumps(chat).encode())) == ([chat], [])
    two = [chat, chat]
    assert values(written(tmp_path, "b.json", json.dumps(two).encode())) == (two, [])


def test_records_are_numbered_by_line_and_by_place(tmp_path):
    lines = RecordFile(written(tmp_path, "a.jsonl", b"\n" + LINES.replace(b"\n", b"\n\n")))
    assert [number for number, _ in lines] == [2, 4, 6, 8, 10]
    elements = RecordFile(written(tmp_path, "a.json", json.dumps(GOOD).encode()))
    assert [number for number, _ in elements] == [1, 2, 3, 4, 5]


def test_long_lists_come_as_a_stream(tmp_path):
    text = ["\\", '"', "[{", "é", '\\\\"']
    many = [{"n": n, "text": text[n % 5] * (n % 3000)} for n in range(1500)]
    path = written(tmp_path, "a.json", json.dumps(many, ensure_ascii=False).encode())
    assert path.stat().st_size > 2 * MIB
    assert values(path) == (many, [])


def spoilt(line):
    lines = LINES.splitlines(keepends=True)
    return b"".join([*lines[:2], line + b"\n", *lines[2:]])


DEEP = b'{"a":' * 200 + b"1" + b"}" * 200
BAD = {
    "truncated": (b'{"messages": [{"role": "us', None, "cut off", "Write it again"),
    "truncated after a value": (b'{"messages": [1, 2', None, "cut off", "Write it again"),
    "syntax": (b'{"a": 1,, "b": 2}', None, "no JSON", "Correct"),
    "two values": (b'{"a": 1} {"b": 2}', None, "more text after", "one JSON value on a line"),
    "latin-1": ('{"a": "caf\xe9"}'.encode("latin-1"), None, "not UTF-8", "iconv"),
    "nul": (b'{"a": "b\x00c"}', None, "NUL", "Remove"),
    "nan": (b'{"a": [0, {"b": NaN}]}', "a.1.b", "NaN", "null or a finite"),
    "infinity": (b'{"a": {"b": -Infinity}}', "a.b", "-Infinity", "null or a finite"),
    "overflow": (b'{"a": {"b": 1e999}}', "a.b", "too large", "null or a finite"),
    "long integer": (b'{"a": [-' + b"7" * 5000 + b"]}", "a.0", "integer of 5001 digits", "as text"),
    "key twice": (b'{"a": {"b": 1, "c": 2, "b": 3}}', "a.b", "'b' twice", "Keep one"),
    "lone surrogate": (b'{"a": ["x", "\\ud83d"]}', "a.1", "\\ud83d", "Replace"),
    "lone surrogate in a key": (b'{"a": {"\\udc00": 1}}', "a", "\\udc00", "Replace"),
    "deep": (DEEP, "a.a.a.a.a.a...", "deeper than 100", "Flatten"),
    "deeper than python": (b"[" * 100_000 + b"]" * 100_000, None, "deeper than 100", "Flatten"),
    "empty": (b'""x', None, "more text after", "one JSON value"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_line_is_named_and_leaves_the_others(tmp_path, kind):
    line, field, found, fix = BAD[kind]
    path = written(tmp_path, "runs.jsonl", spoilt(line))
    good, (problem,) = values(path)
    assert good == GOOD
    assert (problem.file, problem.record, problem.field) == (str(path), 3, field)
    assert found in problem.found
    assert fix in problem.fix
    assert str(problem).startswith(f"{path}, record 3")


@pytest.mark.parametrize(
    "kind", sorted(BAD.keys() - {"truncated", "truncated after a value", "two values", "nul", "empty"})
)
def test_a_bad_element_is_named_and_leaves_the_others(tmp_path, kind):
    line, field, found, _ = BAD[kind]
    lines = [json.dumps(record).encode() for record in GOOD]
    path = written(tmp_path, "runs.json", b"[" + b",\n".join([*lines[:2], line, *lines[2:]]) + b"]")
    good, (problem,) = values(path)
    assert good == GOOD
    assert (problem.record, problem.field) == (3, field)
    assert found in problem.found


def test_depth_is_counted_in_the_value_not_in_its_texts(tmp_path):
    fine = {"text": "[{" * 500, "deep": json.loads("[" * 99 + "]" * 99)}
    assert values(written(tmp_path, "a.jsonl", json.dumps(fine).encode())) == ([fine], [])
    _, (problem,) = values(written(tmp_path, "b.jsonl", json.dumps([fine]).encode()))
    assert "deeper than 100" in problem.found


def test_surrogate_pairs_and_escaped_text_are_fine(tmp_path):
    line = b'{"a": "\\ud83d\\ude00", "b": "\\\\ud83d"}'
    assert values(written(tmp_path, "a.jsonl", line)) == ([{"a": "\U0001f600", "b": "\\ud83d"}], [])


@pytest.mark.parametrize(("name", "size"), [("a.jsonl", 100), ("a.json", 24)])
def test_a_hundred_mebibyte_text_is_named_quickly(tmp_path, name, size):
    head, tail = b'{"messages": [{"role": "user", "content": "', b'\\n"}]}'
    path = tmp_path / name
    with path.open("wb") as file:
        file.write(b"[" if name == "a.json" else b"")
        file.write(b'{"n": 1}')
        file.write(b"," if name == "a.json" else b"\n")
        file.write(head)
        for _ in range(size):
            file.write(b"x" * MIB)
        file.write(tail)
        file.write(b"," if name == "a.json" else b"\n")
        file.write(b'{"n": 2}')
        file.write(b"]" if name == "a.json" else b"\n")
    tracemalloc.start()
    start = time.process_time()
    good, (problem,) = values(path)
    seconds, (_, peak) = time.process_time() - start, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert good == [{"n": 1}, {"n": 2}]
    assert (problem.record, problem.field) == (2, "messages.0.content")
    assert f"{size * MIB + 2:,} bytes; the limit is 16,777,216" in problem.found
    assert "file of its own" in problem.fix
    assert seconds < 5
    assert peak < 420 * MIB


def test_a_record_of_too_many_values_is_refused(tmp_path):
    crowd = b'{"a": [' + b"{}," * 400_000 + b'{}], "text": ",,,[[["}'
    good, (problem,) = values(written(tmp_path, "a.jsonl", spoilt(crowd)), Limits(values=400_000))
    assert good == GOOD
    assert problem.record == 3
    assert "about 800,004 values; the limit is 400,000" in problem.found
    assert len(values(written(tmp_path, "b.jsonl", crowd), Limits(values=800_004))[0]) == 1


def test_records_larger_than_the_limit_are_skipped_unread(tmp_path):
    limits = Limits(record=1000)
    long = b'{"a": "' + b"x" * 5000 + b'"}'
    good, (problem,) = values(written(tmp_path, "a.jsonl", spoilt(long)), limits)
    assert good == GOOD
    assert problem.record == 3
    assert "larger than 1,000 bytes" in problem.found
    _, (problem,) = values(written(tmp_path, "a.json", long), limits)
    assert "larger than 1,000 bytes" in problem.found
    chat = json.dumps([{"role": "user", "content": "x"}] * 200).encode()
    _, (problem,) = values(written(tmp_path, "b.json", chat), limits)
    assert "larger than 1,000 bytes" in problem.found


def test_a_list_whose_element_does_not_end_keeps_what_came_before(tmp_path):
    content = json.dumps(GOOD).encode()[:-1] + b',{"a":"' + b"x" * 10**6 + b'"},{"n": 9}]'
    good, (problem,) = values(written(tmp_path, "a.json", content), Limits(record=1000))
    assert good == GOOD
    assert problem.record == 6
    assert "larger than 1,000 bytes" in problem.found


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (json.dumps(GOOD).encode()[:-1], "the list is cut off"),
        (json.dumps(GOOD).encode()[:-2], "the list is cut off"),
        (json.dumps(GOOD).encode() + b"]", "more text after the list"),
    ],
)
def test_a_list_that_ends_wrongly_keeps_what_came_before(tmp_path, content, found):
    good, (problem,) = values(written(tmp_path, "a.json", content))
    assert good in (GOOD, GOOD[:4])
    assert found in problem.found


def test_a_chat_with_a_bad_end_is_one_problem(tmp_path):
    _, (problem,) = values(written(tmp_path, "a.json", b'[{"role": "user", "content": "x"}, {"role": '))
    assert problem.record == 1
    assert "cut off" in problem.found


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_other_encodings_are_named(tmp_path, encoding):
    good, (problem,) = values(written(tmp_path, "a.jsonl", LINES.decode().encode(encoding)))
    assert good == []
    assert "UTF-32" in problem.found if encoding == "utf-32" else "UTF-16" in problem.found
    assert "iconv" in problem.fix


@pytest.mark.parametrize("name", ["a.jsonl", "a.json", "a.jsonl.gz", "a.json.gz"])
@pytest.mark.parametrize("content", [b"", b" \n\n"])
def test_a_file_without_records_is_named(tmp_path, name, content):
    good, (problem,) = values(written(tmp_path, name, content))
    assert good == []
    assert "holds no record" in problem.found


def test_many_members_and_padding_are_one_file(tmp_path):
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(b"".join(gzip.compress(line) for line in LINES.splitlines(keepends=True)) + b"\0" * 200_000)
    assert values(path) == (GOOD, [])


def test_the_content_says_what_is_packed(tmp_path):
    path = written(tmp_path, "a.jsonl", gzip.compress(LINES))
    assert values(path) == (GOOD, [])
    plain = tmp_path / "b.jsonl.gz"
    plain.write_bytes(LINES)
    assert values(plain) == (GOOD, [])


def test_every_cut_of_a_packed_file_keeps_the_records_before_it(tmp_path):
    lines = b"".join(json.dumps({"n": n, "noise": os.urandom(40).hex()}).encode() + b"\n" for n in range(20))
    whole = gzip.compress(lines)
    path, best = tmp_path / "a.jsonl.gz", 0
    for cut in range(3, len(whole), 7):
        path.write_bytes(whole[:cut])
        good, (problem,) = values(path)
        assert [record["n"] for record in good] == list(range(len(good)))
        assert problem.record == len(good) + 1
        assert "cut off" in problem.found
        assert "again" in problem.fix
        best = max(best, len(good))
    assert best > 10


def test_a_damaged_packed_file_keeps_the_records_before_it(tmp_path):
    whole = bytearray(gzip.compress(LINES) + gzip.compress(LINES))
    whole[-40] ^= 255
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(whole)
    good, (problem,) = values(path)
    assert good[:5] == GOOD
    assert "damaged" in problem.found


def test_text_after_a_packed_file_is_told(tmp_path):
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress(LINES) + b"garbage")
    good, (problem,) = values(path)
    assert good == GOOD
    assert "damaged" in problem.found


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path):
    packer = zlib.compressobj(9, wbits=31)
    head, block = (packer.compress(b"0" * MIB) + packer.flush(zlib.Z_FULL_FLUSH) for _ in range(2))
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress(LINES) + head + block * 1023)
    tracemalloc.start()
    start = time.process_time()
    good, (problem,) = values(path)
    seconds, (_, peak) = time.process_time() - start, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert good == GOOD
    assert problem.record == 6
    assert "200 times its size" in problem.found
    assert "gunzip" in problem.fix
    assert seconds < 1
    assert peak < 100 * MIB


@pytest.mark.parametrize(
    ("limits", "found"),
    [
        (Limits(compressed=70_000), "larger than 70,000 bytes"),
        (Limits(inflated=300_000), "unpacks to more than 300,000 bytes"),
    ],
)
def test_packed_files_have_limits(tmp_path, limits, found):
    lines = b"".join(json.dumps({"noise": os.urandom(400).hex()}).encode() + b"\n" for _ in range(400))
    good, (problem,) = values(written(tmp_path, "a.jsonl.gz", lines), limits)
    assert 0 < len(good) < 400
    assert found in problem.found


def test_folders_are_searched_in_a_stable_order(tmp_path):
    for name in ("b/2.jsonl", "b/1.json", "a.json.gz", "c/d/e.ndjson", "notes.txt", ".hidden.json", "x.csv.gz"):
        written(tmp_path, name, b"{}")
    assert [os.path.relpath(name, tmp_path) for name in names([tmp_path])] == [
        "a.json.gz",
        "b/1.json",
        "b/2.jsonl",
        "c/d/e.ndjson",
    ]


def test_globs_folders_and_files_overlap_without_doubling(tmp_path):
    for name in ("a.json", "b/c.json", "b/d.txt"):
        written(tmp_path, name, b"{}")
    (tmp_path / "link.json").symlink_to(tmp_path / "a.json")
    found = names([tmp_path / "b/*.txt", tmp_path / "**/*.json", tmp_path, tmp_path / "a.json"])
    assert [os.path.relpath(name, tmp_path) for name in found] == ["b/d.txt", "a.json", "b/c.json"]


def test_folders_leave_out_companions_but_a_named_file_is_taken(tmp_path):
    for name in ("a.json", "prompts.json", "db/x.json"):
        written(tmp_path, name, b"{}")
    assert len(names([tmp_path], ("prompts.json", "db/*"))) == 1
    assert len(names([tmp_path / "prompts.json"], ("prompts.json",))) == 1


def test_links_that_loop_end(tmp_path):
    written(tmp_path, "a/b.json", b"{}")
    (tmp_path / "a/up").symlink_to(tmp_path)
    (tmp_path / "a/self").symlink_to("self")
    assert names([tmp_path]) == [str(tmp_path / "a/b.json")]


def test_a_dangling_link_is_told(tmp_path):
    (tmp_path / "gone.json").symlink_to(tmp_path / "nothing.json")
    (problem,) = expand([tmp_path])
    assert "cannot be opened" in problem.found


def test_missing_paths_are_told_with_what_is_near(tmp_path):
    written(tmp_path, "trajectories.jsonl", b"{}")
    problem, empty, glob = expand([tmp_path / "trajectorys.jsonl", tmp_path / "*.csv", tmp_path / "\0" / ("x" * 5000)])
    assert problem.near == ("trajectories.jsonl",)
    assert "no such file" in problem.found
    assert "holds no file" in empty.found
    assert "no such file" in glob.found


def test_a_folder_that_cannot_be_read_is_told(tmp_path):
    (problem,) = expand([tmp_path])
    assert "holds no file" in problem.found
    path = tmp_path / "a.json"
    path.mkdir()
    found, (problem,) = values(path)
    assert found == []
    assert "cannot be read" in problem.found


def test_position_grows_to_the_end(tmp_path):
    path = written(tmp_path, "a.jsonl", LINES * 20_000)
    source, seen = RecordFile(path), []
    for number, _ in source:
        if number % 1000 == 0:
            seen.append(source.position)
    assert seen == sorted(seen)
    assert 0 < seen[0] < seen[-1] <= path.stat().st_size


@pytest.fixture
def nobody():
    """Root may read everything: be another for the time of a test."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(65534)
    yield
    os.seteuid(before)


def test_a_folder_that_may_not_be_read_is_told(tmp_path, monkeypatch, request):
    (tmp_path / "closed").mkdir()
    (tmp_path / "closed").chmod(0)
    tmp_path.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    request.getfixturevalue("nobody")
    (found,) = expand(["closed"])
    assert isinstance(found, InputError)
    assert found.found == "cannot be opened (Permission denied)"
