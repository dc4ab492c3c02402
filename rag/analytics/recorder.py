"""What comes of questions, written to the journal by a thread of its own; keys of its hashes."""

from __future__ import annotations

import hashlib
import hmac
import logging
import os
import queue
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

from rag.config.settings import Settings
from rag.core.answers import Answer
from rag.core.errors import HelpError
from rag.core.protocols import JournalStore
from rag.core.records import LONGEST_COMMENT, Feedback, JournalEntry, Record, now
from rag.language import messages
from rag.question.normalization import normal_form
from rag.stores import open_journal_store

KEY_FILE = "journal.key"
KEY_BYTES = 32
HASH_DIGITS = 32
logger = logging.getLogger(__name__)
MAX_WAITING = 2_000
BATCH = 200
GATHER_S = 0.1  # in which others come that are written at once with the first
WRITE_S = 5.0
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.2, 30.0
PURGE_EVERY_S = 3_600.0
PURGE_S = 60.0
READ_S = 30.0
CLOSE_S = 2.0


@dataclass(frozen=True, slots=True)
class Question:
    """Hold what is known of a question besides its answer; ``text`` is kept only on request."""

    text: str
    lang: str
    channel: str = "http"
    first_text_ms: float | None = None


def journal_key(settings: Settings) -> bytes:
    """Return the key of the questions' hashes, made on first use.

    It lies in the data folder and never in the journal: who has the journal alone cannot try out
    questions. Where the folder cannot be written, it lasts as long as the process.
    """
    if settings.journal_key is not None:
        return settings.journal_key.get_secret_value().encode()
    return _kept_key((settings.data_dir / KEY_FILE).absolute())


@cache
def _kept_key(path: Path) -> bytes:
    made = secrets.token_bytes(KEY_BYTES)
    try:
        if not path.exists():
            make_key(path, made)
        kept = path.read_bytes()
    except OSError as error:
        logger.warning("The journal's key cannot be kept: %s", error)
        return made
    if len(kept) != KEY_BYTES:
        logger.warning("The journal's key %s is damaged. Delete the file.", path)
        return made
    return kept


def make_key(path: Path, key: bytes) -> None:
    """Put a key where none is: whole or not at all, and never over another's. Raises: OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(key)
        with suppress(FileExistsError):
            os.link(scratch, path)
    finally:
        scratch.unlink()


def question_hash(question: str, key: bytes) -> str:
    """Return what stands for a question: the same for one that differs in form only."""
    return hmac.new(key, normal_form(question).encode(), hashlib.sha256).hexdigest()[:HASH_DIGITS]


def asked_of(
    answer_id: str, question: Question, answer: Answer, key: bytes, *, texts: bool
) -> JournalEntry:
    """Return the record of an answer."""
    total_ms = answer.timings.get("total_ms", 0.0)
    first_ms = question.first_text_ms
    found = next((s for s in answer.sources if s.page == answer.page_effective), None)
    nearest = found or next(iter((*answer.sources, *answer.retrieved)), None)
    usage = answer.usage
    return JournalEntry(
        at=now(),
        answer_id=answer_id,
        question=question_hash(question.text, key),
        lang=question.lang,
        channel=question.channel,
        text=question.text if texts else None,
        page=answer.page_effective if answer.answered else None,
        sources=tuple(dict.fromkeys(source.page for source in answer.sources)),
        nearest=nearest.page if nearest else None,
        title=nearest.title if nearest else "",
        answered=answer.answered,
        degraded=answer.degraded,
        cached=answer.cached,
        reason=messages.code_of(answer.reason),
        truncated=answer.truncated,
        unsupported=answer.unsupported,
        first_text_ms=round(total_ms if first_ms is None else first_ms, 1),
        total_ms=total_ms,
        writing_ms=round((usage.prompt_s + usage.output_s) * 1000, 1) if usage else 0.0,
        model=answer.model,
        prompt_tokens=usage.prompt_tokens if usage else 0,
        output_tokens=usage.output_tokens if usage else 0,
    )


class Journal:
    """Take records and write them in the background; what cannot be written is counted.

    Safe to share between threads; a forked process starts a writer of its own.
    """

    def __init__(self, store: JournalStore | None, key: bytes, *, texts: bool, days: int) -> None:
        self._store = store
        self._key = key
        self._texts = texts
        self._days = days
        self._purge_at = 0.0
        self._complained = False
        self.dropped = 0
        self._begin()

    def _begin(self) -> None:
        self._process = os.getpid()
        self._waiting: queue.Queue[Record | None] = queue.Queue(MAX_WAITING)
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closing = threading.Event()
        self._until = float("inf")

    def asked(self, answer_id: str, question: Question, answer: Answer) -> None:
        """Note an answer that was given. Returns at once; raises nothing."""
        with suppress(Exception):  # whatever it is, an answer is not lost for it
            self.note(asked_of(answer_id, question, answer, self._key, texts=self._texts))

    def feedback(self, answer_id: str, helpful: bool, comment: str = "") -> None:
        """Note what an asker thought of an answer. Returns at once; raises nothing."""
        said = comment.strip()[:LONGEST_COMMENT]
        kept = said if said and self._texts else None
        self.note(Feedback(now(), answer_id, helpful, bool(said), kept))

    def note(self, record: Record) -> None:
        """Take a record to be written; it is dropped and counted when too many wait."""
        if self._store is None or not self._days or self._closing.is_set():
            return
        if self._process != os.getpid():
            self._begin()  # a fork has neither the thread nor a right to its locks
        try:
            self._waiting.put_nowait(record)
        except queue.Full:
            self._drop(1)
        if self._thread is None or not self._thread.is_alive():
            self._start()

    def follow(self, settings: Settings) -> None:
        """Keep texts or not, and for how many days, as other settings say."""
        self._texts, self._days = settings.journal_texts, settings.journal_days

    def close(self, timeout_s: float = CLOSE_S) -> None:
        """Write what waits, for so long at most. It blocks."""
        self._until = time.monotonic() + timeout_s
        self._closing.set()
        with suppress(queue.Full):  # wakes the writer, which does not wait when the queue is full
            self._waiting.put_nowait(None)
        if self._thread is not None and self._thread.is_alive():
            self._thread.join(timeout_s + 0.5)

    def _start(self) -> None:
        with self._lock, suppress(RuntimeError):  # the program ends
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._work, name="journal", daemon=True)
                self._thread.start()

    def _work(self) -> None:
        assert self._store is not None
        store = self._store
        while True:
            records = self._next()
            if records:
                self._write(store, records)
            elif self._closing.is_set():
                break
            self._purge(store)
        with suppress(Exception):
            store.close()

    def _next(self) -> list[Record]:
        """Return the records that wait, after the first one came; none after a while."""
        found: list[Record | None] = []
        with suppress(queue.Empty):
            limit_s = 0.0 if self._closing.is_set() else PURGE_EVERY_S
            found.append(self._waiting.get(timeout=limit_s))
            if self._waiting.qsize() < BATCH:
                self._closing.wait(GATHER_S)
            while len(found) < BATCH:
                found.append(self._waiting.get_nowait())
        return [record for record in found if record is not None]

    def _write(self, store: JournalStore, records: list[Record]) -> None:
        """Write, again and again while the store is away; meanwhile the queue may fill."""
        pause_s = FIRST_PAUSE_S
        while True:
            limit_s = min(WRITE_S, self._until - time.monotonic())
            if limit_s <= 0:
                self._drop(len(records))
                return
            try:
                store.write(records, limit_s)
                self._complained = False
                return
            except HelpError as error:
                self._complain(str(error))
            except Exception as error:  # such a batch will never be written
                self._complain(repr(error))
                self._drop(len(records))
                return
            self._closing.wait(min(pause_s, max(0.0, self._until - time.monotonic())))
            if self._closing.is_set():  # the event does not wait any more
                time.sleep(min(FIRST_PAUSE_S, max(0.0, self._until - time.monotonic())))
            pause_s = min(pause_s * 2, LONGEST_PAUSE_S)

    def _purge(self, store: JournalStore) -> None:
        if time.monotonic() < self._purge_at or self._closing.is_set():
            return
        self._purge_at = time.monotonic() + PURGE_EVERY_S
        try:
            store.purge(now() - timedelta(days=self._days), PURGE_S)
        except Exception as error:
            self._complain(str(error))

    def _drop(self, count: int) -> None:
        with self._lock:
            self.dropped += count

    def _complain(self, reason: str) -> None:
        if not self._complained:
            logger.warning("The journal is not written for now: %s", reason)
        self._complained = True


def open_journal(settings: Settings) -> Journal:
    """Open the journal of the settings; with HELP_JOURNAL_DAYS=0 it takes nothing.

    Nothing is created before something is noted, the key aside. Raises: ConfigError.
    """
    days = settings.journal_days
    if days == 0:
        return Journal(None, b"", texts=False, days=0)
    key = journal_key(settings)
    return Journal(open_journal_store(settings), key, texts=settings.journal_texts, days=days)


def recorded(settings: Settings, since: datetime, until: datetime) -> Iterator[Record]:
    """Yield what was asked in a time, then the feedback. Raises: SearchUnavailable, ConfigError."""
    store = open_journal_store(settings)
    try:
        yield from store.asked(since, until, READ_S)
        yield from store.feedback(since, until, READ_S)
    finally:
        store.close()
