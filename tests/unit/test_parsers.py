"""What each format's parser makes of a page, through ``load_page``."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from indexer.chunker import chunk_page
from indexer.sources import Candidate, load_page
from rag.core.documents import Block, Page, ScreenLink
from rag.core.errors import CorpusError


def load(name: str, text: str | bytes) -> Page:
    data = text.encode() if isinstance(text, str) else text
    return load_page(Candidate(Path(), name, Path(name), len(data)), data)


def said(page: Page) -> list[str]:
    return [
        line for block in page.blocks for line in (block.text, block.header, *block.items) if line
    ]


def headings(page: Page) -> list[tuple[int, str, str]]:
    return [(b.level, b.text, b.anchor) for b in page.blocks if b.kind == "heading"]


FRONT = """---
title: Créer un client
url: https://aide.example/clients/creer
lang: fr
see_also: [clients/modifier, ./fusionner.md, ../ventes/facturer]
actions:
  - label: Nouveau client
    url: /clients/nouveau/
questions: Comment créer un client ?
---

# Créer un client

Texte.
"""


def test_front_matter_becomes_the_page_s_fields() -> None:
    page = load("clients/creer.md", FRONT)
    assert page == Page(
        "clients/creer.md",
        "Créer un client",
        (Block("paragraph", "Texte."),),
        url="https://aide.example/clients/creer",
        lang="fr",
        see_also=("clients/modifier.md", "clients/fusionner.md", "ventes/facturer.md"),
        actions=(ScreenLink("Nouveau client", "/clients/nouveau/"),),
        questions=("Comment créer un client ?",),
    )


@pytest.mark.parametrize(
    ("front", "reason"),
    [
        ("title: a\nurl: [b", "line 4"),
        ("- a\n- b", "`name: value`"),
        ("title: [a]", "title must be text"),
        ("actions: [{label: a}]", "needs a label and a url"),
        ("actions: a", "list of label and url"),
        ("url: javascript:alert(1)", "must begin with http"),
        ("url: clients/creer", "must begin with http"),
        ("questions: [" + "a, " * 201 + "]", "questions has more than 200 entries"),
        ("see_also: [" + "a, " * 201 + "]", "see_also has more than 200 entries"),
        ("actions: [" + "{label: a, url: /a}, " * 201 + "]", "actions has more than 200 entries"),
        ("questions: " + "x" * 301, "a question of more than 300 characters"),
        ("actions: [{label: a, url: 'data:x'}]", "must begin with http"),
        ("a: &a [x]\nb: [*a, *a]", "line 3: aliases"),
        ("a: " + "[" * 2_000, "nested too deep"),
        ("a: " + "x" * 70_000, "longer than 64 kB"),
    ],
)
def test_bad_front_matter_says_what_is_wrong_and_where(front: str, reason: str) -> None:
    with pytest.raises(CorpusError, match="front matter") as error:
        load("p.md", f"---\n{front}\n---\ntexte")
    assert reason in error.value.reason


@pytest.mark.parametrize(
    ("name", "text", "title"),
    [
        ("p.md", "intro\n\n## Deux\n\n# Un\n\nx", "Un"),
        ("p.md", "intro\n\n## Deux\n\nx", "Deux"),
        ("mon-guide_rapide.md", "texte", "Mon guide rapide"),
        ("p.html", "<title>Un - Le site</title><h1>Un</h1><p>x", "Un"),
        ("p.html", "<title>4.4. Découpage</title><h3>4.4. Découpage</h3><p>x", "4.4. Découpage"),
        ("p.html", "<title>Aide du site</title><h2>Deux</h2><p>x", "Aide du site"),
        ("p.txt", "Titre\n=====\ntexte", "Titre"),
        ("p.rst", "Titre\n=====\n\ntexte", "Titre"),
    ],
)
def test_the_title_is_found_and_not_repeated(name: str, text: str, title: str) -> None:
    page = load(name, text)
    assert page.title == title
    assert title not in said(page)


MARKDOWN = """Choisissez **Client > Nouveau**, puis
[Valider](http://x) `Entrée`. <!-- secret --> <i>Fin</i>.

Étapes d'un client
------------------
1. Ouvrez.
2. Fermez :
   - la porte
   - la fenêtre

## Étapes d'un client
## Choisi {#mon-id}

| Champ | Sens |
|---|---|
| Nom | Le nom |

```python
if a:
    b
```

!!! note "À savoir"
    Une note.

> [!WARNING]
> Attention.

::: tip Astuce
Un conseil.
:::
"""


def test_markdown_becomes_plain_blocks() -> None:
    page = load("p.md", "# T\n" + MARKDOWN)
    assert said(page)[0] == "Choisissez Client > Nouveau, puis Valider Entrée. Fin."
    assert headings(page) == [
        (2, "Étapes d'un client", "étapes-dun-client"),
        (2, "Étapes d'un client", "étapes-dun-client-1"),
        (2, "Choisi", "mon-id"),
    ]
    assert (
        Block("list", items=("1. Ouvrez.", "2. Fermez :", "  - la porte", "  - la fenêtre"))
        in page.blocks
    )
    assert Block("table", header="Champ | Sens", items=("Nom | Le nom",)) in page.blocks
    assert Block("code", "if a:\n    b") in page.blocks
    assert said(page)[-5:] == ["À savoir", "Une note.", "Attention.", "Astuce", "Un conseil."]


MALLARD = """<?xml version="1.0" encoding="utf-8"?>
<page xmlns="http://projectmallard.org/1.0/" xmlns:if="http://projectmallard.org/if/1.0/"
  type="topic" id="p" xml:lang="fr">
<info><link type="guide" xref="g"/><link type="seealso" xref="autre#x"/><desc>Résumé.</desc>
<credit><name>Auteur</name></credit></info>
<title>Titre</title>
<p>Appuyez sur <keyseq><key>Ctrl</key> <key>C</key></keyseq> ou
  <guiseq><gui>A</gui><gui>B</gui></guiseq>, voir <link xref="keyboard-nav"/>.</p>
<section id="sec"><title>Section</title>
<steps><title>Faire</title><item><p>Un</p></item><item><p>Deux</p></item></steps>
<terms><item><title>Terme</title><p>Sens</p></item></terms>
<table><thead><tr><td><p>A</p></td><td><p>B</p></td></tr></thead>
<tr><td><p>1</p></td><td><p>2</p></td></tr></table>
<screen>$ ls
  x</screen>
<media type="image" src="x.png"><p>Image</p></media>
<if:choose><if:when test="platform:gnome-classic"><p>Classique</p></if:when>
<if:when test="!platform:gnome-classic"><p>Moderne</p></if:when></if:choose>
</section></page>"""


def test_mallard() -> None:
    page = load("gnome-help/p.page", MALLARD)
    assert (page.title, page.lang, page.see_also) == ("Titre", "fr", ("gnome-help/autre.page",))
    assert page.blocks == (
        Block("paragraph", "Résumé."),
        Block("paragraph", "Appuyez sur Ctrl+C ou A > B, voir keyboard nav."),
        Block("heading", "Section", level=2, anchor="sec"),
        Block("paragraph", "Faire"),
        Block("list", items=("1. Un", "2. Deux")),
        Block("list", items=("- Terme : Sens",)),
        Block("table", header="A | B", items=("1 | 2",)),
        Block("code", "$ ls\n  x"),
        Block("paragraph", "Moderne"),
    )


def test_plain_text() -> None:
    page = load("p.txt", "Titre\n=====\n\nUn\nparagraphe.\n\nFaire :\n1) Un\n2) Deux\n   suite\n")
    assert page.blocks == (
        Block("paragraph", "Un paragraphe."),
        Block("paragraph", "Faire :"),
        Block("list", items=("1. Un", "2. Deux suite")),
    )


def test_restructuredtext_reads_no_other_file_and_keeps_unknown_directives_text(
    tmp_path: Path,
) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("secret")
    page = load(
        "p.rst",
        "Titre\n=====\n\n.. _ici:\n\nSection\n-------\n\nVoir :guilabel:`Menu` et :doc:`X <y>`.\n\n"
        f"#. Un\n#. Deux\n\n.. include:: {secret}\n\n.. raw:: html\n\n   secret\n\n"
        f".. csv-table::\n   :file: {secret}\n\n.. versionadded:: 2\n\n   Nouveau.\n\n.. secret\n",
    )
    assert headings(page) == [(2, "Section", "ici")]
    assert said(page)[1:] == ["Voir Menu et X.", "1. Un", "2. Deux", "Nouveau."]


def test_what_each_chunk_repeats_is_short() -> None:
    long = "mot " * 15_000
    sections = "\n\n".join(f"## {n} {long if n < 2 else ''}\n\ntexte" for n in range(1_000))
    start = time.monotonic()
    page = load("p.md", f"---\ntitle: {long}\n---\n{sections}\n\n## a {{#{'x' * 201}}}\n")
    chunks = chunk_page(page, lambda texts: [len(text.split()) for text in texts])
    assert time.monotonic() - start < 2
    assert len(chunks) > 1_000
    assert page.title.endswith("mot…")
    assert max(len(text) for _, text, _ in headings(page)) <= 300 >= len(page.title)
    assert f"0 {long.strip()}" in said(page)
    assert headings(page)[-1] == (2, "a", "")
    with pytest.raises(CorpusError, match="url of more than 2,000 characters"):
        load("p.md", f"---\nurl: /{'x' * 2_000}\n---\ntexte")


def test_a_rule_above_plain_text_is_no_front_matter() -> None:
    assert said(load("p.md", "---\n\nAvant tout.\n\n---\n\nLe texte.")) == [
        "Avant tout.",
        "Le texte.",
    ]
    assert load("p.md", "---\n\ntitle: Un\n---\nx").title == "Un"


def test_markdown_anchors_are_unique() -> None:
    page = load("p.md", "# T\n## B\n## B\n## B-1\n## C\n## D {#c}\nx")
    assert [anchor for _, _, anchor in headings(page)] == ["b", "b-1", "b-1-1", "c-1", "c"]


def test_an_image_in_a_sentence_says_its_alternative() -> None:
    page = load("p.md", "Cliquez sur ![Valider](a.png). ![](b.png) ![Icône](c.png) ![a.png](a.png)")
    assert said(page) == ["Cliquez sur Valider."]
