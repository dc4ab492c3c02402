"""An answer to its record in the journal; the key of the hashes that stand for questions."""

from __future__ import annotations

import hashlib
import hmac
import logging
import os
import secrets
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from rag.config.settings import Settings
from rag.core.answers import Answer
from rag.core.records import JournalEntry, now
from rag.language import messages
from rag.question.normalization import normal_form

KEY_FILE = "journal.key"
KEY_BYTES = 32
HASH_DIGITS = 32
logger = logging.getLogger(__name__)


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
