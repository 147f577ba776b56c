"""Tables from files and frames: the same cells from each, and errors that name row and column."""

import gzip
import json

import pandas as pd
import polars as pl
import pytest

from ifonly.agents.errors import InputError, UnknownName
from ifonly.agents.tables import is_table, read_table, table_of

ROWS = [
    {"model": "small", "correct": 1.0, "words": 12.5, "prompt": "What, then?"},
    {"model": "large", "correct": 0.0, "words": None, "prompt": 'He said "no".\nTwice.'},
]


def as_csv(rows, separator=","):
    cells = [
        [("" if cell is None else f'"{str(cell).replace(chr(34), chr(34) * 2)}"') for cell in r.values()] for r in rows
    ]
    return "\n".join(separator.join(row) for row in [list(rows[0]), *cells]) + "\n"


def written(folder, name, text):
    data = text.encode() if isinstance(text, str) else text
    path = folder / name
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return path


@pytest.mark.parametrize("name", ["log.csv", "log.csv.gz", "log.tsv", "log.jsonl", "log.jsonl.gz", "log.json"])
def test_every_format_gives_the_same_columns(tmp_path, name):
    lines = "".join(json.dumps(row) + "\n" for row in ROWS)
    text = (
        as_csv(ROWS, "\t" if ".tsv" in name else ",")
        if "sv" in name
        else json.dumps(ROWS)
        if name.endswith("json")
        else lines
    )
    table = read_table([written(tmp_path, name, text)])
    assert len(table) == 2
    assert table.texts("model") == ["small", "large"]
    assert table.numbers("correct") == [1.0, 0.0]
    assert table.texts("prompt") == [row["prompt"] for row in ROWS]
    assert table.column("words")[1] is None
    assert table.numeric("correct")
    assert not table.numeric("words")


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame])
def test_frames(frame, tmp_path):
    made = frame(ROWS)
    table = table_of(made)
    assert table.texts("prompt") == [row["prompt"] for row in ROWS]
    assert table.numbers("correct") == [1.0, 0.0]
    assert table.column("words")[1] is None
    path = tmp_path / "log.parquet"
    made.to_parquet(path) if frame is pd.DataFrame else made.write_parquet(path)
    assert read_table([path]).columns == table.columns


def test_pandas_missing_values_are_none():
    frame = pd.DataFrame({"a": pd.array([1, None], dtype="Int64"), "b": pd.array(["x", None], dtype="string")})
    assert table_of(frame).columns == {"a": [1.0, None], "b": ["x", None]}


def test_files_are_joined_by_column_name(tmp_path):
    one, two = written(tmp_path, "a.csv", "x,y\n1,2\n"), written(tmp_path, "b.csv", "y,z\n3,4\n")
    table = read_table([one, two])
    assert table.columns == {"x": ["1", None], "y": ["2", "3"], "z": [None, "4"]}


def test_true_and_false_are_numbers(tmp_path):
    table = read_table([written(tmp_path, "a.csv", "x\ntrue\nNo\n")])
    assert table.numbers("x") == [1.0, 0.0]


def test_a_missing_column_names_the_near_ones(tmp_path):
    table = read_table([written(tmp_path, "a.csv", "reward,cost\n1,2\n")])
    with pytest.raises(UnknownName, match="near: reward") as told:
        table.numbers("rewards")
    assert "reward, cost" in told.value.fix


def test_a_cell_that_is_no_number_is_named_by_its_row(tmp_path):
    table = read_table([written(tmp_path, "a.csv", "x\n1\nmany\nnan\n\n")])
    with pytest.raises(InputError, match=r"2 of 3 cells of column 'x' .*row 2: 'many', row 3: 'nan'"):
        table.numbers("x")


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        ("a.csv", "", "is empty"),
        ("a.csv", "x,y\n", "holds no row"),
        ("a.csv", "x,x\n1,2\n", r"\['x'\] more than once"),
        ("a.csv", "x,y\n1\n", "has 1 cells where the header names 2"),
        ("a.csv", b"x\n\xff\xfe\n", "is no CSV in UTF-8"),
        ("a.csv.gz", None, "cut off"),
        ("a.jsonl", "[1, 2]\n", "no object of named cells"),
        ("a.jsonl", '{"x": {"y": 1}}\n', "column 'x' holds dict"),
        ("a.parquet", "no parquet", "cannot be read as Parquet"),
    ],
)
def test_bad_files(tmp_path, name, text, found):
    path = written(tmp_path, name, "x\n" * 100 if text is None else text)
    if text is None:
        path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(InputError, match=found):
        read_table([path])


def test_no_such_file(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_table([tmp_path / "none.csv"])


def test_a_table_is_told_from_runs_by_its_first_record(tmp_path):
    run = json.dumps({"id": "r", "steps": []}) + "\n"
    row = json.dumps(ROWS[0]) + "\n"
    assert is_table(written(tmp_path, "log.csv", "anything"))
    assert is_table(written(tmp_path, "rows.jsonl.gz", row + run))
    assert not is_table(written(tmp_path, "runs.jsonl", run + row))
    assert not is_table(written(tmp_path, "chat.json", json.dumps([{"role": "user", "content": "x"}])))
    assert not is_table(written(tmp_path, "broken.jsonl", "{\n"))


def test_uneven_columns():
    with pytest.raises(InputError, match="different lengths"):
        table_of({"x": [1], "y": [1, 2]})
