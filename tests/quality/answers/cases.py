"""The questions, what a whole answer to each must say, and where their manuals are found."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

SMALL_TALK = "smalltalk"
SAMPLE = "monchai"
CASES = Path(__file__).with_name("cases.jsonl")
# what writers and web pages put where people type something plainer
PLAIN = str.maketrans(
    {"’": "'", "‘": "'", "«": '"', "»": '"', "“": '"', "”": '"'}
    | {"–": "-", "—": "-", "…": "...", "→": ">", "▸": ">", "œ": "oe", "Œ": "oe", "æ": "ae"}
)


@dataclass(frozen=True, slots=True)
class Manual:
    """Name a folder of pages, and the Debian package that brings it ("" for our own pages)."""

    folder: Path
    package: str = ""


MANUALS = {
    "evolution": Manual(Path("/usr/share/help/fr/evolution"), "evolution-common"),
    "shotwell": Manual(Path("/usr/share/help/fr/shotwell"), "shotwell-common"),
    "evince": Manual(Path("/usr/share/help/fr/evince"), "evince-common"),
    "grisbi": Manual(Path("/usr/share/doc/grisbi/fr"), "grisbi-common"),
    "homebank": Manual(Path("/usr/share/doc/homebank-data/help"), "homebank-data"),
    SAMPLE: Manual(Path(__file__).parents[3] / "corpus"),
}


@dataclass(frozen=True, slots=True)
class Case:
    """Hold a question as somebody types it.

    ``pages`` are parts of the ids of all pages that answer it. ``must`` are expressions, each a
    fact that a whole answer says; ``forbid`` those of wrong answers: both without accents, in
    small letters. Where ``answerable`` is False no page answers, or it is small talk.
    """

    id: str
    manual: str
    question: str
    kind: str
    answerable: bool
    lang: str
    pages: tuple[str, ...]
    must: tuple[str, ...]
    forbid: tuple[str, ...]

    @property
    def silent(self) -> bool:
        """Whether it asks what the manual does not say."""
        return not self.answerable and self.kind != SMALL_TALK

    def right(self, page: str) -> bool:
        """Say whether a page answers."""
        return any(part in page for part in self.pages)


def load_cases(path: Path = CASES) -> list[Case]:
    """Return a file's cases, in its order. Raises TypeError for a line of other fields."""
    return [_case(json.loads(line)) for line in path.read_text("utf-8").splitlines()]


def _case(row: dict) -> Case:
    lists = {name: tuple(row[name]) for name in ("pages", "must", "forbid")}
    return Case(**{**row, **lists})


def fold(text: str) -> str:
    """Return a text in small letters on one line, without accents and typographic signs."""
    bare = unicodedata.normalize("NFKD", text.translate(PLAIN))
    kept = "".join(letter for letter in bare if not unicodedata.combining(letter))
    return " ".join(kept.casefold().split())


def missing(expressions: Sequence[str], folded: str) -> Iterator[str]:
    """Yield the expressions that a folded text does not meet."""
    return (one for one in expressions if re.search(one, folded) is None)
