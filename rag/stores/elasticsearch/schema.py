"""How pages, chunks and windows lie in an Elasticsearch index: analyzers, mapping, documents.

Windows are searched, chunks and pages are looked up. A window's words stand under its language
(``fr.title`` or ``en.title``, …), so that each field is stemmed by one analyzer, which takes the
steps of `language.analyzer` in their order. A question's words are stemmed in every language and
searched in all fields.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from rag.core.documents import Chunk, IndexMeta, PageRecord, ScreenLink, Window
from rag.language import analyzer
from rag.language.profiles import EVERYWHERE

VECTOR = "vector"
QUESTION = "question"
SPELLING = "spelling"
WINDOW_PREFIX = "window:"
COMPOSED = (*range(0xC0, 0x250), *range(0x1E00, 0x1F00))
# measured on 10,000 vectors: flat finds 1.00 of the exact top 5 in 2.5 ms, int8_flat .96-.98, hnsw
# .34-1.0, and the default (bbq_hnsw) .51-1.0; help pages make 100 to 20,000 chunks
VECTOR_INDEX = {"type": "flat"}


def index_settings() -> dict[str, Any]:
    """Return the settings of an index: invisible until refreshed, BM25's constants, analyzers."""
    return {
        "number_of_shards": 1,
        "auto_expand_replicas": "0-1",
        "refresh_interval": "-1",
        "similarity": {"default": {"type": "BM25", "k1": 1.2, "b": 0.75}},
        "analysis": {
            "char_filter": {
                "compose": {"type": "mapping", "mappings": _compositions()},
                "apostrophe": {
                    "type": "mapping",
                    "mappings": [f"{mark}=>'" for mark in map(chr, analyzer.APOSTROPHES)],
                },
            },
            "tokenizer": {
                "words": {
                    "type": "pattern",
                    "pattern": r"[\p{L}\p{N}]+(?:'[\p{L}\p{N}]+)*",
                    "group": 0,
                }
            },
            "filter": {
                "shorten": {"type": "truncate", "length": 255},
                "elision": {
                    "type": "elision",
                    "articles": list(analyzer.ELISIONS),
                    "articles_case": True,
                },
                "split": {
                    "type": "word_delimiter_graph",
                    "protected_words": sorted(analyzer.WHOLE),
                    "split_on_case_change": False,
                    "split_on_numerics": False,
                    "stem_english_possessive": False,
                },
                **{
                    f"stem_{lang}": {"type": "snowball", "language": name.capitalize()}
                    for lang, name in analyzer.STEMMERS.items()
                },
                "stem_any": {
                    "type": "multiplexer",
                    "filters": [f"stem_{lang},asciifolding" for lang in EVERYWHERE],
                    "preserve_original": False,
                },
            },
            "analyzer": {
                **{lang: _analyzer(f"stem_{lang}", "asciifolding") for lang in analyzer.STEMMERS},
                QUESTION: _analyzer("stem_any"),
                SPELLING: _analyzer("asciifolding"),
            },
        },
    }


def mapping(meta: IndexMeta) -> dict[str, Any]:
    """Return the strict mapping of an index made with this encoder; ``_meta`` says which."""
    looked_up = {"type": "object", "enabled": False}
    return {
        "dynamic": "strict",
        "_meta": asdict(meta),
        "properties": {
            "kind": {"type": "keyword"},
            "id": {"type": "keyword"},
            "page": {"type": "keyword", "ignore_above": 8_000},
            "lang": {"type": "keyword"},
            "version": {"type": "keyword"},
            "audience": {"type": "keyword"},
            **{lang: _text_fields(lang) for lang in analyzer.STEMMERS},
            SPELLING: {
                "type": "text",
                "analyzer": SPELLING,
                "index_options": "docs",
                "norms": False,
            },
            VECTOR: {
                "type": "dense_vector",
                "dims": meta.dimension,
                "index": True,
                "similarity": "cosine",
                "index_options": VECTOR_INDEX,
            },
            **dict.fromkeys(("record", "chunk", "window"), looked_up),
        },
    }


def chunk_document(chunk: Chunk) -> dict[str, Any]:
    """Return a chunk's document: it is looked up, not searched."""
    return {"kind": "chunk", "id": chunk.id, "page": chunk.page, "chunk": asdict(chunk)}


def read_chunk(source: Mapping[str, Any]) -> Chunk:
    """Return the chunk of a document."""
    return Chunk(**_with_tuples(source["chunk"], "headings", "questions"))


def window_id(window: str) -> str:
    """Return the document id of a window, which no chunk has."""
    return WINDOW_PREFIX + window


def document_ids(record: PageRecord) -> frozenset[str]:
    """Return the ids of the documents of a page's chunks and windows."""
    return frozenset((*record.chunk_ids, *map(window_id, record.window_ids)))


def window_document(window: Window) -> dict[str, Any]:
    """Return a window's document, its vector left out."""
    names = ("title", "headings", "questions", "text")
    return {
        "kind": "window",
        "id": window.id,
        "page": window.page,
        "lang": window.lang,
        "version": window.version,
        "audience": window.audience,
        _field_lang(window.lang): {name: getattr(window, name) for name in names},
        "window": {"chunk_ids": window.chunk_ids},
    }


def read_window(source: Mapping[str, Any]) -> Window:
    """Return the window of a document."""
    names = ("id", "page", "lang", "version", "audience")
    values = {name: source[name] for name in names} | source["window"]
    values |= source[_field_lang(source["lang"])]
    return Window(**_with_tuples(values, "headings", "questions", "chunk_ids"))


def record_id(page_id: str) -> str:
    """Return the document id of a page's record (a page's own id may be longer than allowed)."""
    return f"page:{hashlib.sha256(page_id.encode()).hexdigest()}"


def record_document(record: PageRecord) -> dict[str, Any]:
    """Return the document of a page's record."""
    return {"kind": "page", "record": asdict(record)}


def read_record(source: Mapping[str, Any]) -> PageRecord:
    """Return the record of a document."""
    names = ("chunk_ids", "window_ids", "see_also", "questions")
    values = _with_tuples(source["record"], *names)
    values["actions"] = tuple(ScreenLink(**action) for action in values["actions"])
    return PageRecord(**values)


def _with_tuples(values: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {**values, **{name: tuple(values[name]) for name in names}}


def _text_fields(lang: str) -> dict[str, Any]:
    text = {
        "type": "text",
        "analyzer": lang,
        "search_analyzer": QUESTION if lang in EVERYWHERE else lang,
        "index_options": "freqs",
        "copy_to": SPELLING,
    }
    return {"properties": dict.fromkeys(analyzer.FIELD_WEIGHTS, text)}


def _analyzer(*stem: str) -> dict[str, Any]:
    return {
        "type": "custom",
        "char_filter": ["compose", "apostrophe"],
        "tokenizer": "words",
        "filter": ["shorten", "lowercase", "elision", "split", *stem],
    }


def _compositions() -> list[str]:
    """Return what NFC does to accented Latin letters (Elasticsearch does it in a plugin only)."""
    letters = ((chr(code), unicodedata.normalize("NFD", chr(code))) for code in COMPOSED)
    return [f"{parts}=>{letter}" for letter, parts in letters if parts != letter]


def _field_lang(lang: str) -> str:
    return lang if lang in analyzer.STEMMERS else "fr"
