"""What a client of the WebSocket may send, read with care: text frame to message, or why not."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from rag.conversation import LONGEST_ID
from rag.retriever import LONGEST_QUESTION

LONGEST_PLACE = 2_000  # characters; more of a page's address or title is cut off
HIGHEST_SEQ = 2**53  # what a browser can count to


class Unreadable(Exception):
    """Say that a frame is no message; ``conversation_id`` is whose it was, where that is known."""

    def __init__(self, code: str, detail: str, conversation_id: str | None = None) -> None:
        super().__init__(detail)
        self.code = code
        self.conversation_id = conversation_id


def _harmless(text: str) -> str:
    """Return a text that can be stored and sent: no NUL, no half of a surrogate pair."""
    return text.replace("\0", "").encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _cut(text: str | None) -> str:
    return _harmless(text or "")[:LONGEST_PLACE]


Id: TypeAlias = Annotated[str, AfterValidator(_harmless), Field(max_length=LONGEST_ID)]
Place: TypeAlias = Annotated[str | None, AfterValidator(_cut)]


class _Frame(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True)


class Ask(_Frame):
    """Ask a question; ``page`` and ``title`` are where on the site the asker is."""

    type: Literal["message"]
    conversation_id: Id
    content: Annotated[str, AfterValidator(_harmless)]
    page: Place = ""
    title: Place = ""


class Stop(_Frame):
    """Stop the answer that is under way, if there is one."""

    type: Literal["stop"]
    conversation_id: Id


class Resume(_Frame):
    """Send again what came after a number, and what is still to come.

    Numbers are those of one ``series``: another process, or one started anew, counts by itself.
    Who is ``waiting`` for an answer is told when none is under way: the question was lost.
    """

    type: Literal["resume"]
    conversation_id: Id
    after: Annotated[int, Field(ge=0, le=HIGHEST_SEQ)]
    series: str = ""
    waiting: bool = False


class Warm(_Frame):
    """Have the model loaded: somebody is about to ask."""

    type: Literal["warm"]


Incoming: TypeAlias = Ask | Stop | Resume | Warm
_adapter: TypeAdapter[Incoming] = TypeAdapter(Annotated[Incoming, Field(discriminator="type")])


def read_frame(text: str) -> Incoming:
    """Return what a text frame says.

    Raises: Unreadable ``too_long`` for a question over `LONGEST_QUESTION` characters,
    ``bad_message`` for anything else that is none of the messages above.
    """
    try:
        data = json.loads(text)  # orjson would refuse half a surrogate pair, which browsers send
    except (ValueError, RecursionError):
        raise Unreadable("bad_message", "A message is a JSON object.") from None
    try:
        incoming = _adapter.validate_python(data)
    except (ValidationError, RecursionError) as error:
        raise Unreadable("bad_message", _explained(error), _id_of(data)) from None
    if isinstance(incoming, Ask) and len(incoming.content) > LONGEST_QUESTION:
        said = f"at most {LONGEST_QUESTION:,} characters"
        raise Unreadable("too_long", said, incoming.conversation_id)
    return incoming


def _explained(error: ValidationError | RecursionError) -> str:
    if isinstance(error, RecursionError):
        return "A message is a flat JSON object."
    fault = error.errors(include_url=False, include_input=False, include_context=False)[0]
    return f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg']}"[:200]


def _id_of(data: Any) -> str | None:
    found = data.get("conversation_id") if isinstance(data, dict) else None
    return _harmless(found) if isinstance(found, str) and len(found) <= LONGEST_ID else None
