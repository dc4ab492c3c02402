"""Fit the weights by which a page's section is chosen: those of `rag/extraction/choice.py`.

    python training/fit_sections.py [--manual FOLDER…]

The questions are those of `tests/quality`: what an extract must show, and pages' titles with the
section that a reader would choose. Of each manual, headings are asked as questions too, their own
section's heading hidden for most of them, so that its text is what must be found. Prints how often
the right section is chosen in each set by weights fitted on the others, then the weights fitted on
all of them.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parent.parent))

from indexer.pipeline import run
from rag.api import open_retriever
from rag.config.settings import Settings
from rag.core.documents import Chunk, Hit
from rag.core.protocols import Store
from rag.encoders import bundled_encoder
from rag.extraction.choice import features, read_for
from rag.extraction.page_index import PageIndex, read_page
from rag.question import read_question
from rag.stores.sqlite import SqliteStore
from tests.quality.extracts import CORPUS, QUESTIONS, TITLES, ranked

RIDGE, STEPS, RATE = 0.005, 1200, 0.03
HEADINGS_WEIGHT = 0.3  # of a set of headings beside one of questions
MOST_OF_A_MANUAL = 150
HIDDEN = 0.6  # of the headings asked


@dataclass(frozen=True, slots=True)
class Example:
    """Hold the features of a page's sections, (sections, features), and which are right."""

    rows: NDArray[numpy.float64]
    right: tuple[int, ...]


def main() -> None:
    """Fit, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--manual", type=Path, nargs="*", default=[])
    folders = parser.parse_args().manual
    with tempfile.TemporaryDirectory() as place:
        sets = dict(_asked(_indexed([CORPUS], Path(place) / "sample")))
        for folder in folders:
            store = _indexed([folder], Path(place) / f"{len(sets)}")
            sets[str(folder)] = list(_headings(store))
    for name, examples in sets.items():
        weights = fit({other: rows for other, rows in sets.items() if other != name})
        right = sum(int((one.rows @ weights).argmax()) in one.right for one in examples)
        print(f"{name}: {right} of {len(examples)}")
    for name, weight in zip(NAMES, fit(sets), strict=True):
        print(f'    "{name}": {weight:.2f},')


def fit(sets: dict[str, list[Example]]) -> NDArray[numpy.float64]:
    """Return the weights of a softmax over sections, by Adam (Kingma & Ba 2014) with a ridge."""
    weights, mean, square = numpy.zeros((3, len(NAMES)))
    for step in range(1, STEPS + 1):
        slope = RIDGE * weights
        for name, examples in sets.items():
            share = (HEADINGS_WEIGHT if Path(name).is_dir() else 1.0) / len(examples)
            slope = slope + share * sum(_slope(one, weights) for one in examples)
        mean, square = 0.9 * mean + 0.1 * slope, 0.999 * square + 0.001 * slope**2
        scale = numpy.sqrt(square / (1 - 0.999**step)) + 1e-8
        weights = weights - RATE * mean / (1 - 0.9**step) / scale
    return weights


def _slope(one: Example, weights: NDArray[numpy.float64]) -> NDArray[numpy.float64]:
    scores = one.rows @ weights
    odds = numpy.exp(scores - scores.max())
    odds /= odds.sum()
    wanted = numpy.zeros(len(odds))
    wanted[list(one.right)] = odds[list(one.right)]
    slope: NDArray[numpy.float64] = one.rows.T @ (odds - wanted / wanted.sum())
    return slope


def _asked(store: Store) -> Iterator[tuple[str, list[Example]]]:
    """Return the sets of questions of the sample pages by their names."""
    retriever = open_retriever(Settings(), store)
    for half in ("dev", "test"):
        asked = [one for one in QUESTIONS if one["half"] == half]
        found = (_example(one, *ranked(store, retriever, one)) for one in asked)
        yield half, [example for example in found if example]
    found = (_example(one, *ranked(store, retriever, one)) for one in TITLES)
    yield "titles", [example for example in found if example]


def _example(asked: dict, hits: Sequence[Hit], page: Sequence[Chunk]) -> Example | None:
    index = read_page(page, hits[0].chunk)
    values = [_value(index, number, asked) for number in range(len(index.sections))]
    right = tuple(i for i, value in enumerate(values) if value == max(values) > 0)
    return Example(_rows(index, asked["question"], hits), right) if right else None


def _value(index: PageIndex, number: int, asked: dict) -> float:
    """Return how much of what is wanted a section says, less where it says what is not."""
    section = index.sections[number]
    if "sections" in asked:
        return float(section.chunks[0].heading in asked["sections"])
    told = " ".join(" ".join(chunk.text for chunk in section.chunks).split())
    wanted = sum(part in told for part in asked["contains"])
    return wanted - 0.5 * any(part in told for part in asked.get("excludes", ()))


def _headings(store: Store) -> Iterator[Example]:
    """Return headings of a manual asked as questions, one a page."""
    chance = random.Random(1)
    records = sorted(store.records().values(), key=lambda record: record.id)
    chance.shuffle(records)
    found = (_heading(store, record.chunk_ids, chance) for record in records)
    for count, example in enumerate(filter(None, found), 1):
        yield example
        if count == MOST_OF_A_MANUAL:
            return


def _heading(store: Store, ids: Sequence[str], chance: random.Random) -> Example | None:
    known = store.chunks(ids, 10.0)
    page = [known[one] for one in ids]
    index = read_page(page, page[0])
    long = [i for i, one in enumerate(index.sections) if " " in one.heading and len(one.blocks) > 1]
    if len(index.sections) < 3 or not long:
        return None
    number = chance.choice(long)
    hidden = number if chance.random() < HIDDEN else None
    rows = _rows(index, index.sections[number].headings[-1], [Hit(page[0], 0.0, 1)], hidden)
    rows[:, [NAMES.index("best"), NAMES.index("found")]] = 0.0
    return Example(rows, (number,))


def _rows(
    index: PageIndex, text: str, hits: Sequence[Hit], hidden: int | None = None
) -> NDArray[numpy.float64]:
    reading = read_for(index, read_question(text), bundled_encoder())
    if hidden is not None:
        reading.headed[:, hidden] = 0.0
    return numpy.array(list(features(reading, hits).values())).T


def _indexed(folders: list[Path], place: Path) -> Store:
    place.mkdir()
    store = SqliteStore(place / "index.db")
    run(folders, store, bundled_encoder())
    return store


NAMES = [
    *("unit", "all", "heading", "given", "named", "verb", "same_verb", "another", "opposite"),
    *("steps", "intro", "intro_told", "best", "found", "later", "first_act"),
]

if __name__ == "__main__":
    main()
