"""What an index costs by its number of chunks, on either store, with made-up pages.

python bench/scaling.py [--elasticsearch URL] [--sizes 1000,10000,100000] [--words 120] [--json]
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from indexer.windows import windows_of
from rag.api import index_meta, open_retriever
from rag.config.settings import Settings
from rag.core.documents import Chunk, PageRecord
from rag.core.protocols import Encoder, Store, StoreWriter
from rag.diagnostics.benchmark import machine
from rag.encoders import bundled_encoder
from rag.language import analyzer
from rag.question import read_question
from rag.stores import open_store, throwaway_settings

PAGES = Path(__file__).parent.parent / "corpus"
CHUNKS_A_PAGE = 10
QUESTIONS = 50
SEED = 20_260_101
TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class Cost:
    """Hold what one size costs on one store."""

    store: str
    chunks: int
    write_s: float
    size_mb: float
    first_search_ms: float
    p50_ms: float
    p95_ms: float
    one_page_s: float
    memory_mb: float


def main() -> None:
    """Measure and print."""
    options = _options()
    costs = []
    for size in (int(part) for part in options.sizes.split(",")):
        for url in _stores(options):
            costs.append(measure(size, url, options.words))
            print(_line(costs[-1]), file=sys.stderr, flush=True)
    if options.json:
        found = {"environment": machine(), "costs": [asdict(cost) for cost in costs]}
        print(json.dumps(found, indent=2, default=str))


def measure(size: int, url: str | None, words: int) -> Cost:
    """Write ``size`` chunks into an empty store, then search it."""
    with TemporaryDirectory(prefix="souffleur-scaling") as folder:
        settings = Settings(data_dir=Path(folder), elasticsearch_url=url, timeout_s=TIMEOUT_S)
        with throwaway_settings(settings) as own:
            store = open_store(own)
            start = time.monotonic()
            _write(store, size, words)
            write_s = time.monotonic() - start
            retriever = open_retriever(own, store)
            times = [_search_ms(retriever, question) for question in _questions()]
            start = time.monotonic()
            _write_one(store)
            one_page_s = time.monotonic() - start
            found = Cost(
                "elasticsearch" if url else "sqlite",
                size,
                round(write_s, 1),
                _size_mb(own, url),
                round(times[0], 1),
                round(sorted(times[1:])[len(times) // 2], 1),
                round(sorted(times[1:])[int(len(times) * 0.95) - 1], 1),
                round(one_page_s, 2),
                round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
            )
            store.close()
            return found


def _write(store: Store, size: int, words: int) -> None:
    encoder = bundled_encoder()
    writer = store.writer(index_meta(encoder), full=True)
    chunks = _chunks(words)
    for number in range(0, size, CHUNKS_A_PAGE):
        page = list(islice(chunks, min(CHUNKS_A_PAGE, size - number)))
        _put(writer, page, encoder)
    writer.publish()


def _write_one(store: Store) -> None:
    """Add one page to the index, as a run does that finds one page changed."""
    encoder = bundled_encoder()
    writer = store.writer(index_meta(encoder), full=False)
    chunk = Chunk("new", "new.md", 0, "Une page neuve", (), "/new", "fr", "Une page de plus.")
    _put(writer, [chunk], encoder)
    writer.publish()


def _put(writer: StoreWriter, chunks: Sequence[Chunk], encoder: Encoder) -> None:
    first, windows = chunks[0], windows_of(chunks)
    ids, window_ids = (tuple(unit.id for unit in units) for units in (chunks, windows))
    record = PageRecord(
        first.page, "/pages", first.id, first.title, first.url, "fr", ids, window_ids
    )
    rows = encoder.encode_passages([window.searched for window in windows])
    writer.put_page(record, chunks, windows, dict(zip(window_ids, rows, strict=True)))


def _chunks(length: int) -> Iterator[Chunk]:
    """Yield chunks of words drawn as often as they stand in the sample pages, and rare ones."""
    draw = random.Random(SEED)
    words = _words()
    number = 0
    while True:
        text = " ".join(draw.choices(words, k=length))
        rare = f"{draw.choice(words)}{draw.randrange(100_000)}"  # names, codes
        page = number // CHUNKS_A_PAGE
        title = " ".join(draw.choices(words, k=4))
        yield Chunk(
            f"{number:08d}",
            f"{page}.md",
            number % CHUNKS_A_PAGE,
            title,
            (),
            f"/{page}",
            "fr",
            f"{text} {rare}",
        )
        number += 1


def _questions() -> list[str]:
    draw = random.Random(SEED + 1)
    words = [word for word in _words() if not analyzer.is_stop_word(word, "fr")]
    return [" ".join(draw.choices(words, k=draw.randint(2, 5))) for _ in range(QUESTIONS + 1)]


def _words() -> list[str]:
    texts = (path.read_text(encoding="utf-8") for path in sorted(PAGES.rglob("*.md")))
    return [word for text in texts for word in analyzer.words(text)]


def _search_ms(retriever: object, question: str) -> float:
    start = time.monotonic()
    retriever.retrieve(read_question(question), 5, timeout_s=TIMEOUT_S)  # type: ignore[attr-defined]
    return (time.monotonic() - start) * 1000


def _size_mb(settings: Settings, url: str | None) -> float:
    if url is None:
        file = settings.data_dir / "index.sqlite3"
        return round(file.stat().st_size / 1e6)
    import httpx

    name = settings.elasticsearch_index
    found = httpx.get(f"{url}/{name}/_stats/store", timeout=TIMEOUT_S).json()
    return round(found["_all"]["primaries"]["store"]["size_in_bytes"] / 1e6)


def _stores(options: argparse.Namespace) -> list[str | None]:
    both = {"sqlite": None, "elasticsearch": options.elasticsearch}
    wanted = [options.only] if options.only else list(both)
    return [both[name] for name in wanted if name == "sqlite" or options.elasticsearch]


def _line(cost: Cost) -> str:
    return "  ".join(f"{name} {value}" for name, value in asdict(cost).items())


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--elasticsearch", metavar="URL")
    parser.add_argument("--sizes", default="1000,10000,100000")
    parser.add_argument("--words", type=int, default=120, help="of each chunk")
    parser.add_argument("--only", choices=["sqlite", "elasticsearch"])
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    main()
