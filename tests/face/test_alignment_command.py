"""``ifonly scenario alignment``: wrong logs are told, and the committed picture is what the command makes."""

from __future__ import annotations

import gzip
import re

import pytest

FILES = ("annotations.csv.gz", "verbosity_arm_outputs.csv.gz", "leaderboard_published.csv")


def write(folder, header):
    for name in FILES:
        text = (header + "\n" + ",".join("1" for _ in header.split(",")) + "\n").encode()
        (folder / name).write_bytes(gzip.compress(text) if name.endswith(".gz") else text)


@pytest.mark.parametrize(
    ("header", "told"),
    [
        (None, "annotations.csv.gz"),
        ("model,instr_id,o1_chars", "preference"),
    ],
)
def test_wrong_data_are_told(cli, tmp_path, header, told):
    if header:
        write(tmp_path, header)
    done = cli("scenario", "alignment", "--data", tmp_path)
    assert done.status in (2, 3)
    assert told in done.err
    assert "fix" in done.err


def test_the_committed_picture_is_what_the_command_makes(cli, root, tmp_path):
    made = tmp_path / "made.svg"
    done = cli("scenario", "alignment", "--svg", made)
    assert done.status == 0
    assert "Ship it only if that is enough." in " ".join(done.out.split())
    drawn, kept = made.read_text(), (root / "docs" / "alignment.svg").read_text()
    number = re.compile(r"-?\d+\.?\d*")
    assert number.sub("#", drawn) == number.sub("#", kept)
    pairs = zip(map(float, number.findall(drawn)), map(float, number.findall(kept)), strict=True)
    assert max(abs(one - other) for one, other in pairs) < 2
