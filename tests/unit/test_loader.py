"""Pages are found the same way everywhere, and a hostile one costs no more than 2 s."""

from __future__ import annotations

import io
import os
import sys
import threading
import unicodedata
import zipfile
from pathlib import Path

import psutil
import pytest

from indexer.parsers.worker import shared
from indexer.sources import Candidate, find_pages, hash_page, load_page, read_page
from rag.core.errors import ConfigError, CorpusError


def write(root: Path, **files: str) -> None:
    for name, text in files.items():
        path = root / name.replace("__", "/").replace("_md", ".md")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def ids(*sources: Path) -> list[str]:
    return [candidate.id for candidate in find_pages(sources).candidates]


def skipped(*sources: Path) -> dict[str, str]:
    return {error.page: error.reason for error in find_pages(sources).skipped}


def candidate(name: str, data: bytes = b"") -> Candidate:
    return Candidate(Path(), name, Path(name), len(data))


def refusal(name: str, data: bytes) -> str:
    with pytest.raises(CorpusError) as error:
        load_page(candidate(name, data), data)
    assert error.value.page == name
    return error.value.reason


def test_a_folder_gives_its_pages_sorted_and_leaves_out_what_is_no_page(tmp_path: Path) -> None:
    write(tmp_path, b_md="b", a__c_md="c", a_md="a")
    for name in (".hidden.md", "logo.png", "style.css", "README"):
        (tmp_path / name).write_text("x")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "d.md").write_text("d")
    assert ids(tmp_path) == ["a.md", "a/c.md", "b.md"]
    assert not skipped(tmp_path)


def test_a_lone_file_has_its_name_as_id(tmp_path: Path) -> None:
    write(tmp_path, a__c_md="c")
    assert ids(tmp_path / "a" / "c.md") == ["c.md"]


def test_sources_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("x")
    with pytest.raises(ConfigError, match="no such file"):
        find_pages([tmp_path / "absent"])
    with pytest.raises(ConfigError, match="no known format"):
        find_pages([tmp_path / "a.png"])


def test_names_are_nfc_and_twins_are_reported(tmp_path: Path) -> None:
    for form in ("NFC", "NFD"):
        (tmp_path / unicodedata.normalize(form, "été.md")).write_text(form)
    expected = unicodedata.normalize("NFC", "été.md")
    assert ids(tmp_path) == [expected]
    if len(list(tmp_path.iterdir())) == 2:
        assert "same id" in skipped(tmp_path)[expected]


def test_the_same_file_given_twice_is_one_page(tmp_path: Path) -> None:
    write(tmp_path, a_md="a")
    assert ids(tmp_path, tmp_path, tmp_path / "a.md") == ["a.md"]
    assert not skipped(tmp_path, tmp_path / "a.md")


def test_no_link_leads_out_of_the_folder(tmp_path: Path) -> None:
    root = tmp_path / "corpus"
    write(root, sub__a_md="a")
    write(tmp_path, outside__secret_md="secret")
    links = {
        "file.md": tmp_path / "outside" / "secret.md",
        "folder": tmp_path / "outside",
        "loop": root,
        "self.md": root / "self.md",
        "inside.md": root / "sub" / "a.md",
    }
    for name, target in links.items():
        (root / name).symlink_to(target)
    assert ids(root) == ["inside.md", "sub/a.md"]
    assert set(skipped(root)) == {"file.md", "folder", "self.md"}
    assert "symlink out of the folder" in skipped(root)["file.md"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_what_is_no_file_or_has_no_sane_name_is_skipped(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.md")
    (tmp_path / "a\nb.md").write_text("x")
    (tmp_path / "a\u202eb.md").write_text("x")
    (tmp_path / "l\u2019été\u00a0: où\u202f?.md").write_text("x")
    assert skipped(tmp_path) == {
        "pipe.md": "not a regular file",
        "a\\nb.md": "its name holds control characters",
        "a\\u202eb.md": "its name holds control characters",
    }
    assert ids(tmp_path) == ["l\u2019été\u00a0: où\u202f?.md"]


def test_a_page_that_is_too_large_is_never_read(tmp_path: Path) -> None:
    path = tmp_path / "a.md"
    with path.open("wb") as file:
        file.truncate(50_000_000)
    assert skipped(tmp_path) == {"a.md": "larger than 10 MB"}
    with pytest.raises(CorpusError, match="larger than 10 MB"):
        read_page(Candidate(tmp_path, "a.md", path, 1))


def test_a_page_that_is_gone_or_empty_is_skipped(tmp_path: Path) -> None:
    write(tmp_path, a_md="")
    [found] = find_pages([tmp_path]).candidates
    with pytest.raises(CorpusError, match="empty"):
        read_page(found)
    found.path.unlink()
    with pytest.raises(CorpusError, match="cannot be read"):
        read_page(found)


def test_the_hash_is_that_of_the_bytes() -> None:
    assert hash_page(b"a") == "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"


ACCENTS = "Été : ça coûte 3 € à Noël"


@pytest.mark.parametrize(
    "data",
    [
        f"<p>{ACCENTS}".encode(),
        f"<p>{ACCENTS}".encode("utf-8-sig"),
        f"<p>{ACCENTS}".encode("utf-16"),
        f"<p>{ACCENTS}".encode("cp1252"),
        f"<meta charset=utf-8><p>{ACCENTS}".encode("cp1252"),
        f"<meta charset=iso-8859-1><p>{ACCENTS}".encode(),
        f"<meta charset=iso-8859-15><p>{ACCENTS}".encode("iso-8859-15"),
        f"<meta charset=latin-1><p>{ACCENTS}".encode("cp1252"),
        f"<meta charset=rot13><p>{ACCENTS}".encode("cp1252"),
        f"<p>{unicodedata.normalize('NFD', ACCENTS)}".encode(),
        f"<p>\x1b{ACCENTS}\u200b".encode(),
    ],
)
def test_every_encoding_gives_the_same_text(data: bytes) -> None:
    assert load_page(candidate("a.html"), data).blocks[0].text == ACCENTS


def test_a_few_bad_bytes_do_not_spoil_the_rest() -> None:
    page = load_page(candidate("a.txt"), b"\xff " + (ACCENTS + " 漢字 😀").encode())
    assert page.blocks[0].text == f"\ufffd {ACCENTS} 漢字 😀"


def test_escapes_cannot_bring_lone_surrogates() -> None:
    page = load_page(candidate("a.md"), b'---\ntitle: "a \\ud800"\n---\n&#xD800; texte')
    (page.title + page.blocks[0].text).encode()


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("a.md", b" \n ", "empty"),
        ("a.md", b"a\0b", "NUL"),
        ("a.html", b"\x1f\x8b\x08" + b"\0" * 50, "gzip"),
        ("a.html", b"<script>x</script><style>y</style><p hidden>z", "no text"),
        ("a.txt", b"\xff\xfe" + b"\x00\xd8" * 500, "wrong encoding"),
        ("a.page", b"<page><p>x", "not well-formed"),
        ("a.page", b'<!DOCTYPE p [<!ENTITY a "x">]><page><p>&a;</p></page>', "entities"),
        ("a.pdf", b"%PDF-1.7 junk", "not a readable PDF"),
        ("a.docx", b"PK junk", "not a Word document"),
    ],
)
def test_what_is_no_page_is_refused_with_its_reason(name: str, data: bytes, reason: str) -> None:
    assert reason in refusal(name, data)


def bomb() -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("word/document.xml", bytes(60_000_000))
    return target.getvalue()


HOSTILE = {
    "nested.html": "<div>" * 100_000 + "profond",
    "misnested.html": "".join(f"<b {n}><i {n}>" for n in range(3_000)) + "x</b>" * 3_000,
    "formatting.html": "".join(f"<b a{n}>" for n in range(20_000)) + "<p>x" * 20_000,
    "lists.html": "<ul><li>a" * 100_000,
    "tables.html": "<table><tr><td>a" * 100_000,
    "line.html": "<p>" + "mot " * 2_400_000,
    "elements.html": "<p>a" * 2_400_000,
    "attributes.html": "<p " + " ".join(f"a{n}=1" for n in range(800_000)) + ">x",
    "style.html": "<p style='" + "display " * 1_000_000 + "'>x",
    "quotes.md": ">" * 100_000 + " x",
    "brackets.md": "[a](" * 100_000,
    "stars.md": "*a **b " * 50_000,
    "table.md": "|a" * 20_000 + "\n" + "|-" * 20_000 + "\n" + ("|x" * 20_000 + "\n") * 20,
    "line.md": "mot " * 2_400_000,
    "items.txt": "- a\n" * 2_000_000,
    "titles.rst": "".join(f"T{n}\n{'=' * 9}\n\n" for n in range(20_000)),
    "nested.rst": "".join(" " * n + "* a\n\n" for n in range(800)),
    "inline.rst": "*a `b " * 100_000,
    "nested.page": "<page>" + "<section>" * 100_000 + "</section>" * 100_000 + "</page>",
    "bomb.docx": bomb(),
}


def processor_s() -> float:
    """Return what this process and its children have computed, those that ended among them."""
    times = [child.cpu_times() for child in psutil.Process().children()]
    return sum(psutil.Process().cpu_times()[:4]) + sum(one.user + one.system for one in times)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_page_costs_at_most_two_seconds_and_never_the_next_page(name: str) -> None:
    hostile = HOSTILE[name]
    data = hostile.encode() if isinstance(hostile, str) else hostile
    load_page(candidate("warm.md"), b"x")
    start = processor_s()
    try:
        assert load_page(candidate(name), data).blocks
    except CorpusError as error:
        assert error.reason
    assert processor_s() - start < 2
    assert load_page(candidate("next.md"), b"suite").blocks[0].text == "suite"


@pytest.mark.skipif(sys.platform == "win32", reason="the limit is of the clock's time there")
def test_a_busy_machine_costs_no_page() -> None:
    load_page(candidate("a.md"), b"x")
    children = psutil.Process().children()
    (parser,) = [one for one in children if "indexer.parsers.worker" in one.cmdline()]
    parser.suspend()
    later = threading.Timer(2.5, parser.resume)
    later.start()
    assert load_page(candidate("a.md"), b"y").blocks
    later.join()


def test_a_parser_that_was_ended_is_started_again() -> None:
    load_page(candidate("a.md"), b"x")
    shared.close()
    assert load_page(candidate("a.md"), b"x").blocks
