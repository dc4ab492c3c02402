"""Ask the product everything that the snapshot holds, kind by kind: {kind: {key: JSON value}}."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.quality.support import passages
from tests.snapshot import adapter

Values = dict[str, Any]
ROOT = Path(__file__).parents[2]
CORPUS = ROOT / "corpus"
SHOWN = 160  # characters of a text that are kept; a hash tells of the rest
SEARCHED, WIDELY = 20, 30  # hits
PROMPTS, BUDGETS = 50, (4_096, 900, 300)  # questions; tokens of passages
SIZES = (1, 3, 17)  # characters of a piece
VARYING = frozenset(("timings",))
# Debian's packages libreoffice-help-fr, gimp-help-fr and gnome-user-docs, and how many pages
MANUALS = {
    "libreoffice": (Path("/usr/share/libreoffice/help/fr"), 300),
    "gimp": (Path("/usr/share/gimp/2.0/help/fr"), 10_000),
    "gnome": (Path("/usr/share/help/fr/gnome-help"), 10_000),
}


@contextmanager
def sample_pages() -> Iterator[adapter.Help]:
    """Lend the sample pages, indexed; each of `KINDS` is asked of them."""
    with TemporaryDirectory() as folder:
        pages = adapter.Help(Path(folder), CORPUS)
        try:
            yield pages
        finally:
            pages.close()


@cache
def rows(name: str) -> list[dict[str, Any]]:
    """Return the rows of a file of tests/quality."""
    path = ROOT / "tests" / "quality" / f"{name}.jsonl"
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def told(text: str) -> str:
    """Return a text, shortened where it is long, with a hash of the whole."""
    if len(text) <= SHOWN:
        return text
    return f"{text[:SHOWN]}… {len(text)} {digest(text)}"


def digest(text: str, length: int = 8) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:length]


def asked() -> list[tuple[str, str, str | None]]:
    """Return the key, question and page of what is asked and searched."""
    found = [(row["question"], None) for row in rows("questions")]
    found += [(row["question"], row["page"]) for row in rows("ambiguous")]
    found += [(row["question"], None) for row in rows("extracts")]
    return [(f"{text} @{page}" if page else text, text, page) for text, page in found]


def answers(pages: adapter.Help) -> Values:
    return {key: _answer(pages.ask(text, page)) for key, text, page in asked()}


def _answer(answer: Values) -> Values:
    kept = {name: value for name, value in answer.items() if name not in VARYING}
    for name in ("sources", "retrieved"):  # their scores are those of the hits
        kept[name] = [" ".join(map(str, _without_score(one))) for one in answer[name]]
    return {**kept, "text": list(map(told, answer["text"].split("\n")))}


def _without_score(source: Values) -> list[Any]:
    return [value for name, value in source.items() if name != "score"]


def hits(pages: adapter.Help) -> Values:
    return {
        key: [_hit(hit) for hit in pages.search(text, SEARCHED, page)]
        for key, text, page in asked()
    }


def _hit(hit: Values) -> list[Any]:
    place = f"{hit['page']}#{hit['heading']} {digest(hit['title'] + hit['url'] + hit['text'], 4)}"
    return [place, hit["score"], *sorted(hit["legs"].items())]


def extracts(pages: adapter.Help) -> Values:
    return {
        row["question"]: told(pages.extract(row["question"], row["page"], WIDELY))
        for row in rows("extracts")
    }


def conversations(pages: adapter.Help) -> Values:
    talks = [[turn["question"] for turn in talk["turns"]] for talk in rows("conversations")]
    return {" / ".join(talk): list(map(list, pages.talk(talk))) for talk in talks}


def cache_pairs(_: adapter.Help) -> Values:
    return {
        f"{row['a']} / {row['b']}": adapter.explained(row["a"], row["b"])
        for row in rows("cache_pairs")
    }


def kept_questions(_: adapter.Help) -> Values:
    texts = [text for _, text, _ in asked()]
    texts += [turn["question"] for talk in rows("conversations") for turn in talk["turns"]]
    texts += [row[side] for row in rows("cache_pairs") for side in ("a", "b")]
    return {text: _kept(adapter.kept_question(text)) for text in texts}


def _kept(question: Values) -> Values:
    words = [json.dumps(word, ensure_ascii=False) for word in question["words"]]
    return {**question, "words": words}


def support(_: adapter.Help) -> Values:
    found = {}
    for row in rows("support"):
        judged = adapter.judged(row["sentence"], row["lang"], passages(row["passages"]))
        found[f"{row['sentence']} {digest(str(row['passages']), 4)}"] = judged
    return found


def filtered(_: adapter.Help) -> Values:
    """Return what is left of each sentence, and of those of the same passages one after another."""
    texts: dict[tuple[str, ...], list[str]] = {}
    for row in rows("support"):
        texts.setdefault((row["lang"], *row["passages"]), []).append(row["sentence"])
    found = {}
    for (lang, *names), sentences in texts.items():
        cited = " ".join(f"{text} [{n}]" for n, text in enumerate(sentences, 1))
        for text in (*sentences, cited):
            for size in SIZES:
                left = adapter.filtered(text, size, passages(names), lang)
                key = f"{told(text)} {digest(str(names), 4)} {size}"
                found[key] = {**left, "text": told(left["text"])}
    return found


def prompts(pages: adapter.Help) -> Values:
    questions = [row["question"] for row in rows("questions")]
    chosen = questions[:: len(questions) // PROMPTS][:PROMPTS]
    return {
        f"{question} {budget}": [f"{len(line)} {digest(line)} {line[:24]}" for line in lines]
        for question in chosen
        for budget in BUDGETS
        if (lines := pages.prompt(question, budget).split("\n"))
    }


def chunks(_: adapter.Help) -> Values:
    found: Values = {}
    for page, source, cut in adapter.pages_of(CORPUS):
        found[page] = {"source": digest(source), "chunks": cut if isinstance(cut, str) else []}
        for chunk in () if isinstance(cut, str) else cut:
            found[page]["chunks"].append([chunk.id, chunk.heading, _chunk(chunk)])
    return found


def manuals(_: adapter.Help) -> Values:
    found: Values = {}
    for name, (folder, most) in MANUALS.items():
        for page, source, cut in adapter.pages_of(folder, most) if folder.is_dir() else ():
            cuts = cut if isinstance(cut, str) else [_chunk(chunk, 6) for chunk in cut]
            found[f"{name}/{page}"] = {"source": digest(source), "chunks": cuts}
    return found


def _chunk(chunk: Any, length: int = 8) -> str:
    return digest(json.dumps(adapter.plain(chunk), ensure_ascii=False), length)


KINDS: Mapping[str, Callable[[adapter.Help], Values]] = {
    "answers": answers,
    "hits": hits,
    "extracts": extracts,
    "conversations": conversations,
    "cache_pairs": cache_pairs,
    "kept_questions": kept_questions,
    "support": support,
    "filtered": filtered,
    "prompts": prompts,
    "chunks": chunks,
    "manuals": manuals,
    "texts": lambda _: adapter.texts(),
    "helps": lambda _: {path: said.split("\n") for path, said in adapter.helps().items()},
    "openapi": lambda _: adapter.openapi(),
    "settings": lambda _: adapter.settings(),
    "sqlite": lambda pages: pages.tables(),
    "elasticsearch": lambda _: adapter.elasticsearch_bodies(),
}
