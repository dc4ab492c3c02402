"""The YAML head of a Markdown page: title, url, lang, see_also, actions, questions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from indexer.parsers.assembly import linked_id
from rag.core.documents import ScreenLink
from rag.core.errors import CorpusError

_FENCE = re.compile(r"^(---|\.\.\.)[ \t]*$", re.MULTILINE)
_LONGEST = 65_536
# Each question is compared with each chunk of its page.
_MOST = 200
_LONGEST_QUESTION = 300
_FIELD = re.compile(r"^[A-Za-z_][\w-]*:(\s|$)", re.MULTILINE)


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
