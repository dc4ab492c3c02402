"""What can be had in several ways, and what each of them must do: encoders and stores."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from rag.core.documents import Chunk, IndexMeta, PageRecord, SearchLegs, Vectors, Window
from rag.core.records import (
    CachedAnswer,
    CacheStats,
    Counted,
    Feedback,
    JournalEntry,
    Record,
    Scope,
    Turn,
)


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


class Store(Protocol):
    """Keep pages, chunks and windows, and search these. One writer at a time, many readers.

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
        self, vector: Vectors | None, words: Mapping[str, float], k: int, timeout_s: float
    ) -> SearchLegs:
        """Search windows by vector and by words, in one round trip where there is a server.

        ``vector`` has shape (dimension,); None or all zeros is near nothing. ``words`` are
        unstemmed, as `analyzer.content_words` gives a question's; each has the weight by which its
        part of a BM25 score is multiplied, 1 for a word of the question itself.
        """

    def nearest_words(self, words: Sequence[str], timeout_s: float) -> dict[str, str]:
        """Return, for each folded word, the word of the pages that is meant by it.

        That is the word itself when a window holds it, else the most frequent one that begins with
        the same letter and is one edit away (insertion, deletion, substitution, transposition).
        Words without one are left out.
        """

    def windows(self, ids: Sequence[str], timeout_s: float) -> dict[str, Window]:
        """Return the windows of these ids that exist."""

    def chunks(self, ids: Sequence[str], timeout_s: float) -> dict[str, Chunk]:
        """Return the chunks of these ids that exist."""

    def vectors(self, ids: Sequence[str], timeout_s: float) -> dict[str, Vectors]:
        """Return the vectors of these windows; a window that has none is left out."""

    def pages(self, ids: Sequence[str], timeout_s: float) -> dict[str, PageRecord]:
        """Return the pages of these ids that exist."""

    def close(self) -> None:
        """Let go of files and connections."""


class StoreWriter(Protocol):
    """Collect the changes of one run; readers see all of them at ``publish`` or none of them."""

    def put_page(
        self,
        record: PageRecord,
        chunks: Sequence[Chunk],
        windows: Sequence[Window],
        vectors: Mapping[str, Vectors],
    ) -> None:
        """Write a page: its record, all its chunks and windows in order, the new windows' vectors.

        A window without a vector stands in the index already. What the page had besides is
        removed. A zero vector means that the window is found by its words alone.
        """

    def delete_page(self, page_id: str) -> None:
        """Remove a page and its chunks."""

    def publish(self) -> None:
        """Verify and make the run visible, at once. Raises: SearchUnavailable, HelpError."""

    def abort(self) -> None:
        """Forget the run; the index is as it was."""


class AnswerStore(Protocol):
    """Keep answers beside the index they came from; serve none whose pages have changed.

    Reading and dropping raise SearchUnavailable when the store does not answer within
    ``timeout_s``; the others never raise: what cannot be written now is left out.
    """

    def get(self, key: str, now: float, timeout_s: float) -> CachedAnswer | None:
        """Return the entry of a key if it has not expired and its pages stand unchanged."""

    def candidates(
        self, scope: Scope, vector: Vectors, k: int, now: float, timeout_s: float
    ) -> list[tuple[CachedAnswer, float]]:
        """Return the k such entries of a scope nearest by cosine, best first.

        In Elasticsearch, an entry is found here up to 1 s after it was put.
        """

    def put(self, entry: CachedAnswer, timeout_s: float) -> bool:
        """Keep an entry in place of its key's last one, then evict. Returns whether it is kept.

        Beyond the bounds, expired entries go first, then the least recently used.
        """

    def touch(self, entry: CachedAnswer, kind: Counted, now: float, timeout_s: float) -> None:
        """Count a hit of this kind, on the entry and in the counters; after it was served."""

    def count(self, name: Counted, timeout_s: float) -> None:
        """Add one to a counter."""

    def claim(self, key: str, owner: str, lease_s: float, now: float, timeout_s: float) -> bool:
        """Say whether this owner is the one to generate the answer of a key.

        False: another one is at it, or the answer has come meanwhile; ask `get` again. A claim is
        free again when it is released or ``lease_s`` old. True when nobody can tell.
        """

    def release(self, key: str, owner: str, timeout_s: float) -> None:
        """Give a claim back, once the answer was put or will never be."""

    def drop(self, keys: Sequence[str], timeout_s: float) -> int:
        """Remove entries. Returns how many were there."""

    def drop_page(self, page: str, timeout_s: float) -> int:
        """Remove the entries that came from a page."""

    def sweep(self, now: float, timeout_s: float) -> int:
        """Remove the entries that expired or whose pages have changed."""

    def clear(self, timeout_s: float, *, keep_pinned: bool = False) -> int:
        """Remove all entries."""

    def entries(self, limit: int, offset: int, timeout_s: float) -> list[CachedAnswer]:
        """Return entries, the last used first, expired ones too."""

    def stats(self, timeout_s: float) -> CacheStats:
        """Return what is kept and how it was used."""

    def close(self) -> None:
        """Let go of files and connections."""


class TurnStore(Protocol):
    """Keep the last turns of conversations that processes share, each under a hash of its id.

    Both raise SearchUnavailable when the store cannot be used within ``timeout_s``.
    """

    def turns(self, conversation_id: str, now: float, timeout_s: float) -> tuple[Turn, ...]:
        """Return the last `MOST_TURNS` turns, oldest first; none `EXPIRES_S` after the last."""

    def add(self, conversation_id: str, turn: Turn, now: float, timeout_s: float) -> None:
        """Append a turn; what has expired goes."""

    def close(self) -> None:
        """Let go of files and connections."""


class JournalStore(Protocol):
    """Keep records. Safe between threads and processes; every method may block.

    All raise SearchUnavailable when the store cannot be used within ``timeout_s``.
    """

    def write(self, records: Sequence[Record], timeout_s: float) -> None:
        """Keep records; one that is there already is replaced, so that writing may be repeated.

        An answer has one feedback: the last one.
        """

    def asked(self, since: datetime, until: datetime, timeout_s: float) -> Iterator[JournalEntry]:
        """Yield what was asked from ``since`` to before ``until``, the earliest first."""

    def feedback(self, since: datetime, until: datetime, timeout_s: float) -> Iterator[Feedback]:
        """Yield the feedback given from ``since`` to before ``until``, the earliest first."""

    def purge(self, before: datetime, timeout_s: float) -> int:
        """Remove what is older. Returns how many records that were."""

    def close(self) -> None:
        """Let go of files and connections."""
