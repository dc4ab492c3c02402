"""Sources to pages: each under the id that it has, or had, in the index."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from indexer.loader import Candidate, find_pages
from rag.core.documents import PageRecord
from rag.core.errors import CorpusError
from rag.core.invocation import index_command

SHOWN_REASONS = 3


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
