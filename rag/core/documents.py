"""What is indexed and what is found: pages, chunks, hits, and what an index says of itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

from rag.core.errors import IndexMismatch
from rag.core.invocation import rebuild_command

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray

Vectors: TypeAlias = "NDArray[numpy.float32]"

BlockKind = Literal["heading", "paragraph", "list", "table", "code"]


@dataclass(frozen=True, slots=True)
class Block:
    """Hold one structural piece of a page.

    ``text`` is a heading's, paragraph's or code block's text. ``items`` are a list's items with
    their marker (``1. …``, ``- …``) or a table's rows (``a | b``), ``header`` its header row.
    """

    kind: BlockKind
    text: str = ""
    level: int = 0
    anchor: str = ""
    items: tuple[str, ...] = ()
    header: str = ""


@dataclass(frozen=True, slots=True)
class ScreenLink:
    """Name a screen of the user's site that a page leads to."""

    label: str
    url: str


@dataclass(frozen=True, slots=True)
class Page:
    """Hold one help page as its blocks, in reading order. ``id`` is its path under the folder."""

    id: str
    title: str
    blocks: tuple[Block, ...]
    url: str = ""
    lang: str = "fr"
    see_also: tuple[str, ...] = ()
    actions: tuple[ScreenLink, ...] = ()
    questions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Chunk:
    """Hold one indexed unit: a piece of one section of a page, small enough to be read by a model.

    ``id`` follows from what the chunk says and where (page, headings, text), never from its
    position, so that inserting a paragraph leaves the other chunks' ids as they were.
    ``questions`` are those of the page's own questions that it answers: searched, never shown.
    """

    id: str
    page: str
    position: int
    title: str
    headings: tuple[str, ...]
    url: str
    lang: str
    text: str
    questions: tuple[str, ...] = ()

    def __hash__(self) -> int:  # its id tells it from others: 0.1 µs instead of 1
        return hash(self.id)

    @property
    def heading(self) -> str:
        """Return the path of headings below the title, outermost first."""
        return " > ".join(self.headings)

    @property
    def path(self) -> str:
        """Return the title and the path of headings, as a reader sees where the chunk stands."""
        return " > ".join((self.title, *self.headings))

    @property
    def searched(self) -> str:
        """Return all that is searched: title, headings, questions and text, a line each."""
        parts = (self.title, *self.headings, *self.questions, self.text)
        return "\n".join(part for part in parts if part)


@dataclass(frozen=True, slots=True)
class Window:
    """Hold what is searched as one: neighbouring chunks of a page, across its headings.

    ``id`` follows from the ids of its chunks. ``headings`` are those that its chunks stand under,
    each once; ``text`` holds them too, each before what it heads. ``version`` and ``audience`` are
    empty where the page is for all of them.
    """

    id: str
    page: str
    lang: str
    title: str
    headings: tuple[str, ...]
    questions: tuple[str, ...]
    text: str
    chunk_ids: tuple[str, ...]
    version: str = ""
    audience: str = ""

    @property
    def searched(self) -> str:
        """Return all that is searched: title, questions and text, a line each."""
        return "\n".join(part for part in (self.title, *self.questions, self.text) if part)


@dataclass(frozen=True, slots=True)
class PageRecord:
    """Hold what a store keeps of a page: enough to see whether it changed, and its links."""

    id: str
    root: str
    hash: str
    title: str
    url: str
    lang: str
    chunk_ids: tuple[str, ...]
    window_ids: tuple[str, ...]
    see_also: tuple[str, ...] = ()
    actions: tuple[ScreenLink, ...] = ()
    questions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Hit:
    """Hold a chunk found for a question. Higher ``score`` is better; ``rank`` starts at 1.

    ``score`` is that of the best window of its page that holds it. ``legs`` gives the raw score of
    each search that found that window: ``knn`` a cosine in [-1, 1], ``bm25`` an unbounded positive
    number.
    """

    chunk: Chunk
    score: float
    rank: int
    legs: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SearchLegs:
    """Hold what the two searches of a question found, as (window id, score), best first.

    ``knn`` scores are cosines in [-1, 1], ``bm25`` scores positive; ties stand by the lower id.
    ``frequencies`` tells, for each word, how many of the ``total`` windows hold its stem.
    """

    knn: list[tuple[str, float]]
    bm25: list[tuple[str, float]]
    frequencies: list[int]
    total: int


@dataclass(frozen=True, slots=True)
class IndexMeta:
    """Hold what an index says of itself: who made its vectors, their length, its schema."""

    encoder: str
    dimension: int
    schema: int


def check_meta(found: IndexMeta, wanted: IndexMeta) -> None:
    """Compare what an index says of itself with the settings.

    Raises: IndexMismatch naming both encoders and dimensions, and the command that rebuilds.
    """
    if (found.encoder, found.dimension) != (wanted.encoder, wanted.dimension):
        raise IndexMismatch(
            f"The index was made with encoder {found.encoder} ({found.dimension} dimensions), but "
            f"the settings name {wanted.encoder} ({wanted.dimension} dimensions). Rebuild it: "
            f"{rebuild_command()} — or set AI_EMBEDDING_MODEL and AI_EMBEDDING_DIMENSION back."
        )
    if found.schema != wanted.schema:
        raise IndexMismatch(
            f"The index has schema {found.schema} (encoder {found.encoder}), but this version of "
            f"Souffleur needs schema {wanted.schema} (encoder {wanted.encoder}). Rebuild it: "
            f"{rebuild_command()}"
        )
