"""Chunks follow headings, stay within the limit, lose nothing, and keep their ids."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import replace

import pytest

from indexer.chunker import chunk_page
from rag.core.documents import Block, Chunk, Page


def words(texts: Sequence[str]) -> list[int]:
    return [len(text.split()) for text in texts]


def subwords(texts: Sequence[str]) -> list[int]:
    return [sum(-(-len(word) // 4) for word in text.split()) for text in texts]


def page(*blocks: Block, **fields: str) -> Page:
    return Page("guide/page.md", "Titre", blocks, **fields)


def heading(text: str, level: int = 2, anchor: str = "") -> Block:
    return Block("heading", text, level=level, anchor=anchor)


def paragraph(count: int, word: str = "mot") -> Block:
    return Block("paragraph", " ".join(f"{word}{n}" for n in range(count)))


def steps(count: int, length: int) -> Block:
    body = " ".join(["geste"] * (length - 1))
    return Block("list", items=tuple(f"{n}. {body}" for n in range(1, count + 1)))


def texts(chunks: Sequence[Chunk]) -> list[str]:
    return [chunk.text for chunk in chunks]


def test_a_section_that_fits_is_one_chunk_with_its_heading_path_and_anchor() -> None:
    chunks = chunk_page(
        page(
            Block("paragraph", "Avant tout."),
            heading("Créer", anchor="creer"),
            Block("paragraph", "Premier."),
            Block("paragraph", "Second."),
            heading("Pièges", 3),
            Block("paragraph", "Attention."),
            heading("Supprimer", anchor="supprimer"),
            Block("paragraph", "Fin."),
        ),
        words,
    )
    assert [(c.headings, c.url, c.text) for c in chunks] == [
        ((), "guide/page.md", "Avant tout."),
        (("Créer",), "guide/page.md#creer", "Premier.\nSecond."),
        (("Créer", "Pièges"), "guide/page.md#creer", "Attention."),
        (("Supprimer",), "guide/page.md#supprimer", "Fin."),
    ]
    assert [c.position for c in chunks] == [0, 1, 2, 3]
    assert {(c.page, c.title, c.lang) for c in chunks} == {("guide/page.md", "Titre", "fr")}


def test_a_url_given_by_the_page_stands_before_the_anchor() -> None:
    section = (heading("H", anchor="h"), Block("paragraph", "t"))
    [chunk] = chunk_page(page(*section, url="https://aide.example/p"), words)
    assert chunk.url == "https://aide.example/p#h"


@pytest.mark.parametrize(
    ("page_id", "url"),
    [
        ("a b.md", "a%20b.md"),
        ("a\u00a0b\u202fc.md", "a%C2%A0b%E2%80%AFc.md"),
        ("50%#1?.md", "50%25%231%3F.md"),
        ("javascript:x.md", "./javascript:x.md"),
    ],
)
def test_a_page_id_becomes_a_harmless_relative_url(page_id: str, url: str) -> None:
    [chunk] = chunk_page(replace(page(Block("paragraph", "t")), id=page_id), words)
    assert chunk.url == url


def test_a_list_that_fits_is_never_cut() -> None:
    chunks = chunk_page(page(paragraph(30), steps(4, 8)), words, limit=40)
    assert [text.count("geste") for text in texts(chunks)] == [0, 28]


def test_a_long_list_repeats_its_lead_in_and_keeps_its_numbers() -> None:
    lead = Block("paragraph", "Pour créer un client :")
    chunks = chunk_page(page(lead, steps(10, 8)), words, limit=40)
    assert len(chunks) > 1
    assert all(text.startswith("Pour créer un client :\n") for text in texts(chunks))
    numbers = re.findall(r"^(\d+)\.", "\n".join(texts(chunks)), re.MULTILINE)
    assert numbers == [str(n) for n in range(1, 11)]


def test_nested_items_stay_with_their_step() -> None:
    items = ("1. a b c d", "  - e f g h", "2. i j k l", "  - m n o p", "3. q r s t", "  - u v w x")
    chunks = chunk_page(page(Block("list", items=items)), words, limit=13)
    assert texts(chunks) == ["\n".join(items[n : n + 2]) for n in (0, 2, 4)]


def test_a_long_table_repeats_its_header_and_lead_in() -> None:
    rows = tuple(f"champ{n} | sens {n}" for n in range(30))
    table = Block("table", items=rows, header="Champ | Sens")
    chunks = chunk_page(page(Block("paragraph", "Les champs :"), table), words, limit=40)
    assert len(chunks) > 1
    assert all(text.startswith("Les champs :\nChamp | Sens\n") for text in texts(chunks))
    assert [row for text in texts(chunks) for row in text.split("\n")[2:]] == list(rows)


def test_a_code_block_is_cut_only_when_longer_than_the_limit_and_then_at_line_ends() -> None:
    short = Block("code", "\n".join(f"ligne {n} fin" for n in range(10)))
    chunks = chunk_page(page(paragraph(20), short, paragraph(20)), words, limit=40)
    assert sum(short.text in text for text in texts(chunks)) == 1
    long = Block("code", "\n".join(f"  ligne {n} fin" for n in range(30)))
    chunks = chunk_page(page(long), words, limit=40)
    assert "\n".join(texts(chunks)) == long.text


def test_a_long_paragraph_is_cut_between_sentences() -> None:
    sentences = [f"Phrase {n} dit une chose." for n in range(20)]
    chunks = chunk_page(page(Block("paragraph", " ".join(sentences))), words, limit=12)
    assert all(text.startswith("Phrase") and text.endswith(".") for text in texts(chunks))
    assert " ".join(texts(chunks)) == " ".join(sentences)


def test_a_word_longer_than_the_limit_is_cut_even_when_the_encoder_counts_it_as_one() -> None:
    word = "x" * 10_000
    chunks = chunk_page(page(Block("paragraph", word)), words, limit=50)
    assert "".join(texts(chunks)) == word
    assert max(map(len, texts(chunks))) <= 16 * 50


def test_a_heading_with_nothing_under_it_is_kept() -> None:
    blocks = (heading("Vide"), heading("Plein"), Block("paragraph", "t"), heading("Fin"))
    assert texts(chunk_page(page(*blocks), words)) == ["Vide", "t", "Fin"]


def test_ids_follow_what_is_said_and_where_but_not_the_position() -> None:
    section = (heading("A"), Block("paragraph", "même"), heading("B"), Block("paragraph", "même"))
    before = chunk_page(page(*section), words)
    after = chunk_page(page(Block("paragraph", "Nouveau."), *section), words)
    assert [c.id for c in after[1:]] == [c.id for c in before]
    assert len({c.id for c in after}) == 3
    other = chunk_page(replace(page(*section), id="autre.md"), words)
    assert not {c.id for c in other} & {c.id for c in before}
    assert all(re.fullmatch(r"[0-9a-f]{32}", c.id) for c in after)


def test_identical_chunks_of_a_page_have_different_and_stable_ids() -> None:
    twice = (heading("A"), Block("paragraph", "même")) * 2
    first, second = (chunk_page(page(*twice), words) for _ in range(2))
    assert len({c.id for c in first}) == 2
    assert first == second


def random_page(seed: int) -> Page:
    source = random.Random(seed)
    counter = iter(range(100_000))

    def prose(most: int) -> str:
        length = source.randint(1, most)
        made = [
            f"w{next(counter)}" + source.choice(["", "", "", ".", ":", "x" * 90])
            for _ in range(length)
        ]
        return " ".join(made)

    def block() -> Block:
        kind = source.choice(["heading", "paragraph", "paragraph", "list", "table", "code"])
        rows = source.randint(1, 12)
        if kind == "heading":
            return heading(prose(4), source.randint(1, 4), source.choice(["", "a1"]))
        if kind == "paragraph":
            return Block("paragraph", prose(source.choice([5, 90])))
        if kind == "list":
            marks = (source.choice([f"{n}. ", "- ", "  - "]) for n in range(rows))
            return Block("list", items=tuple(mark + prose(30) for mark in marks))
        if kind == "table":
            items = tuple(f"{prose(8)} | {prose(8)}" for _ in range(rows))
            return Block("table", items=items, header=source.choice(["", prose(6), prose(60)]))
        return Block("code", "\n".join(prose(12) for _ in range(rows)))

    return page(*(block() for _ in range(source.randint(1, 14))))


@pytest.mark.parametrize("count", [words, subwords])
@pytest.mark.parametrize("limit", [14, 17, 60, 200])
def test_no_chunk_is_over_the_limit_or_empty_and_every_word_is_in_one(count, limit) -> None:
    for seed in range(60):
        made = random_page(seed)
        chunks = chunk_page(made, count, limit)
        assert all(tokens <= limit for tokens in count(texts(chunks))), seed
        assert all(text.strip() for text in texts(chunks)), seed
        said = re.sub(r"\s", "", "".join("".join(c.headings) + c.text for c in chunks))
        whole = [w for b in made.blocks for t in (b.text, b.header, *b.items) for w in t.split()]
        lost = [w for w in whole if w not in said and not all(p in said for p in pieces(w))]
        assert not lost, seed
        assert len({c.id for c in chunks}) == len(chunks), seed


def pieces(word: str) -> list[str]:
    """Return what a cut must leave of a word: the number that makes it unlike the others."""
    return re.findall(r"w\d+", word) or [word]


def test_texts_are_counted_many_at_a_time() -> None:
    calls: list[int] = []

    def counting(given: Sequence[str]) -> list[int]:
        calls.append(len(given))
        return words(given)

    chunk_page(page(*(paragraph(20, f"p{n}-") for n in range(100))), counting)
    assert calls == [100]
