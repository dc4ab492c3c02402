"""Messages of the WebSocket: what a client sends is read with care, what it was sent is numbered.

The last messages of each conversation are kept for a client whose connection broke.
"""

from __future__ import annotations

import json
import secrets
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Generic, Literal, TypeAlias, TypeVar

import orjson
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from rag.conversation import LONGEST_ID
from rag.retriever import LONGEST_QUESTION

LONGEST_PLACE = 2_000  # characters; more of a page's address or title is cut off
HIGHEST_SEQ = 2**53  # what a browser can count to
MOST_BYTES = 256 * 1024  # of one conversation
MOST_BYTES_OF_ALL = 16 * 1024 * 1024
MOST_KEPT = 2_000
KEPT_S = 300.0
TIDY_S = 1.0


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


@dataclass(frozen=True, slots=True)
class Numbered:
    """Hold a message as it is sent, ``first`` when it is the first piece of an answer's text."""

    seq: int
    text: str
    first: bool = False


class Replay:
    """Number the messages of one conversation and keep the last `MOST_BYTES` of them."""

    def __init__(self) -> None:
        self.last = 0
        self.series = secrets.token_hex(4)
        self.bytes = 0
        self._kept: deque[Numbered] = deque()

    def add(self, message: dict[str, object], *, first: bool = False) -> Numbered:
        """Return a message with its number; the earliest ones are dropped for want of room."""
        self.last += 1
        text = orjson.dumps({**message, "seq": self.last, "series": self.series}).decode()
        numbered = Numbered(self.last, text, first)
        self._kept.append(numbered)
        self.bytes += len(text)
        while self.bytes > MOST_BYTES and len(self._kept) > 1:
            self.bytes -= len(self._kept.popleft().text)
        return numbered

    def after(self, seq: int) -> list[Numbered] | None:
        """Return what came after a number; None when that is not known any more."""
        if seq > self.last or seq + 1 < self.last + 1 - len(self._kept):
            return None
        return [numbered for numbered in self._kept if numbered.seq > seq]


Kept = TypeVar("Kept")


class Shelf(Generic[Kept]):
    """Keep things by their name for a while, bounded in number, size and time.

    What is in use is kept whatever the bounds: something else bounds that.
    """

    def __init__(
        self,
        size: Callable[[Kept], int],
        in_use: Callable[[Kept], bool],
        *,
        most: int = MOST_KEPT,
        most_bytes: int = MOST_BYTES_OF_ALL,
        kept_s: float = KEPT_S,
    ) -> None:
        self._size = size
        self._in_use = in_use
        self._most, self._most_bytes, self._kept_s = most, most_bytes, kept_s
        self._kept: OrderedDict[str, tuple[float, Kept]] = OrderedDict()
        self._tidied_at = 0.0

    def get(self, name: str) -> Kept | None:
        """Return what is kept under a name; it is young again."""
        self._tidy_now_and_then()
        found = self._kept.get(name)
        if found is None:
            return None
        self.put(name, found[1])
        return found[1]

    def put(self, name: str, thing: Kept) -> None:
        """Keep a thing, or make it young again."""
        self._kept[name] = (time.monotonic(), thing)
        self._kept.move_to_end(name)
        self._tidy_now_and_then()

    def all(self) -> list[Kept]:
        """Return everything that is kept, the oldest first."""
        return [thing for _, thing in self._kept.values()]

    def __len__(self) -> int:
        return len(self._kept)

    def _tidy_now_and_then(self) -> None:
        now = time.monotonic()
        if len(self._kept) > self._most or now - self._tidied_at > TIDY_S:
            self._tidied_at = now
            self.tidy()

    def tidy(self) -> None:
        """Drop what is too old, then the oldest of what is too much."""
        total = sum(self._size(thing) for thing in self.all())
        too_old = time.monotonic() - self._kept_s
        for name, (used_at, thing) in list(self._kept.items()):
            full = len(self._kept) > self._most or total > self._most_bytes
            if used_at > too_old and not full:
                break
            if not self._in_use(thing):
                total -= self._size(thing)
                del self._kept[name]
