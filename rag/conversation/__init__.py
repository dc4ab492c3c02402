"""Turns of conversations, kept in memory for a while, and what a question means after them."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Sequence

from rag.analysis import question_language
from rag.conversation.follow_up import in_context, is_follow_up
from rag.conversation.turns import EXPIRES_S, MOST_TURNS, Turn
from rag.errors import QuestionRefused

__all__ = [
    "Conversations",
    "Turn",
    "contextual_question",
    "conversation_language",
    "is_follow_up",
]
LONGEST_ID = 200  # characters: ids come from anybody


class Conversations:
    """Keep the last turns of the last conversations in memory; safe to use from many threads.

    At most ``most`` conversations: the one that was silent longest goes first. At most ``turns``
    of each, forgotten ``expires_s`` after the last.
    """

    def __init__(
        self, most: int = 1_000, turns: int = MOST_TURNS, expires_s: float = EXPIRES_S
    ) -> None:
        self._most = most
        self._turns = turns
        self._expires_s = expires_s
        self._kept: OrderedDict[str, tuple[float, tuple[Turn, ...]]] = OrderedDict()
        self._lock = threading.Lock()

    def turns(self, conversation_id: str) -> tuple[Turn, ...]:
        """Return the turns of a conversation, oldest first. Raises: QuestionRefused for its id."""
        check_id(conversation_id)
        with self._lock:
            self._expire()
            return self._kept.get(conversation_id, (0.0, ()))[1]

    def add(self, conversation_id: str, turn: Turn) -> None:
        """Append a turn. Raises: QuestionRefused for its id."""
        check_id(conversation_id)
        with self._lock:
            self._expire()
            _, before = self._kept.pop(conversation_id, (0.0, ()))
            kept = (*before, turn)[-self._turns :]
            self._kept[conversation_id] = (time.monotonic() + self._expires_s, kept)
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)

    def forget(self, conversation_id: str) -> None:
        """Drop a conversation, if it is there."""
        with self._lock:
            self._kept.pop(conversation_id, None)

    def __len__(self) -> int:
        with self._lock:
            self._expire()
            return len(self._kept)

    def _expire(self) -> None:
        now = time.monotonic()
        while self._kept and next(iter(self._kept.values()))[0] <= now:
            self._kept.popitem(last=False)


def check_id(conversation_id: str) -> None:
    """Raise QuestionRefused for an id that is too long."""
    if len(conversation_id) > LONGEST_ID:
        raise QuestionRefused(
            f"The conversation's id has {len(conversation_id):,} characters; at most {LONGEST_ID}"
            " are kept. Send a shorter one, a UUID for example."
        )


def contextual_question(question: str, turns: Sequence[Turn], lang: str) -> str:
    """Return the text to search with: a follow-up with the topic of the turn before it.

    A question that stands alone, or that comes first, is returned as it is.
    """
    if not turns or not is_follow_up(question, lang):
        return question
    return in_context(question, turns[-1].contextual, lang)


def conversation_language(question: str, turns: Sequence[Turn]) -> str:
    """Return ``fr`` or ``en``: the question's own language, or the conversation's if in doubt."""
    own = question_language(question)
    if not turns or own == "en" or question_language(f"{question} the") == "fr":
        return own
    return question_language(turns[-1].contextual)
