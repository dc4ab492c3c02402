"""What the PDF and Word parsers make of a page, and what they say without their extra."""

from __future__ import annotations

import io
import sys

import docx
import pypdf
import pytest
from pypdf.generic import DecodedStreamObject, DictionaryObject, NameObject

from indexer.parsers import parse_page
from rag.core.documents import Block
from rag.core.errors import CorpusError
from tests.unit.test_parsers import headings, load, said


def word_document() -> bytes:
    document = docx.Document()
    document.add_heading("Titre", 0)
    document.add_heading("Section", 1)
    document.add_paragraph("Texte.")
    document.add_paragraph("Un", style="List Number")
    document.add_paragraph("Deux", style="List Number")
    table = document.add_table(2, 2)
    for index, text in enumerate(("A", "B", "1", "2")):
        table.cell(index // 2, index % 2).text = text
    target = io.BytesIO()
    document.save(target)
    return target.getvalue()


def test_word_documents() -> None:
    page = load("p.docx", word_document())
    assert page.title == "Titre"
    assert page.blocks == (
        Block("heading", "Section", level=1),
        Block("paragraph", "Texte."),
        Block("list", items=("1. Un", "2. Deux")),
        Block("table", header="A | B", items=("1 | 2",)),
    )


def pdf_document() -> bytes:
    writer = pypdf.PdfWriter()
    font = {"/Type": "/Font", "/Subtype": "/Type1", "/BaseFont": "/Helvetica"}
    fonts = DictionaryObject({NameObject(k): NameObject(v) for k, v in font.items()})
    for text in (b"Premier texte.", b"Second texte."):
        sheet = writer.add_blank_page(200, 200)
        sheet[NameObject("/Resources")] = DictionaryObject(
            {NameObject("/Font"): DictionaryObject({NameObject("/F"): fonts})}
        )
        stream = DecodedStreamObject()
        stream.set_data(b"BT /F 12 Tf 20 100 Td (" + text + b") Tj ET")
        sheet[NameObject("/Contents")] = stream
    writer.add_metadata({"/Title": "Mon manuel"})
    target = io.BytesIO()
    writer.write(target)
    return target.getvalue()


def test_pdf_sheets_have_anchors() -> None:
    page = load("p.pdf", pdf_document())
    assert page.title == "Mon manuel"
    assert said(page) == ["p. 1", "Premier texte.", "p. 2", "Second texte."]
    assert [anchor for _, _, anchor in headings(page)] == ["page=1", "page=2"]


@pytest.mark.parametrize(("name", "module"), [("p.pdf", "pypdf"), ("p.docx", "docx")])
def test_a_missing_extra_names_the_command_that_installs_it(name, module, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(CorpusError, match=r"pip install -c constraints\.txt -e '\.\[documents\]'"):
        parse_page(b"%PDF-", name)
