"""What the snapshot asks of the product: the one file that follows when modules move.

Everything comes back as JSON values, so that the rest knows no module of ours.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import orjson

import cli
from indexer.chunker import chunk_page
from indexer.parsers import parse_page
from indexer.pipeline import run
from indexer.sources import find_pages, hash_page, read_page
from rag import api, prompt
from rag.cache.match import explain
from rag.cache.sides import sides
from rag.checking.check import SentenceFilter
from rag.checking.evidence import Evidence
from rag.checking.support import support
from rag.config.settings import Settings
from rag.core.documents import Chunk, Hit
from rag.core.errors import HelpError
from rag.core.records import Feedback, Turn
from rag.encoders import bundled_encoder
from rag.extraction import extract_answer
from rag.language import messages
from rag.language.profiles import load_profile
from rag.question import Question, read_question
from rag.retriever import Retrieval
from rag.server.app import create_app
from rag.server.settings import ServerSettings
from rag.stores import open_answer_store, open_journal_store, open_store, open_turn_store
from rag.stores.elasticsearch import answer_documents, logs, schema
from souffleur.cli.output import hit_row

LANGUAGES = ("fr", "en")
PATIENT_S = 60.0  # nothing is late on a busy machine
# anything that a message has a place for
VALUES = {"reason": "REASON", "count": 3, "ms": 12.0, "model": "MODEL", "url": "URL"}
COLUMNS = 90
MOST_HITS = 30


class Help:
    """The sample pages, indexed in a folder, and everything that reads them."""

    def __init__(self, folder: Path, pages: Path) -> None:
        self._settings = Settings(data_dir=folder, timeout_s=PATIENT_S)
        self._encoder = bundled_encoder()
        self.store = open_store(self._settings)
        run([pages], self.store, self._encoder)
        self._retriever = api.open_retriever(self._settings, self.store)
        self._assistant = api.open_assistant(self._settings, use_model=False)
        self._found: dict[tuple[str, str, str | None], Retrieval] = {}

    def close(self) -> None:
        asyncio.run(self._assistant.close())
        self.store.close()

    def retrieve(self, question: Question, k: int, page: str | None = None) -> Retrieval:
        """Search once for all kinds that ask the same."""
        key = (question.raw, question.standalone, page)
        if key not in self._found:
            found = self._retriever.retrieve(question, MOST_HITS, page=page, timeout_s=PATIENT_S)
            self._found[key] = found
        return replace(self._found[key], hits=self._found[key].hits[:k])

    def ask(self, question: str, page: str | None = None) -> dict[str, Any]:
        """Return what `ask --no-llm --json` prints."""
        answer = asyncio.run(self._assistant.answer(question, page=page))
        return orjson.loads(orjson.dumps(answer))

    def search(self, question: str, k: int, page: str | None = None) -> list[dict[str, Any]]:
        """Return what `search --json` prints."""
        hits = self.retrieve(read_question(question), k, page).hits
        return orjson.loads(orjson.dumps([hit_row(hit) for hit in hits]))

    def extract(self, question: str, page: str, k: int) -> str:
        """Return the extract of a question from the page that answers it."""
        read = read_question(question)
        hits = sorted(self.retrieve(read, k).hits, key=lambda hit: hit.chunk.page != page)
        ids = self.store.pages([page], PATIENT_S)[page].chunk_ids
        chunks = self.store.chunks(ids, PATIENT_S)
        return extract_answer(read, hits, [chunks[i] for i in ids]).text

    def talk(self, questions: Sequence[str]) -> Iterator[tuple[str, str, str]]:
        """Yield each question of a conversation, made whole, with its language and best page."""
        said: tuple[Turn, ...] = ()
        for question in questions:
            read = read_question(question, said)
            hits = self.retrieve(read, 10).hits
            best = hits[0].chunk.page if hits else ""
            yield read.standalone, read.language, best
            said = (*said, Turn(question, read.standalone, (best,)))

    def prompt(self, question: str, passage_tokens: int) -> str:
        """Return what a model reads, with a mark that does not change."""
        found = self.retrieve(read_question(question), 5)
        built = prompt.build_prompt(prompt.Draft(found.question, found.hits), passage_tokens)
        return f"{built.system}\n{built.user}".replace(prompt.MARK, "MARK")

    def tables(self) -> dict[str, str]:
        """Return the statements that made every table and index of the data folder's files."""
        answers = open_answer_store(self._settings)
        answers.count("missed", PATIENT_S)
        answers.close()
        journal_store = open_journal_store(self._settings)
        at = datetime(2026, 1, 1, tzinfo=UTC)
        journal_store.write([Feedback(at, "answer", helpful=True)], PATIENT_S)
        journal_store.close()
        turn_store = open_turn_store(self._settings)
        turn_store.add("id", Turn("a", "a"), 0.0, PATIENT_S)
        turn_store.close()
        return {
            f"{path.stem} {name}": " ".join(sql.split())
            for path in sorted(self._settings.data_dir.glob("*.sqlite3"))
            for name, sql in _statements(path)
        }


def kept_question(question: str) -> dict[str, Any]:
    """Return what is kept of a question beside its answer."""
    return read_question(question).signature(bundled_encoder()).to_json()


def explained(question: str, other: str) -> list[Any]:
    """Return whether two questions share an answer, their cosine, the guard and what it saw."""
    encoder = bundled_encoder()
    one, another = read_question(question), read_question(other)
    hit, cosine, guard = explain(one, another, encoder)
    seen: tuple[str, ...] = ()
    if guard is not None:
        seen = sides(guard, one.signature(encoder), another.signature(encoder))
    return [hit, cosine, guard, *seen]


def judged(sentence: str, lang: str, passages: Sequence[Hit]) -> list[Any]:
    """Return how surely passages say a sentence, which ones, and what speaks against it."""
    found = support(Evidence(passages, lang, bundled_encoder()), sentence)
    return [found.score, list(found.passages), found.conflict, found.holds]


def filtered(text: str, size: int, passages: Sequence[Hit], lang: str) -> dict[str, Any]:
    """Return what the check leaves of a model's text that comes ``size`` characters at a time."""
    checks = SentenceFilter(passages, lang, (), bundled_encoder())
    pieces = [checks.feed(text[at : at + size]) for at in range(0, len(text), size)]
    checks.close(ended=True)
    return {
        "text": checks.text,
        "cited": sorted(checks.cited),
        "dropped": checks.dropped,
        "wrong_language": checks.wrong_language,
        "pieces": sum(map(bool, pieces)),
    }


def pages_of(folder: Path, most: int = 10_000) -> Iterator[tuple[str, str, list[Chunk] | str]]:
    """Yield pages of a folder, evenly taken, with their hash and chunks, or why there are none."""
    found = find_pages([folder]).candidates
    for candidate in found[:: -(-len(found) // most)]:
        data = read_page(candidate)
        try:
            page = parse_page(data, candidate.id)
            cut = chunk_page(page, bundled_encoder().count_tokens)
            yield candidate.id, hash_page(data), cut
        except HelpError as error:
            yield candidate.id, hash_page(data), str(error)


def texts() -> dict[str, str]:
    """Return every message, problem and word of reports, in each language."""
    found = {}
    for lang in LANGUAGES:
        for key in messages.message_keys():
            found[f"message {lang} {key}"] = messages.message(key, lang, **VALUES)
        for code in messages.problem_codes():
            found[f"problem {lang} {code}"] = messages.problem_text(code, lang)
        for key, text in load_profile(lang).texts("report").items():
            found[f"report {lang} {key}"] = text
    return found


def helps() -> dict[str, str]:
    """Return the help of the program and of each command."""
    return dict(_helps(cli.main, "cli.py"))


def _helps(command: click.Command, path: str) -> Iterator[tuple[str, str]]:
    context = click.Context(
        command, info_name=path, terminal_width=COLUMNS, max_content_width=COLUMNS
    )
    yield path, command.get_help(context)
    for name, part in sorted(getattr(command, "commands", {}).items()):
        yield from _helps(part, f"{path} {name}")


def openapi() -> dict[str, Any]:
    return create_app(Settings(), ServerSettings()).openapi()


def settings() -> dict[str, list[str]]:
    """Return each setting's names, default, limits and meaning."""
    return {
        f"{kind.__name__}.{name}": [
            *field.validation_alias.choices,  # type: ignore[union-attr]
            repr(field.default),
            *map(repr, field.metadata),
            str(field.description),
        ]
        for kind in (Settings, ServerSettings)
        for name, field in kind.model_fields.items()
    }


def _statements(path: Path) -> list[tuple[str, str]]:
    with closing(sqlite3.connect(path)) as connection:
        # shadow tables are the SQLite version's own
        return connection.execute(
            "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT IN"
            " (SELECT name FROM pragma_table_list WHERE type = 'shadow') ORDER BY name"
        ).fetchall()


def elasticsearch_bodies() -> dict[str, Any]:
    """Return the settings and mappings of every index that is made in Elasticsearch."""
    meta = api.index_meta(bundled_encoder())
    return {
        "pages": {"settings": schema.index_settings(), "mappings": schema.mapping(meta)},
        "answers": {
            "settings": answer_documents.SETTINGS,
            "mappings": answer_documents.MAPPING,
            "vectors": answer_documents.vector_mapping(meta.dimension),
        },
        "journal": logs.JOURNAL_MAPPING,
        "conversations": logs.TURN_MAPPING,
    }


def plain(chunk: Chunk) -> dict[str, Any]:
    """Return a chunk as JSON values."""
    return orjson.loads(orjson.dumps(chunk))
