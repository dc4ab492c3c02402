"""What a conversation keeps, and the stores that keep it for several processes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

MOST_TURNS = 10  # of one conversation
EXPIRES_S = 1_800.0  # after the last turn


@dataclass(frozen=True, slots=True)
class Turn:
    """Hold a question, what it meant in its conversation, and the pages its answer rests on."""

    question: str
    contextual: str
    pages: tuple[str, ...] = ()


class TurnStore(Protocol):
    """Keep the last turns of conversations that processes share, each under a hash of its id.

    Both raise SearchUnavailable when the store cannot be used within ``timeout_s``.
    """

    def turns(self, conversation_id: str, now: float, timeout_s: float) -> tuple[Turn, ...]:
        """Return the last `MOST_TURNS` turns, oldest first; none `EXPIRES_S` after the last."""

    def add(self, conversation_id: str, turn: Turn, now: float, timeout_s: float) -> None:
        """Append a turn; what has expired goes."""

    def close(self) -> None:
        """Let go of files and connections."""
