"""An answer as OpenAI's clients read it: one Markdown text, in the objects of a completion."""

from __future__ import annotations

import json
import re
import time
from dataclasses import asdict
from typing import Any
from uuid import uuid4

from rag.core.answers import Answer, Source
from rag.messages import message

SPECIAL = re.compile(r"([\\\[\]<>`*_])")


def whole_text(answer: Answer, lang: str) -> str:
    """Return an answer's text with why it is an extract, and its sources."""
    return after_chunks("", answer, lang) + closing(answer, lang)


def after_chunks(sent: str, answer: Answer, lang: str) -> str:
    """Return what is still to be said of an answer after the chunks ``sent``.

    What was sent cannot be taken back: a text that replaces it is set apart by a rule.
    """
    if not sent:
        return _reason(answer, lang) + answer.text
    if answer.text.startswith(sent):
        return answer.text[len(sent) :]
    return f"\n\n---\n\n{_reason(answer, lang)}{answer.text}"


def closing(answer: Answer, lang: str) -> str:
    """Return how a text ends: that it was cut short, and the list of its sources."""
    cut = f"\n\n{message('truncated', lang)}" if answer.truncated else ""
    if not answer.sources:
        return cut
    rows = "\n".join(f"- [{source.n}] {_link(source)}" for source in answer.sources)
    return f"{cut}\n\n{message('sources', lang)}\n\n{rows}"


class Completion:
    """Write the objects of one completion."""

    def __init__(self, model: str, *, wants_usage: bool) -> None:
        self._id = f"chatcmpl-{uuid4().hex}"
        self._created = int(time.time())
        self._model = model
        self._wants_usage = wants_usage

    def whole(self, answer: Answer, lang: str) -> dict[str, Any]:
        """Return a completion."""
        message = {"role": "assistant", "content": whole_text(answer, lang), "refusal": None}
        choice = {
            "index": 0,
            "message": message | _sources(answer),
            "logprobs": None,
            "finish_reason": _finish(answer),
        }
        return self._object("chat.completion", [choice]) | {"usage": _usage(answer)}

    def piece(self, delta: dict[str, Any], finish: str | None = None) -> bytes:
        """Return a line of a stream."""
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        more = {"usage": None} if self._wants_usage else {}
        return _line(self._object("chat.completion.chunk", [choice]) | more)

    def last(self, answer: Answer) -> bytes:
        """Return the lines that end a stream."""
        end = self.piece(_sources(answer), _finish(answer))
        if self._wants_usage:
            end += _line(self._object("chat.completion.chunk", []) | {"usage": _usage(answer)})
        return end + b"data: [DONE]\n\n"

    def _object(self, kind: str, choices: list[dict[str, Any]]) -> dict[str, Any]:
        return {
            "id": self._id,
            "object": kind,
            "created": self._created,
            "model": self._model,
            "choices": choices,
        }


def _reason(answer: Answer, lang: str) -> str:
    said = message("degraded", lang, reason=answer.reason) if answer.reason else ""
    return f"{said}\n\n" if said and answer.degraded else ""


def _link(source: Source) -> str:
    path = f"{source.title} > {source.heading}" if source.heading else source.title
    label = SPECIAL.sub(r"\\\1", path or source.page)
    if not re.fullmatch(r"(?:https?://|/)[^\s<>]+", source.url):
        return label
    return f"[{label}](<{source.url}>)"


def _sources(answer: Answer) -> dict[str, Any]:
    return {"sources": [asdict(source) for source in answer.sources]}


def _finish(answer: Answer) -> str:
    return "length" if answer.truncated else "stop"


def _usage(answer: Answer) -> dict[str, int]:
    """Return what the answer cost, nothing where no model wrote it."""
    prompt = answer.usage.prompt_tokens if answer.usage else 0
    output = answer.usage.output_tokens if answer.usage else 0
    return {"prompt_tokens": prompt, "completion_tokens": output, "total_tokens": prompt + output}


def _line(body: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(body, ensure_ascii=False).encode() + b"\n\n"
