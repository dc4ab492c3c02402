"""Measure follow-up questions over the sample pages, found with and without their conversation.

python -m tests.quality.conversations [--verbose]
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from indexer.pipeline import run
from rag.api import open_retriever
from rag.config.settings import Settings
from rag.core.records import Turn
from rag.encoders import bundled_encoder
from rag.question import read_question
from rag.retriever import Retriever
from rag.stores.sqlite import SqliteStore

CORPUS = Path(__file__).parents[2] / "corpus"
CONVERSATIONS = [
    json.loads(line)
    for line in Path(__file__).with_suffix(".jsonl").read_text("utf-8").splitlines()
]
# how a follow-up may be searched: its text, and the page that it is asked from
WAYS = ("alone", "both questions", "page", "context", "context and page")


@dataclass(frozen=True, slots=True)
class Asked:
    """Hold a later turn: whether it is a follow-up, the text searched, and each way's pages."""

    question: str
    split: str
    lang: str
    follow_up: bool
    contextual: str
    right: frozenset[str]
    found: dict[str, list[str]]

    def rank(self, way: str) -> int:
        """Return the right page's rank, from 1; 99 where it is not among ten chunks' pages."""
        ranks = (n for n, page in enumerate(self.found[way], 1) if page in self.right)
        return next(ranks, 99)


def asked(retriever: Retriever) -> Iterator[Asked]:
    """Yield every later turn of the conversations, searched in every way."""
    for talk in CONVERSATIONS:
        turns: tuple[Turn, ...] = ()
        for row in talk["turns"]:
            question = row["question"]
            read = read_question(question, turns)
            lang, contextual = read.language, read.standalone
            found = ways(retriever, question, contextual, turns)
            if turns:
                right = frozenset([row["page"], *row.get("pages", [])])
                yield Asked(
                    question, talk["split"], lang, row["follow_up"], contextual, right, found
                )
            best = found["context"][:1]
            turns = (*turns, Turn(question, contextual, tuple(best)))


def ways(
    retriever: Retriever, question: str, contextual: str, turns: tuple[Turn, ...]
) -> dict[str, list[str]]:
    """Return the pages found, best first, by each of `WAYS`."""
    page = turns[-1].pages[0] if turns and turns[-1].pages else None
    goes_on = contextual != question
    both = f"{turns[-1].question} {question}" if turns else question
    texts = {
        "alone": (question, None),
        "both questions": (both, None),
        "page": (question, page),
        "context": (contextual, None),
        "context and page": (contextual, page if goes_on else None),
    }
    found = {asked: pages(retriever, *asked) for asked in set(texts.values())}
    return {way: found[asked] for way, asked in texts.items()}


def pages(retriever: Retriever, text: str, page: str | None) -> list[str]:
    hits = retriever.retrieve(read_question(text), 10, page=page).hits
    return list(dict.fromkeys(hit.chunk.page for hit in hits))


def share(values: list[bool]) -> float:
    return sum(values) / len(values)


def shares(turns: list[Asked], way: str) -> tuple[float, float]:
    """Return the shares of turns whose right page comes first, and among the first three."""
    ranks = [turn.rank(way) for turn in turns]
    return share([rank == 1 for rank in ranks]), share([rank <= 3 for rank in ranks])


def report(turns: list[Asked]) -> Iterator[str]:
    for split in ("dev", "test"):
        own = [turn for turn in turns if turn.split == split]
        follow = [turn for turn in own if turn.follow_up]
        alone = [turn for turn in own if not turn.follow_up]
        seen = share([turn.contextual != turn.question for turn in follow])
        left = share([turn.contextual == turn.question for turn in alone])
        yield f"{split}: {len(follow)} follow-ups, {seen:.0%} recognised"
        yield f"  {len(alone)} questions that stand alone, {left:.0%} left as they are"
        for way in WAYS:
            first, three = shares(follow, way)
            lone_first, lone_three = shares(alone, way)
            yield (
                f"  {way:17} follow-ups: first {first:.0%}, top 3 {three:.0%};"
                f" stand-alone: first {lone_first:.0%}, top 3 {lone_three:.0%}"
            )


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = SqliteStore(Path(folder) / "index.sqlite3")
        run([CORPUS], store, bundled_encoder())
        turns = list(asked(open_retriever(Settings(), store)))
        store.close()
    for turn in turns if "--verbose" in sys.argv else ():
        ranks = " ".join(f"{turn.rank(way):2}" for way in WAYS)
        print(f"{turn.split:4} {'f' if turn.follow_up else 's'} {ranks}  {turn.contextual}")
    print("\n".join(report(turns)))


if __name__ == "__main__":
    main()
