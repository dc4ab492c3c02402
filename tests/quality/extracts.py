"""Measure how often an extract shows the answer, and how long it is, on the sample pages:

python -m tests.quality.extracts
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from indexer.pipeline import run
from rag.api import open_retriever
from rag.config.settings import Settings
from rag.core.documents import Chunk, Hit
from rag.core.protocols import Store
from rag.encoders import bundled_encoder
from rag.extraction import extract_answer
from rag.question import read_question
from rag.retriever import Retriever
from rag.stores.sqlite import SqliteStore

CORPUS = Path(__file__).parents[2] / "corpus"
QUESTIONS, TITLES = (
    [json.loads(line) for line in Path(__file__).with_name(name).read_text("utf-8").splitlines()]
    for name in ("extracts.jsonl", "titles.jsonl")
)
WIDELY = 30  # hits asked for: the right page is brought to the front, so that search does not count
TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class Shown:
    """Hold a question and its extract; ``answers`` when that shows all it must and no more."""

    asked: dict
    text: str
    answers: bool


def extracts(store: Store, retriever: Retriever) -> list[Shown]:
    """Return the extract of each question whose page was found, taken from that page."""
    found = []
    for asked in QUESTIONS:
        hits, page = ranked(store, retriever, asked)
        if hits[0].chunk.page != asked["page"]:
            continue
        question = read_question(asked["question"])
        extract = extract_answer(question, hits, page, bundled_encoder())
        found.append(Shown(asked, extract.text, answers(asked, extract.text)))
    return found


def title_sections(store: Store, retriever: Retriever) -> dict[str, tuple[str, list[str]]]:
    """Return, by page, the section that answers its title, and those that a reader would take."""
    chosen = {}
    for asked in TITLES:
        hits, page = ranked(store, retriever, asked)
        question = read_question(asked["question"])
        extract = extract_answer(question, hits, page, bundled_encoder())
        chosen[asked["page"]] = (extract.hits[0].chunk.heading, asked["sections"])
    return chosen


def ranked(store: Store, retriever: Retriever, asked: dict) -> tuple[list[Hit], list[Chunk]]:
    """Return what is found, the right page's hits first, and that page's chunks."""
    hits = retriever.retrieve(read_question(asked["question"]), WIDELY).passages
    ordered = sorted(hits, key=lambda hit: hit.chunk.page != asked["page"])
    ids = store.pages([asked["page"]], TIMEOUT_S)[asked["page"]].chunk_ids
    chunks = store.chunks(ids, TIMEOUT_S)
    return ordered, [chunks[i] for i in ids]


def answers(asked: dict, text: str) -> bool:
    """Say whether a text holds all that ``contains`` names and nothing that ``excludes`` names."""
    plain = " ".join(text.split())
    wanted = all(part in plain for part in asked["contains"])
    return wanted and not any(part in plain for part in asked.get("excludes", ()))


def table(shown: Sequence[Shown]) -> str:
    """Return the figures as a Markdown table."""
    rows = ["| questions | number | answer shown | median length | 90 % are at most |"]
    rows.append("|---|--:|--:|--:|--:|")
    kept: list[tuple[str, Callable[[dict], bool]]] = [
        ("reported half", lambda asked: asked["half"] == "test"),
        ("… in French", lambda asked: asked["half"] == "test" and asked["lang"] == "fr"),
        ("… in English", lambda asked: asked["half"] == "test" and asked["lang"] == "en"),
        ("half tuned on", lambda asked: asked["half"] == "dev"),
    ]
    for name, keep in kept:
        part = [one for one in shown if keep(one.asked)]
        lengths = sorted(len(one.text) for one in part)
        share = sum(one.answers for one in part) / len(part)
        tenth = statistics.quantiles(lengths, n=10)[8]
        middle = statistics.median(lengths)
        rows.append(f"| {name} | {len(part)} | {share:.0%} | {middle:.0f} | {tenth:.0f} |")
    return "\n".join(rows)


def main() -> None:
    """Index the sample pages, print the figures, and what failed in the half tuned on."""
    with tempfile.TemporaryDirectory() as folder:
        store = SqliteStore(Path(folder) / "index.db")
        run([CORPUS], store, bundled_encoder())
        shown = extracts(store, open_retriever(Settings(), store))
        print(table(shown))
        chosen = title_sections(store, open_retriever(Settings(), store))
        right = sum(section in wanted for section, wanted in chosen.values())
        print(f"\ntitles asked: {right} of {len(chosen)} from a section that a reader would choose")
        failed = [s for s in shown if s.asked["half"] == "dev" and not s.answers]
        print(dict(Counter(s.asked["kind"] for s in failed)), file=sys.stderr)
        if "--failed" in sys.argv:
            for one in failed:
                print(f"\n## {one.asked['question']} {one.asked['contains']}\n{one.text}")
        store.close()


if __name__ == "__main__":
    main()
