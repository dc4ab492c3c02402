"""The values that travel between the steps: Page, Chunk, Hit, Answer, and a stream's events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

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
class Action:
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
    actions: tuple[Action, ...] = ()
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
class PageRecord:
    """Hold what a store keeps of a page: enough to see whether it changed, and its links."""

    id: str
    root: str
    hash: str
    title: str
    url: str
    lang: str
    chunk_ids: tuple[str, ...]
    see_also: tuple[str, ...] = ()
    actions: tuple[Action, ...] = ()
    questions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Hit:
    """Hold a chunk found for a question. Higher ``score`` is better; ``rank`` starts at 1.

    ``legs`` gives the raw score of each search that found it: ``knn`` a cosine in [-1, 1],
    ``bm25`` an unbounded positive number.
    """

    chunk: Chunk
    score: float
    rank: int
    legs: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Source:
    """Name a place in the pages that an answer rests on. ``n`` is the number cited in the text."""

    n: int
    title: str
    heading: str
    url: str
    page: str
    score: float


@dataclass(frozen=True, slots=True)
class Usage:
    """Hold what one generation cost, by the server's own counters where it has them.

    ``prompt_tokens`` counts the whole prompt, those found in the server's prefix cache too;
    ``prompt_s`` is the time that reading the others took. ``ended`` is ``length`` when the model
    was stopped by its number of tokens.
    """

    prompt_tokens: int
    output_tokens: int
    prompt_s: float
    output_s: float
    load_s: float = 0.0
    ended: Literal["stop", "length"] = "stop"


@dataclass(frozen=True, slots=True)
class Answer:
    """Hold a whole answer, as the help endpoint and ``ask --json`` return it.

    ``sources`` are what the text rests on, ``retrieved`` what the search found. ``degraded`` says
    that the model had no part in it: it was off, silent, late or failed. ``reason`` says, in the
    question's language, why the text is an extract. ``unsupported`` counts the model's sentences
    that were left out because no passage supports them: when that leaves nothing, the extract
    stands in, and is no degraded answer. ``model`` is the one that wrote the text, ``usage`` what
    that cost, where it ended by itself.
    """

    text: str
    page_effective: str | None = None
    see_also: tuple[str, ...] = ()
    degraded: bool = False
    reason: str | None = None
    sources: tuple[Source, ...] = ()
    retrieved: tuple[Source, ...] = ()
    actions: tuple[Action, ...] = ()
    cached: Literal["exact", "semantic"] | None = None
    legs: tuple[str, ...] = ()
    timings: dict[str, float] = field(default_factory=dict)
    answered: bool = True
    truncated: bool = False
    unsupported: int = 0
    model: str | None = None
    usage: Usage | None = None


@dataclass(frozen=True, slots=True)
class SourcesEvent:
    """Open a stream: what was found, and an answer made without the model."""

    retrieved: tuple[Source, ...]
    extract: str


@dataclass(frozen=True, slots=True)
class ChunkEvent:
    """Carry the next piece of the model's text."""

    content: str


@dataclass(frozen=True, slots=True)
class CompleteEvent:
    """Close a stream with the whole answer. Exactly one comes, and it comes last.

    ``lang`` is ``fr`` or ``en``: in what the question is answered.
    """

    answer: Answer
    lang: str = "fr"


Event = SourcesEvent | ChunkEvent | CompleteEvent


class Encoder(Protocol):
    """Turn text into vectors. Questions and passages may be prefixed differently by a model."""

    @property
    def name(self) -> str:
        """Return the name and revision that an index remembers."""

    @property
    def dimension(self) -> int:
        """Return the length of its vectors."""

    def encode_passages(self, texts: Sequence[str]) -> Vectors:
        """Encode passages. Returns (n, dimension) float32, unit rows; all zeros for no text."""

    def encode_queries(self, texts: Sequence[str], timeout_s: float = 60.0) -> Vectors:
        """Encode questions. Returns (n, dimension) float32, unit rows; all zeros for no text.

        Raises: EncoderError when a server takes longer than ``timeout_s``.
        """

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Count the tokens of each text as the model sees them (an estimate where it is remote)."""


class Lexicon(Protocol):
    """Know words of a language, to tell a misspelt word from a rare one."""

    def knows(self, word: str) -> bool:
        """Say whether this is a whole word of the lexicon, accents and case aside."""

    def nearest_word(self, word: str) -> str | None:
        """Return the commonest known word one edit away from a folded word, None without one."""


@dataclass(frozen=True, slots=True)
class IndexMeta:
    """Hold what an index says of itself: who made its vectors, their length, its schema."""

    encoder: str
    dimension: int
    schema: int


@dataclass(frozen=True, slots=True)
class SearchLegs:
    """Hold what the two searches of a question found, as (chunk id, score), best first.

    ``knn`` scores are cosines in [-1, 1], ``bm25`` scores positive; ties stand by the lower id.
    ``frequencies`` tells, for each word, how many of the ``total`` chunks hold its stem.
    """

    knn: list[tuple[str, float]]
    bm25: list[tuple[str, float]]
    frequencies: list[int]
    total: int


class Store(Protocol):
    """Keep pages, chunks and vectors, and search them. One writer at a time, any number of readers.

    Every search raises IndexMissing when nothing was published yet and SearchUnavailable when the
    store does not answer within ``timeout_s``.
    """

    def meta(self, timeout_s: float = 5.0) -> IndexMeta | None:
        """Return what the published index says of itself, None when there is none."""

    def version(self, timeout_s: float = 5.0) -> str | None:
        """Return what is another text after each run that was published, None without an index."""

    def published_at(self, timeout_s: float = 5.0) -> float | None:
        """Return when the index was published, in seconds since 1970, None where nobody knows."""

    def records(self) -> dict[str, PageRecord]:
        """Return every page of the published index by its id."""

    def count(self) -> int:
        """Return the number of chunks in the published index."""

    def writer(self, meta: IndexMeta, *, full: bool) -> StoreWriter:
        """Begin a run. ``full``: what it writes replaces the whole index when it is published.

        Raises: IndexBusy when another run is writing; IndexMismatch when the published index has
        another encoder, dimension or schema and ``full`` is false.
        """

    def rollback(self) -> None:
        """Publish the generation before the last run that changed the index, at once.

        The one that it replaces is kept in its stead: a second call undoes the first.
        Raises: HelpError when none is kept; IndexBusy.
        """

    def search(
        self, vector: Vectors | None, words: Sequence[str], k: int, timeout_s: float
    ) -> SearchLegs:
        """Search by vector and by words, in one round trip where there is a server.

        ``vector`` has shape (dimension,); None or all zeros is near nothing. ``words`` are a
        question's words as `analysis.content_words` gives them, unstemmed.
        """

    def nearest_words(self, words: Sequence[str], timeout_s: float) -> dict[str, str]:
        """Return, for each folded word, the word of the chunks that is meant by it.

        That is the word itself when a chunk holds it, else the most frequent one that begins with
        the same letter and is one edit away (insertion, deletion, substitution, transposition).
        Words without one are left out.
        """

    def chunks(self, ids: Sequence[str], timeout_s: float) -> dict[str, Chunk]:
        """Return the chunks of these ids that exist."""

    def vectors(self, ids: Sequence[str], timeout_s: float) -> dict[str, Vectors]:
        """Return the vectors of these chunks; a chunk that has none is left out."""

    def pages(self, ids: Sequence[str], timeout_s: float) -> dict[str, PageRecord]:
        """Return the pages of these ids that exist."""

    def close(self) -> None:
        """Let go of files and connections."""


class StoreWriter(Protocol):
    """Collect the changes of one run; readers see all of them at ``publish`` or none of them."""

    def put_page(
        self, record: PageRecord, chunks: Sequence[Chunk], vectors: dict[str, Vectors]
    ) -> None:
        """Write a page: its record, all its chunks in order, the vectors of those that are new.

        A chunk without a vector stands in the index already; only its position may have changed.
        The page's chunks that are not among ``chunks`` are removed. A zero vector means that the
        chunk is found by its words alone.
        """

    def delete_page(self, page_id: str) -> None:
        """Remove a page and its chunks."""

    def publish(self) -> None:
        """Verify and make the run visible, at once. Raises: SearchUnavailable, HelpError."""

    def abort(self) -> None:
        """Forget the run; the index is as it was."""
