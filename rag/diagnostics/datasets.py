"""Questions with known answers: folders in BEIR's format, and files about the user's own pages."""

from __future__ import annotations

import hashlib
import random
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import orjson

from rag.core.documents import Block, Page
from rag.core.errors import DatasetError
from rag.core.invocation import command, index_command

CORPUS, QUERIES, QRELS = "corpus.jsonl", "queries.jsonl", "qrels/test.tsv"
HIGHEST_RELEVANCE = 1_000_000
QRELS_COLUMNS = 3
DEFAULT_GROUP = "all"
ACCENTS_LOST = 0.2  # of the letters that have one
SHORTEST = 5  # letters of a word that gets a typo
LETTERS = "abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True, slots=True)
class Question:
    """Hold a question and its judgements: page id to relevance, 1 or more where it answers.

    A question of which no page is relevant is one that the pages do not answer.
    """

    id: str
    text: str
    group: str = DEFAULT_GROUP
    judged: Mapping[str, int] = field(default_factory=dict)

    @property
    def answered_by(self) -> frozenset[str]:
        """Return the pages that answer it."""
        return frozenset(page for page, relevance in self.judged.items() if relevance > 0)


@dataclass(frozen=True, slots=True)
class Dataset:
    """Hold pages and the questions that were judged on them; ``left_out`` are the others' ids."""

    pages: tuple[Page, ...]
    questions: tuple[Question, ...]
    left_out: tuple[str, ...] = ()


def read_beir(folder: Path) -> Dataset:
    """Read a folder in BEIR's format (Thakur et al. 2021): corpus, queries, judgements.

    A query's group is its ``metadata.group``. Queries without judgements are left out.

    Raises: DatasetError when a file is missing, empty or broken, when an id stands twice, when a
    judgement names a query or page that is not there, and when no query has a page that answers.
    """
    _check_files(folder)
    pages = _unique(folder / CORPUS, _page)
    queries = _unique(folder / QUERIES, _query)
    if not any(page.blocks or page.title.strip() for page in pages.values()):
        raise DatasetError(f"{folder / CORPUS} holds no text: nothing can be found.")
    judged = _read_qrels(folder / QRELS, queries, pages)
    questions = tuple(
        Question(query.id, query.text, query.group, judged[query.id])
        for query in queries.values()
        if query.id in judged
    )
    if not any(question.answered_by for question in questions):
        raise DatasetError(f"{folder / QRELS} judges no page relevant: nothing can be measured.")
    left_out = tuple(query_id for query_id in queries if query_id not in judged)
    return Dataset(tuple(pages.values()), questions, left_out)


def read_questions(path: Path, known: Collection[str]) -> tuple[Question, ...]:
    """Read questions about the user's own pages, whose ids are ``known``; their id is their text.

    A line is ``{"question": …, "page": …, "pages": […], "group": …}``: a page that answers, others
    that do as well, both optional. ``"page": null`` says that no page answers.

    Raises: DatasetError naming the line that is broken, repeated, or about a page not indexed.
    """
    if not path.is_file():
        raise DatasetError(
            f"{path}: there is no such file. Name one: {command('evaluate --questions FILE')},"
            f" or a folder in BEIR's format: {command('evaluate --beir DIR')}"
        )
    questions = _unique(path, lambda row, where: _own_question(row, where, known))
    if not any(question.answered_by for question in questions.values()):
        raise DatasetError(f"{path}: no question names a page that answers it.")
    return tuple(questions.values())


def fingerprint(questions: Iterable[Question]) -> str:
    """Return what tells one set of questions and judgements from another."""
    said = sorted((q.id, q.text, sorted(q.judged.items())) for q in questions)
    return hashlib.sha256(orjson.dumps(said)).hexdigest()[:16]


def _check_files(folder: Path) -> None:
    for name in (CORPUS, QUERIES, QRELS):
        if not (folder / name).is_file():
            raise DatasetError(
                f"{folder / name} is missing. A folder in BEIR's format holds {CORPUS}"
                f" (_id, title, text), {QUERIES} (_id, text) and {QRELS}"
                " (query-id, corpus-id, score, between tabs)."
            )


def _unique(path: Path, read: Any) -> dict[str, Any]:
    """Return what ``read`` makes of each row, by its id."""
    found: dict[str, Any] = {}
    for where, row in _rows(path):
        item = read(row, where)
        if item.id in found:
            raise DatasetError(f"{where}: {item.id!r} stands here for the second time.")
        found[item.id] = item
    if not found:
        raise DatasetError(f"{path} is empty.")
    return found


def _rows(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for where, line in _lines(path):
        try:
            row = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            raise DatasetError(f"{where}: this is no JSON ({error}).") from None
        if not isinstance(row, dict):
            raise DatasetError(f'{where}: a JSON object is needed, like {{"_id": "1"}}.')
        yield where, row


def _lines(path: Path) -> Iterator[tuple[str, str]]:
    """Yield the lines that are not blank, each with its place."""
    try:
        with path.open(encoding="utf-8-sig") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield f"{path}, line {number}", line
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{path} cannot be read: {error}") from None


def _text(row: Mapping[str, Any], name: str, where: str, *, needed: bool = False) -> str:
    value = row.get(name)
    if value is None:
        value = ""
    if name == "_id" and type(value) is int:
        value = str(value)
    if not isinstance(value, str):
        raise DatasetError(f"{where}: {name!r} must be a text, not {value!r}.")
    if needed and not value.strip():
        raise DatasetError(f"{where}: {name!r} is missing or empty.")
    return value


def _metadata(row: Mapping[str, Any]) -> Mapping[str, Any]:
    metadata = row.get("metadata")
    return metadata if isinstance(metadata, dict) else {}


def _page(row: Mapping[str, Any], where: str) -> Page:
    page_id = _text(row, "_id", where, needed=True)
    title, text = _text(row, "title", where), _text(row, "text", where)
    lines = [line.strip() for line in text.splitlines() if line.strip()] or [title]
    blocks = tuple(Block("paragraph", line) for line in lines if line)
    lang = _text(_metadata(row), "lang", where) or "fr"
    return Page(page_id, title, blocks, lang=lang)


def _query(row: Mapping[str, Any], where: str) -> Question:
    query_id = _text(row, "_id", where, needed=True)
    group = _text(_metadata(row), "group", where) or DEFAULT_GROUP
    return Question(query_id, _text(row, "text", where, needed=True), group)


def _read_qrels(
    path: Path, queries: Collection[str], pages: Collection[str]
) -> dict[str, dict[str, int]]:
    judged: dict[str, dict[str, int]] = {}
    for number, (where, line) in enumerate(_lines(path)):
        cells = [cell.strip() for cell in line.rstrip("\r\n").split("\t")]
        if number == 0 and len(cells) == QRELS_COLUMNS and _relevance(cells[2]) is None:
            continue  # the header
        query, page, relevance = _judgement(cells, where)
        if query not in queries:
            raise DatasetError(f"{where}: the query {query!r} is not in {QUERIES}.")
        if page not in pages:
            raise DatasetError(f"{where}: the page {page!r} is not in {CORPUS}.")
        if page in judged.setdefault(query, {}):
            raise DatasetError(f"{where}: {page!r} is judged for {query!r} for the second time.")
        judged[query][page] = relevance
    if not judged:
        raise DatasetError(f"{path} is empty.")
    return judged


def _judgement(cells: list[str], where: str) -> tuple[str, str, int]:
    relevance = _relevance(cells[-1])
    if len(cells) != QRELS_COLUMNS or relevance is None:
        raise DatasetError(
            f"{where}: query-id, corpus-id and a whole number are needed, between tabs."
        )
    return cells[0], cells[1], relevance


def _relevance(cell: str) -> int | None:
    try:
        relevance = int(cell)
    except ValueError:
        return None
    return relevance if abs(relevance) <= HIGHEST_RELEVANCE else None


def _own_question(row: Mapping[str, Any], where: str, known: Collection[str]) -> Question:
    text = _text(row, "question", where, needed=True)
    if "page" not in row and "pages" not in row:
        raise DatasetError(f"{where}: name the page that answers; null where no page does.")
    others = row.get("pages") or []
    pages = [*([] if row.get("page") is None else [row["page"]])]
    pages += others if isinstance(others, list) else [others]
    for page in pages:
        if not isinstance(page, str) or page not in known:
            raise DatasetError(
                f"{where}: the page {page!r} is not in the index. Correct its id, or index it:"
                f" {index_command()}"
            )
    group = _text(row, "group", where) or DEFAULT_GROUP
    return Question(text, text, group, dict.fromkeys(pages, 1))


def misspelt(questions: Sequence[Question], seed: int = 1) -> list[Question]:
    """Return the questions with a fifth of their accents gone and one typo each, by a fixed seed.

    A typo is a letter left out, doubled, swapped with the next or replaced, inside a word of five
    letters or more; a question without such a word gets none.
    """
    draw = random.Random(seed)
    return [
        replace(question, text=_with_typo(_without_accents(question.text, draw), draw))
        for question in questions
    ]


def _without_accents(text: str, draw: random.Random) -> str:
    def kept(letter: str) -> str:
        parts = unicodedata.normalize("NFD", letter)
        return parts[0] if len(parts) > 1 and draw.random() < ACCENTS_LOST else letter

    return "".join(map(kept, unicodedata.normalize("NFC", text)))


def _with_typo(text: str, draw: random.Random) -> str:
    words = text.split(" ")
    long = [i for i, word in enumerate(words) if len(word) >= SHORTEST and word.isalpha()]
    if not long:
        return text
    chosen = draw.choice(long)
    word = words[chosen]
    at = draw.randrange(1, len(word) - 1)
    before, letter, after = word[:at], word[at], word[at + 1 :]
    words[chosen] = draw.choice(
        (
            before + after,
            before + letter + letter + after,
            before + after[0] + letter + after[1:],
            before + draw.choice(LETTERS) + after,
        )
    )
    return " ".join(words)
