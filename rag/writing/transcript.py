"""What a model writes to an answer: each sentence is checked before it is shown."""

from __future__ import annotations

from rag.answers import Context, Written, extract_answer, nothing_found, written_answer
from rag.checking.check import SentenceFilter, says_nothing
from rag.checking.passages import WordEncoder
from rag.core.answers import Answer, Usage
from rag.core.documents import Hit
from rag.writing.writer import Sent


class Transcript:
    """Collect one generation; ``reason`` says why it ended before its time."""

    def __init__(self, context: Context, encoder: WordEncoder | None = None) -> None:
        self.context = context
        self._encoder = encoder
        self._written = Written()
        self._raw: list[str] = []
        self._shown: list[str] = []
        self._held = ""
        self._sentences: SentenceFilter | None = None
        self.reason = ""

    def take(self, item: Sent | str | Usage) -> str:
        """Take what the writer yields; return the text that may be shown now, often none."""
        if isinstance(item, Sent):
            self._written.model = item.model
            self._written.passages = item.prompt.passages
            links = [record.url for record in self.context.pages.values()]
            self._sentences = SentenceFilter(
                item.prompt.passages, self.context.retrieval.question.language, links, self._encoder
            )
            return ""
        if isinstance(item, Usage):
            self._written.usage = item
            return ""
        if self._written.first_token_ms is None:
            self._written.first_token_ms = round(self.context.deadline.spent_s() * 1000, 1)
        self._raw.append(item)
        return self._released(self._sentences.feed(item) if self._sentences else "")

    @property
    def passages(self) -> tuple[Hit, ...]:
        """Return the passages that were sent."""
        return self._written.passages

    @property
    def wrong_language(self) -> bool:
        """Say whether the model answers in a language that was not asked."""
        return self._sentences is not None and self._sentences.wrong_language

    def close(self) -> str:
        """Return what may still be shown: the last sentence, when the model ended by itself."""
        ended = self._written.usage is not None and self._written.usage.ended == "stop"
        return self._released(self._sentences.close(ended=ended) if self._sentences else "")

    def answer(self) -> Answer:
        """Return the model's answer, or the extract with the reason."""
        if self._sentences is not None:
            self._written.cited = self._sentences.cited
            self._written.dropped = self._sentences.dropped
        self._written.text = "".join(self._shown).strip()
        raw = "".join(self._raw).strip()
        if raw and says_nothing(raw):
            return nothing_found(self.context.retrieval, self.context.deadline)
        if self.wrong_language:
            return extract_answer(self.context, "language", self._written, degraded=False)
        if self._written.text and self.reason != "cut":
            return written_answer(self.context, self._written)
        if raw and not self.reason:
            return extract_answer(self.context, "unsupported", self._written, degraded=False)
        return extract_answer(self.context, self.reason or "silent", self._written)

    def _released(self, text: str) -> str:
        """Hold what says nothing of the pages (« Voici comment faire : ») until something does."""
        self._held += text
        if self._sentences is None or not self._sentences.cited:
            return ""
        shown, self._held = self._held, ""
        self._shown.append(shown)
        return shown
