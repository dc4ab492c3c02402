"""Sources to pages: each under the id that it has, or had, in the index."""

from __future__ import annotations

import hashlib
import os
import stat
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from indexer.parsers import EXTENSIONS
from rag.core.documents import Page, PageRecord
from rag.core.errors import ConfigError, CorpusError
from rag.core.invocation import index_command

MAX_PAGE_BYTES = 10_000_000
# Control and format characters (bidi marks among them), lone surrogates, line separators.
_REFUSED_IN_NAMES = frozenset(("Cc", "Cf", "Cs", "Zl", "Zp"))
SHOWN_REASONS = 3


@dataclass(frozen=True, slots=True)
class Candidate:
    """Name a file that should become a page. ``id`` is its path under ``root``."""

    root: Path
    id: str
    path: Path
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Found:
    """Hold what the sources contain: pages to load, and those already known to be unreadable."""

    candidates: tuple[Candidate, ...]
    skipped: tuple[CorpusError, ...]


def find_pages(sources: Sequence[Path]) -> Found:
    """Find the pages of folders and files, sorted by id within each source.

    Hidden files and unknown extensions are passed over in silence. Skipped with a reason:
    symlinks that lead out of their folder, unreadable folders, two files of the same id.
    Raises: ConfigError when a source does not exist or is of no known format.
    """
    candidates: dict[str, Candidate] = {}
    skipped: list[CorpusError] = []
    for source in sources:
        for found in _sorted(_walk_source(source)):
            if isinstance(found, CorpusError):
                skipped.append(found)
            elif found.id not in candidates:
                candidates[found.id] = found
            elif not _same_file(candidates[found.id], found):
                skipped.append(CorpusError(found.id, f"same id as {candidates[found.id].path}"))
    return Found(tuple(candidates.values()), tuple(skipped))


def read_page(candidate: Candidate) -> bytes:
    """Return a page's bytes. Raises: CorpusError when it is too large or cannot be read."""
    try:
        # Not blocking: a pipe put there since would wait for ever.
        descriptor = os.open(candidate.path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        with os.fdopen(descriptor, "rb") as file:
            data = file.read(MAX_PAGE_BYTES + 1)
    except OSError as error:
        raise CorpusError(candidate.id, f"cannot be read: {error.strerror or error}") from None
    if len(data) > MAX_PAGE_BYTES:
        raise CorpusError(candidate.id, f"larger than {MAX_PAGE_BYTES // 1_000_000} MB")
    if not data:
        raise CorpusError(candidate.id, "empty")
    return data


def hash_page(data: bytes) -> str:
    """Return the SHA-256 of a page's bytes, 64 hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def load_page(candidate: Candidate, data: bytes | None = None) -> Page:
    """Parse a page, in at most 2 s and 1 GB, in a child process.

    Raises: CorpusError when it cannot be read in time or says nothing.
    """
    from indexer.parsers.worker import shared

    return shared.parse(read_page(candidate) if data is None else data, candidate.id)


def _walk_source(source: Path) -> Iterator[Candidate | CorpusError]:
    if source.is_dir():
        yield from _walk_folder(source)
    elif not source.exists():
        raise ConfigError(f"{source}: there is no such file or folder")
    elif source.suffix.lower() not in EXTENSIONS:
        known = " ".join(sorted(EXTENSIONS))
        raise ConfigError(f"{source}: no known format; known are {known}")
    else:
        yield _candidate(source.parent, source)


def _walk_folder(root: Path) -> Iterator[Candidate | CorpusError]:
    errors: list[OSError] = []
    real_root = root.resolve()
    for folder, folders, files in os.walk(root, onerror=errors.append):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in folders:
            path = Path(folder, name)
            if path.is_symlink():
                yield from _linked_folder(root, real_root, path)
        for name in files:
            path = Path(folder, name)
            if not name.startswith(".") and path.suffix.lower() in EXTENSIONS:
                yield _file(root, real_root, path)
    for error in errors:
        yield CorpusError(_id(root, Path(error.filename)), f"cannot be read: {error.strerror}")


def _linked_folder(root: Path, real_root: Path, path: Path) -> Iterator[CorpusError]:
    """Report a link to a folder outside; one to a folder inside is found there."""
    if not _is_inside(path, real_root):
        yield CorpusError(_id(root, path), "symlink out of the folder")


def _file(root: Path, real_root: Path, path: Path) -> Candidate | CorpusError:
    if path.is_symlink() and not _is_inside(path, real_root):
        return CorpusError(_id(root, path), "symlink out of the folder, or broken")
    return _candidate(root, path)


def _is_inside(path: Path, real_root: Path) -> bool:
    try:
        return path.resolve(strict=True).is_relative_to(real_root)
    except (OSError, RuntimeError):
        return False


def _candidate(root: Path, path: Path) -> Candidate | CorpusError:
    page_id = _id(root, path)
    try:
        status = path.stat()
    except OSError as error:
        return CorpusError(page_id, f"cannot be read: {error.strerror}")
    if not stat.S_ISREG(status.st_mode):
        return CorpusError(page_id, "not a regular file")
    if any(unicodedata.category(character) in _REFUSED_IN_NAMES for character in page_id):
        return CorpusError(ascii(page_id)[1:-1], "its name holds control characters")
    if status.st_size > MAX_PAGE_BYTES:
        return CorpusError(page_id, f"larger than {MAX_PAGE_BYTES // 1_000_000} MB")
    return Candidate(root, page_id, path, status.st_size)


def _id(root: Path, path: Path) -> str:
    """Return a path under the folder, the same on every system."""
    return unicodedata.normalize("NFC", path.relative_to(root).as_posix())


def _sorted(found: Iterator[Candidate | CorpusError]) -> list[Candidate | CorpusError]:
    return sorted(found, key=lambda one: one.page if isinstance(one, CorpusError) else one.id)


def _same_file(one: Candidate, other: Candidate) -> bool:
    return one.path.resolve() == other.path.resolve()


@dataclass(frozen=True, slots=True)
class Skip:
    """Name a page that is not in the index, and why."""

    page: str
    reason: str


def find_candidates(
    sources: Sequence[Path], known: dict[str, PageRecord]
) -> tuple[list[Candidate], list[Skip]]:
    """Return the pages to load under the ids that they have in the index, and those skipped.

    A page whose id another file has in the index is skipped: it replaces nothing.
    Raises: CorpusError when no page is left; ConfigError when a source does not exist.
    """
    found = find_pages(sources)
    skipped = [Skip(error.page, error.reason) for error in found.skipped]
    roots = {record.root for record in known.values()}
    mapped = [_under_known_root(candidate, roots) for candidate in found.candidates]
    ids = {place(candidate.path): candidate.id for candidate in mapped}
    candidates: dict[str, Candidate] = {}
    for candidate in mapped:
        other = _taken(candidate, known.get(candidate.id))
        # a file that has another id from now on gives its old one up
        if other is None or ids.get(place(other.path), candidate.id) != candidate.id:
            candidates.setdefault(candidate.id, candidate)
            continue
        skipped = [skip for skip in skipped if skip.page != other.id]
        skipped.append(Skip(other.id, f"same id as {other.path}"))
        if is_named(other.path, sources):
            candidates[other.id] = other
    if not candidates:
        raise no_page(sources, skipped)
    return list(candidates.values()), skipped


def no_page(sources: Sequence[Path], skipped: Sequence[Skip]) -> CorpusError:
    """Return the error that says why nothing of these sources can be indexed."""
    names = ", ".join(str(source) for source in sources) or "--full"
    reasons = "; ".join(f"{skip.page}: {skip.reason}" for skip in skipped[:SHOWN_REASONS])
    if reasons:
        return CorpusError(names, f"no page there can be read ({reasons}). Nothing was changed.")
    return CorpusError(
        names,
        "no help page there (.md, .html, .txt, .rst, .page, .pdf, .docx). Name a folder"
        f" that holds some: {index_command()}",
    )


def _under_known_root(candidate: Candidate, roots: set[str]) -> Candidate:
    """Give a page of a file or folder named alone the id that it has in the folder around it."""
    folder = place(candidate.root)
    for root in sorted(roots, key=len, reverse=True):
        if folder != Path(root) and folder.is_relative_to(root):
            prefix = unicodedata.normalize("NFC", folder.relative_to(root).as_posix())
            page_id = f"{prefix}/{candidate.id}"
            return Candidate(Path(root), page_id, candidate.path, candidate.size_bytes)
    return candidate


def _taken(candidate: Candidate, old: PageRecord | None) -> Candidate | None:
    """Return the other file that stands in the index under this id, if it is still there."""
    if old is None or Path(old.root) == place(candidate.root):
        return None
    path = Path(old.root, old.id)
    if not path.is_file() or path.samefile(candidate.path):
        return None
    return Candidate(Path(old.root), old.id, path, path.stat().st_size)


def is_named(path: Path, sources: Sequence[Path]) -> bool:
    """Say whether a path is one of the sources or lies in one."""
    name = Path(unicodedata.normalize("NFC", str(path)))
    places = (unicodedata.normalize("NFC", str(place(source))) for source in sources)
    return any(name.is_relative_to(place) for place in places)


def place(path: Path) -> Path:
    """Return an absolute path without ``..``; links stay, so that a moved target is not another."""
    return Path(os.path.normpath(path.absolute()))
