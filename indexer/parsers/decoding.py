"""Bytes to text: byte order mark, UTF-8, declared charset, then Windows-1252."""

from __future__ import annotations

import codecs
import re
import unicodedata

from rag.core.errors import CorpusError

_DECLARED = re.compile(rb"""(?:charset|encoding)\s*=\s*["']?\s*([\w.:-]{2,40})""", re.IGNORECASE)
_MAGIC = {
    b"\x1f\x8b": "gzip",
    b"PK\x03\x04": "zip",
    b"%PDF-": "PDF",
    b"\x89PNG": "PNG",
    b"\xff\xd8\xff": "JPEG",
    b"GIF8": "GIF",
    b"BZh": "bzip2",
    b"\xfd7zXZ": "xz",
}
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_LINE_ENDS = re.compile("\r\n?|[\f\x85\u2028\u2029]")
# Control characters, soft hyphens and what has no width.
_INVISIBLE = re.compile("[\0-\x08\x0b\x0e-\x1f\x7f-\x9f\xad\u200b\u2060\ufeff]")
_REPLACED_SHARE = 0.02


def decode(data: bytes, page_id: str) -> str:
    """Decode a page's bytes to NFC text with ``\\n`` line ends, without control characters.

    Raises: CorpusError when the bytes are no text, or mostly in no known encoding.
    """
    for magic, name in _MAGIC.items():
        if data.startswith(magic):
            raise CorpusError(page_id, f"not text: the file holds {name} data")
    text = _decoded(data, page_id)
    replaced = text.count("\ufffd")
    if replaced > 10 and replaced > _REPLACED_SHARE * len(text):
        raise CorpusError(page_id, f"wrong encoding: {replaced} characters cannot be read")
    text = _INVISIBLE.sub("", _LINE_ENDS.sub("\n", text))
    return unicodedata.normalize("NFC", text)


def _decoded(data: bytes, page_id: str) -> str:
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            return data.decode(encoding, errors="replace").lstrip("\ufeff")
    if b"\0" in data:
        raise CorpusError(page_id, "not text: the file holds NUL bytes")
    # Valid UTF-8 with accents is UTF-8 whatever the page declares.
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        pass
    try:
        return data.decode(_declared(data))
    except (LookupError, UnicodeError):
        return _mixed(data)


def _declared(data: bytes) -> str:
    found = _DECLARED.search(data[:2048])
    name = found[1].decode("ascii", "replace") if found else "utf-8"
    codec = codecs.lookup(name)
    if not getattr(codec, "_is_text_encoding", True) or codec.name.startswith(
        ("utf", "unicode", "raw", "punycode", "idna")
    ):
        raise LookupError(name)
    # Browsers read these two as their superset.
    return "cp1252" if codec.name in ("iso8859-1", "ascii") else codec.name


def _mixed(data: bytes) -> str:
    """Choose between UTF-8 with a few bad bytes and Windows-1252."""
    text = data.decode("utf-8", errors="replace")
    bad = text.count("\ufffd")
    good = sum(1 for character in text if character > "\x7f") - bad
    return text if good > 2 * bad else data.decode("cp1252", errors="replace")
