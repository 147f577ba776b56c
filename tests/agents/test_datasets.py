import hashlib
import io
import os
import tarfile
import time

import pytest

from ifonly.agents import datasets
from ifonly.agents.datasets import Dataset, cached, fetch, obtain, pip_download
from ifonly.agents.errors import InputError, UnknownName

GOOD = {
    "toy-1.0/runs/m/banking/user_task_0/none/none.json": b'{"utility": true}',
    "toy-1.0/runs/m/slack/user_task_1/none/none.json": b"{}",
    "toy-1.0/README.md": b"left out",
    "toy-1.0/src/runs/x.json": b"left out too",
}


def member(name, content=b"", **fields):
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for field, value in fields.items():
        setattr(info, field, value)
    return info, content


def archive_of(folder, *members, name="toy-1.0.tar.gz"):
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    with tarfile.open(path, "w:gz") as tar:
        for info, content in members:
            tar.addfile(info, io.BytesIO(content))
    return path


def dataset_of(path):
    return Dataset("toy", "1.0", hashlib.sha256(path.read_bytes()).hexdigest(), "runs", "MIT")


@pytest.fixture
def good(tmp_path):
    return archive_of(tmp_path / "origin", *(member(name, content) for name, content in GOOD.items()))


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


class Download:
    """Copies a file into the folder asked for, and counts."""

    def __init__(self, path):
        self.path, self.calls = path, 0

    def __call__(self, dataset, folder):
        self.calls += 1
        copy = folder / dataset.archive
        copy.write_bytes(self.path.read_bytes())
        return copy


def content_of(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def leavings(cache):
    return [path.name for path in cache.iterdir() if path.name != "toy-1.0"] if cache.exists() else []


def test_keeps_the_wanted_folder_alone_byte_for_byte(good, cache):
    runs = obtain(dataset_of(good), good, cache)
    assert runs == cache / "toy-1.0" / "runs"
    wanted = {name.removeprefix("toy-1.0/runs/"): b for name, b in GOOD.items() if name.startswith("toy-1.0/runs/")}
    assert content_of(runs) == wanted
    assert good.exists()
    assert leavings(cache) == []


def test_brings_once(good, cache):
    download, dataset = Download(good), dataset_of(good)
    first = obtain(dataset, cache=cache, download=download)
    assert obtain(dataset, cache=cache, download=download) == first
    assert download.calls == 1
    assert leavings(cache) == []


def test_tells_its_progress(good, cache):
    told = []
    obtain(dataset_of(good), None, cache, lambda *what: told.append(what), Download(good))
    assert told == [
        ("download", 0, 1),
        ("download", 1, 1),
        ("check", 0, 1),
        ("check", 1, 1),
        ("extract", 1, 2),
        ("extract", 2, 2),
    ]


@pytest.mark.parametrize("spoil", [lambda b: b[:-1], lambda b: b + b"\0", lambda b: b"", lambda b: b[::-1]])
@pytest.mark.parametrize("brought", [True, False])
def test_refuses_a_damaged_archive(good, cache, tmp_path, spoil, brought):
    dataset = dataset_of(good)
    bad = tmp_path / "bad.tar.gz"
    bad.write_bytes(spoil(good.read_bytes()))
    with pytest.raises(InputError, match="sha256"):
        obtain(dataset, None if brought else bad, cache, download=Download(bad))
    assert leavings(cache) == []
    assert not (cache / "toy-1.0").exists()


def test_names_a_missing_file(good, cache, tmp_path):
    with pytest.raises(InputError, match="nowhere"):
        obtain(dataset_of(good), tmp_path / "nowhere.tar.gz", cache)


@pytest.mark.parametrize(
    ("evil", "why"),
    [
        (member("toy-1.0/runs/../../../evil.json", b"x"), "outside"),
        (member("/toy-1.0/runs/evil.json", b"x"), "outside"),
        (member("../runs/evil.json", b"x"), "outside"),
        (member("toy-1.0/runs/..\\evil.json", b"x"), "outside"),
        (member("toy-1.0/runs/c:evil.json", b"x"), "outside"),
        (member("toy-1.0/runs/link", type=tarfile.SYMTYPE, linkname="/etc/passwd"), "plain file"),
        (member("toy-1.0/runs/link", type=tarfile.LNKTYPE, linkname="toy-1.0/README.md"), "plain file"),
        (member("toy-1.0/runs/pipe", type=tarfile.FIFOTYPE), "plain file"),
        (member("toy-1.0/runs", type=tarfile.SYMTYPE, linkname="/tmp"), "plain file"),
    ],
)
def test_refuses_members_that_reach_outside(cache, tmp_path, evil, why):
    path = archive_of(tmp_path / "origin", member("toy-1.0/runs/a.json", b"{}"), evil)
    with pytest.raises(InputError, match=why):
        obtain(dataset_of(path), path, cache)
    assert leavings(cache) == []
    assert sorted(p.name for p in tmp_path.iterdir()) == ["cache", "origin"]


def test_refuses_what_is_too_large(good, cache, monkeypatch):
    monkeypatch.setattr(datasets, "_TOTAL_BYTES", 18)
    with pytest.raises(InputError, match="2 files of 19 bytes"):
        obtain(dataset_of(good), good, cache)
    monkeypatch.setattr(datasets, "_MEMBER_BYTES", 16)
    with pytest.raises(InputError, match="at most 16 bytes"):
        obtain(dataset_of(good), good, cache)


@pytest.mark.parametrize("content", [b"not an archive", b""])
def test_refuses_what_is_no_archive(cache, tmp_path, content):
    path = tmp_path / "toy-1.0.tar.gz"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"not a whole tar\.gz"):
        obtain(dataset_of(path), path, cache)


def test_refuses_an_archive_cut_short_by_its_authors(good, cache):
    whole = good.read_bytes()
    good.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="not a whole"):
        obtain(dataset_of(good), good, cache)


def test_refuses_an_archive_without_the_folder(cache, tmp_path):
    path = archive_of(tmp_path, member("toy-1.0/README.md", b"x"))
    with pytest.raises(InputError, match="0 files"):
        obtain(dataset_of(path), path, cache)


class Interrupt:
    """Progress that is interrupted after the first extracted file."""

    def __call__(self, stage, done, total):
        if stage == "extract":
            raise KeyboardInterrupt


def test_an_interrupted_extraction_is_redone_without_a_second_download(good, cache):
    download, dataset = Download(good), dataset_of(good)
    with pytest.raises(KeyboardInterrupt):
        obtain(dataset, None, cache, Interrupt(), download)
    assert leavings(cache) == ["toy-1.0.tar.gz"]
    assert not (cache / "toy-1.0").exists()
    runs = obtain(dataset, cache=cache, download=download)
    assert len(content_of(runs)) == 2
    assert download.calls == 1
    assert leavings(cache) == []


def test_a_kept_archive_that_was_damaged_is_brought_again(good, cache):
    download, dataset = Download(good), dataset_of(good)
    cache.mkdir()
    (cache / "toy-1.0.tar.gz").write_bytes(b"half")
    assert obtain(dataset, cache=cache, download=download).is_dir()
    assert download.calls == 1


@pytest.mark.parametrize("marker", [None, "of another release"])
def test_a_folder_without_its_marker_is_redone(good, cache, marker):
    half = cache / "toy-1.0"
    (half / "runs").mkdir(parents=True)
    (half / "runs" / "stale.json").write_text("{}")
    if marker:
        (half / ".complete").write_text(marker)
    runs = obtain(dataset_of(good), good, cache)
    assert "stale.json" not in content_of(runs)
    assert len(content_of(runs)) == 2


def test_leavings_of_killed_processes_go_and_live_ones_stay(good, cache):
    old, young = cache / ".partial-old", cache / ".partial-young"
    for folder in (old, young):
        folder.mkdir(parents=True)
    long_ago = time.time() - 2 * 3600
    os.utime(old, (long_ago, long_ago))
    obtain(dataset_of(good), good, cache)
    assert leavings(cache) == [".partial-young"]


def test_a_quicker_process_wins(good, cache):
    dataset = dataset_of(good)

    def overtaken(stage, done, total):
        if (stage, done) == ("extract", 2):
            obtain(dataset, good, cache)

    assert len(content_of(obtain(dataset, good, cache, overtaken))) == 2
    assert leavings(cache) == []


def test_pip_failure_is_told_with_a_way_out(tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    with pytest.raises(InputError, match="--from FILE"):
        pip_download(Dataset("ifonly-no-such-project", "0.0.1", "0" * 64, "runs", "MIT"), tmp_path)


def test_unknown_names_are_told_the_known_ones(cache):
    for ask in (fetch, cached):
        with pytest.raises(UnknownName, match="agentdojo"):
            ask("agentdoj", cache=cache)


def test_cached_brings_nothing(cache):
    assert cached("agentdojo", cache) is None
    assert not cache.exists()


@pytest.mark.slow
def test_the_real_download(cache):
    runs = fetch("agentdojo", cache=cache)
    assert sum(1 for _ in runs.rglob("*.json")) == 21_999
    assert cached("agentdojo", cache) == runs
