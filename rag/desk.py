"""One process's help desk: the assistant of the settings in force, for every way in.

The server, Django and MCP ask here; what it yields are the assistant's events.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import aclosing, suppress
from dataclasses import dataclass
from uuid import uuid4

from rag.analytics.recorder import CLOSE_S, Question, open_journal
from rag.api import check_index, open_assistant
from rag.assistant import Assistant
from rag.config import SettingsWatch
from rag.config.settings import Settings, load_settings
from rag.conversation import SharedConversations
from rag.core.answers import AnswerEvent, CompleteEvent
from rag.core.deadline import bounded
from rag.core.errors import ConfigError, HelpError, ServiceStopping
from rag.core.records import Channel
from rag.outcomes import Outcome, Served, Told
from rag.places import PageLink, Places
from rag.stores import open_store, open_turn_store

DRAIN_S = 4.0  # for answers under way when the process is told to stop
END_S = 0.6  # for those that were cut then
PLACES_S = 0.3  # an asker does not wait longer for the list of pages to be read
POLL_S = 0.02
STOPPING = "The server is stopping. Ask again in a moment."
logger = logging.getLogger(__name__)
__all__ = ["HelpDesk", "Outcome", "Served"]


@dataclass(slots=True)
class _Open:
    """Hold an assistant and how many answers it is giving."""

    settings: Settings
    assistant: Assistant
    answering: int = 0


class HelpDesk:
    """Answer askers from one index; ``place`` and ``title`` are where on the site they are.

    ``channel`` is the way in. The desk belongs to one event loop. Settings that were given stay;
    else they are read again when a file of theirs changes (`optimize`), and a new assistant
    takes over. A file that cannot be read then leaves the old ones in force.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        load: Callable[[], Settings] = load_settings,
        channel: Channel = "http",
    ) -> None:
        self._watch = SettingsWatch(settings or load(), None if settings else load)
        self._conversations = SharedConversations(open_turn_store(self._watch.settings))
        self._open = self._opened(self._watch.settings)
        self._places = Places(open_store(self.settings))
        self._reading_places: asyncio.Task[None] | None = None
        self._leaving: set[asyncio.Task[None]] = set()
        self._all = {id(self._open): self._open}
        self._channel = channel
        self.stopping = False
        self._journal = open_journal(self.settings)
        self.listeners: list[Callable[[Outcome], None]] = [self._keep]  # they must not block
        self.watchers: list[Callable[[int], None]] = []  # of how many answers are under way

    @property
    def settings(self) -> Settings:
        """Return the settings in force."""
        return self._open.settings

    @property
    def settings_fault(self) -> str:
        """Return what keeps new settings from being in force; empty when nothing does."""
        return self._watch.fault

    @property
    def answering(self) -> int:
        """Return how many answers are being given."""
        return sum(one.answering for one in self._all.values())

    async def stream(
        self,
        question: str,
        *,
        place: str = "",
        title: str = "",
        conversation_id: str | None = None,
        k: int = 5,
        channel: Channel | None = None,
    ) -> AsyncGenerator[AnswerEvent, None]:
        """Yield an answer's events, the last of them `Served`.

        ``channel`` is the way in, where it is another than the desk's own.
        Raises: ServiceStopping; what `Assistant.stream` raises.
        """
        if self.stopping:
            raise ServiceStopping(STOPPING)
        self._reload()
        one = self._open
        self._count(one, 1)
        told = Told(question, channel or self._channel)
        try:
            told.place = page = await self._page_of(place, title)
            events = one.assistant.stream(question, page=page, k=k, conversation_id=conversation_id)
            async with aclosing(events):
                async for event in events:
                    shown = event
                    if isinstance(event, CompleteEvent):
                        shown = self._served(event, conversation_id)
                    told.note(shown)
                    yield shown
        except Exception as error:
            told.error = error
            raise
        finally:
            self._count(one, -1)
            self._tell(told.outcome())

    async def answer(
        self,
        question: str,
        *,
        place: str = "",
        title: str = "",
        conversation_id: str | None = None,
        k: int = 5,
        channel: Channel | None = None,
    ) -> Served:
        """Return the whole answer. Raises what `stream` raises."""
        events = self.stream(
            question,
            place=place,
            title=title,
            conversation_id=conversation_id,
            k=k,
            channel=channel,
        )
        async with aclosing(events):
            async for event in events:
                if isinstance(event, Served):
                    return event
        raise HelpError("The stream ended without an answer.")

    def page_of(self, place: str, title: str = "") -> str | None:
        """Return the help page of a place on the site: by its id, its address, or its screens'.

        It may block for as long as it takes to read the list of pages, when that has changed.
        """
        if not place and not title:
            return None
        self._places.refresh()
        return self._places.page_of(place, title)

    def check_index(self, timeout_s: float) -> None:
        """See whether there is an index that the settings can search; it blocks.

        Raises: IndexMissing, IndexMismatch, SearchUnavailable.
        """
        check_index(self.settings, self._places.store, timeout_s)

    def links(self, pages: Iterable[str]) -> dict[str, PageLink]:
        """Return title and address of those pages that are known, by their ids."""
        return self._places.links(pages)

    def feedback(self, answer_id: str, helpful: bool, comment: str = "") -> None:
        """Note what an asker thought of an answer. It never blocks."""
        self._journal.feedback(answer_id, helpful, comment)

    async def load(self) -> None:
        """Load index and list of pages."""
        await self._page_of("", "")
        await self._open.assistant.load()

    async def warm(self) -> bool:
        """Load index, pages and model; say whether the model answers. It may take minutes."""
        await self._page_of("", "")
        return await self._open.assistant.warm()

    def cut_short(self, conversation_id: str) -> None:
        """End a conversation's answer now: it completes as it is so far, or as the extract."""
        for one in self._all.values():
            one.assistant.cut_short(conversation_id)

    async def drain(self, seconds: float = DRAIN_S) -> None:
        """Take no new question; let answers under way end, and cut them short after ``seconds``.

        A cut answer ends with the sentences written so far, or with the extract and the reason.
        """
        if self.stopping:
            return
        self.stopping = True
        await self._ended(seconds)
        for one in self._all.values():
            one.assistant.cut_short()
        await self._ended(END_S)

    async def close(self) -> None:
        """End what is under way: see `drain`."""
        await self.drain()
        for task in [*self._leaving, self._reading_places]:
            if task is not None:
                task.cancel()
        for one in self._all.values():
            await one.assistant.close()
        self._places.close()
        self._conversations.close()
        with suppress(TimeoutError):
            await bounded(self._journal.close, CLOSE_S + 1)

    def _served(self, event: CompleteEvent, conversation_id: str | None) -> Served:
        answer = event.answer
        linked = filter(None, (answer.page_effective, *answer.see_also))
        links = self._places.links(linked)
        return Served(answer, event.lang, uuid4().hex, conversation_id, links)

    def _keep(self, outcome: Outcome) -> None:
        """Note an answer in the journal."""
        served, first_s = outcome.served, outcome.first_text_s
        if served is not None and outcome.question.strip():
            first_ms = None if first_s is None else first_s * 1000
            question = Question(outcome.question, served.lang, outcome.channel, first_ms)
            self._journal.asked(served.answer_id, question, served.answer)

    def _count(self, one: _Open, change: int) -> None:
        one.answering += change
        for watcher in self.watchers:
            watcher(self.answering)

    def _tell(self, outcome: Outcome) -> None:
        for listener in self.listeners:
            try:
                listener(outcome)
            except Exception:
                logger.exception("An answer's outcome was not noted.")

    async def _ended(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while self.answering and time.monotonic() < end:
            await asyncio.sleep(POLL_S)

    async def _page_of(self, place: str, title: str) -> str | None:
        """Return the page of a place without holding the event loop."""
        if self._places.stale and self._reading_places is None:
            self._reading_places = asyncio.ensure_future(self._read_places())
        if self._reading_places is not None and not self._places.known:
            await asyncio.wait([self._reading_places], timeout=PLACES_S)
        return self._places.page_of(place, title)

    async def _read_places(self) -> None:
        try:
            await bounded(self._places.refresh, 30.0)
        except TimeoutError:
            logger.warning("The list of pages was not read within 30 s.")
        finally:
            self._reading_places = None

    def _opened(self, settings: Settings) -> _Open:
        opened = open_assistant(settings, conversations=self._conversations, tolerant=True)
        return _Open(settings, opened)

    def _reload(self) -> None:
        """Open a new assistant when the settings have changed."""
        settings = self._watch.changed()
        if settings is None:
            return
        try:
            old, self._open = self._open, self._opened(settings)
        except ConfigError as error:
            self._watch.refused(error)
            return
        self._journal.follow(settings)
        self._all[id(self._open)] = self._open
        self._leaving.add(task := asyncio.ensure_future(self._leave(old)))
        task.add_done_callback(self._leaving.discard)
        logger.warning("The settings have changed and are in force.")

    async def _leave(self, old: _Open) -> None:
        """Close an assistant when its last answer has ended."""
        while old.answering:
            await asyncio.sleep(POLL_S * 10)
        del self._all[id(old)]
        await old.assistant.close()
