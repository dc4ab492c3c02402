"""A page's bytes as text, its front matter, and the page put together from both and its blocks."""

from __future__ import annotations

import codecs
import posixpath
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import yaml

from rag.core.documents import Block, Page, ScreenLink
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
_SEPARATORS = re.compile(r"[-_\s]+")
_FENCE = re.compile(r"^(---|\.\.\.)[ \t]*$", re.MULTILINE)
_LONGEST = 65_536
# Each question is compared with each chunk of its page.
_MOST = 200
_LONGEST_QUESTION = 300
_FIELD = re.compile(r"^[A-Za-z_][\w-]*:(\s|$)", re.MULTILINE)


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


def make_page(
    page_id: str, blocks: Sequence[Block], *, declared: str = "", given: str = "", lang: str = ""
) -> Page:
    """Make a page; the heading that is its title becomes no block.

    ``given`` is a title that stands (front matter); ``declared`` one that may carry the site's
    name (``<title>``). Without them: the first top heading, the first heading, the file's name.
    """
    position = _title_position(blocks, declared, given)
    kept = [block for index, block in enumerate(blocks) if index != position]
    heading = blocks[position].text if position is not None else ""
    title = given or heading or declared or _from_name(page_id)
    return Page(page_id, title, tuple(kept), lang=_primary(lang) or "fr")


def _title_position(blocks: Sequence[Block], declared: str, given: str) -> int | None:
    headings = [(index, block) for index, block in enumerate(blocks) if block.kind == "heading"]
    if not headings:
        return None
    top = next(((i, b) for i, b in headings if b.level == 1), None)
    if given:
        index, block = top or headings[0]
        return index if _same(block.text, given) else None
    if top:
        return top[0]
    index, block = headings[0]
    if not declared or declared.casefold().startswith(block.text.casefold()):
        return index
    return None


def _same(one: str, other: str) -> bool:
    return one.casefold().strip(" .:") == other.casefold().strip(" .:")


def _from_name(page_id: str) -> str:
    stem = _SEPARATORS.sub(" ", PurePosixPath(page_id).stem).strip()
    return stem[:1].upper() + stem[1:] or page_id


def _primary(lang: str) -> str:
    subtag = lang.strip().lower().replace("_", "-").split("-")[0]
    return subtag if subtag.isalpha() and len(subtag) in (2, 3) else ""


def slug(text: str) -> str:
    """Return a heading's anchor as GitHub makes it."""
    kept = (c for c in text.strip().lower() if c in "-_ " or unicodedata.category(c)[0] in "LNM")
    return "".join(kept).replace(" ", "-")


def linked_id(target: str, page_id: str) -> str:
    """Return the id of the page that a link names; without an extension, it has this page's.

    ``./`` and ``../`` start from this page's folder, anything else from the indexed folder.
    """
    path = target.partition("#")[0].strip()
    if path.startswith("."):
        path = posixpath.join(posixpath.dirname(page_id), path)
    path = posixpath.normpath(path.lstrip("/")) if path else ""
    if path.startswith("../"):
        # <base> may lead one folder above the indexed one; the next part is then its name.
        path = path.removeprefix("../").partition("/")[2]
    if path in ("", ".") or path.startswith(".."):
        return ""
    suffix = PurePosixPath(page_id).suffix
    return path if PurePosixPath(path).suffix else path + suffix


@dataclass(frozen=True, slots=True)
class FrontMatter:
    """Hold what a page's head says."""

    title: str = ""
    url: str = ""
    lang: str = ""
    see_also: tuple[str, ...] = ()
    actions: tuple[ScreenLink, ...] = ()
    questions: tuple[str, ...] = ()


class _Loader(yaml.SafeLoader):
    """Refuse aliases: a few lines of them can stand for gigabytes."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.MarkedYAMLError(problem="aliases are not allowed", problem_mark=mark)
        return super().compose_node(parent, index)


def split_front_matter(text: str, page_id: str) -> tuple[FrontMatter, str]:
    """Return a page's head and the text below it.

    Raises: CorpusError when the head is no YAML, too long, or a field has the wrong shape.
    """
    if not re.match(r"---[ \t]*\n", text):
        return FrontMatter(), text
    start = text.index("\n") + 1
    end = _FENCE.search(text, start)
    if end is None:
        return FrontMatter(), text
    head = text[start : end.start()]
    # A rule above plain text is no fence.
    if head.strip() and not head.partition("\n")[0].strip() and not _FIELD.search(head):
        return FrontMatter(), text
    if len(head) > _LONGEST:
        raise CorpusError(page_id, f"front matter longer than {_LONGEST // 1024} kB")
    return _fields(_load(head, page_id), page_id), text[end.end() :]


def _load(head: str, page_id: str) -> Mapping[str, Any]:
    try:
        values = yaml.load(head, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 2}: " if error.problem_mark else ""
        raise CorpusError(page_id, f"front matter, {line}{error.problem}") from None
    except (yaml.YAMLError, ValueError) as error:
        raise CorpusError(page_id, f"front matter: {str(error).splitlines()[0]}") from None
    except RecursionError:
        raise CorpusError(page_id, "front matter: nested too deep") from None
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise CorpusError(page_id, "front matter: must be `name: value` lines")
    return values


def _fields(values: Mapping[str, Any], page_id: str) -> FrontMatter:
    see_also = (linked_id(target, page_id) for target in _texts(values, "see_also", page_id))
    questions = _texts(values, "questions", page_id)
    if any(len(question) > _LONGEST_QUESTION for question in questions):
        reason = f"front matter: a question of more than {_LONGEST_QUESTION} characters"
        raise CorpusError(page_id, reason)
    return FrontMatter(
        title=_text(values, "title", page_id),
        url=_address(values, page_id),
        lang=_text(values, "lang", page_id),
        see_also=tuple(dict.fromkeys(filter(None, see_also))),
        actions=_actions(values, page_id),
        questions=questions,
    )


def _text(values: Mapping[str, Any], name: str, page_id: str) -> str:
    value = values.get(name)
    if value is None:
        return ""
    # YAML reads `lang: no` as false.
    if value is False and name == "lang":
        return "no"
    if isinstance(value, (dict, list, set, bytes)):
        raise CorpusError(page_id, f"front matter: {name} must be text")
    # Escapes can make lone surrogates, which no store accepts.
    return " ".join(str(value).encode("utf-8", "replace").decode().split())


def _texts(values: Mapping[str, Any], name: str, page_id: str) -> tuple[str, ...]:
    value = values.get(name)
    listed = value if isinstance(value, list) else [value]
    _refuse_many(listed, name, page_id)
    return tuple(filter(None, (_text({name: item}, name, page_id) for item in listed)))


def _refuse_many(listed: list[Any], name: str, page_id: str) -> None:
    if len(listed) > _MOST:
        raise CorpusError(page_id, f"front matter: {name} has more than {_MOST} entries")


def _address(values: Mapping[str, Any], page_id: str) -> str:
    address = _text(values, "url", page_id)
    if address and not address.lower().startswith(("/", "http://", "https://")):
        raise CorpusError(page_id, "front matter: url must begin with http://, https:// or /")
    return address


def _actions(values: Mapping[str, Any], page_id: str) -> tuple[ScreenLink, ...]:
    listed = values.get("actions") or []
    if not isinstance(listed, list) or not all(isinstance(item, dict) for item in listed):
        raise CorpusError(page_id, "front matter: actions must be a list of label and url")
    _refuse_many(listed, "actions", page_id)
    actions = tuple(ScreenLink(_text(i, "label", page_id), _address(i, page_id)) for i in listed)
    if not all(action.label and action.url for action in actions):
        raise CorpusError(page_id, "front matter: each action needs a label and a url")
    return actions
