"""Where the asker is on the site to the help page of it: by id, by address, by a screen."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from rag.core.documents import PageRecord
from rag.core.errors import HelpError
from rag.core.protocols import Store

REFRESH_S = 1.5  # a new index is seen within two seconds
VERSION_S = 1.0
LONGEST_PLACE = 2_000  # characters; it comes from anybody
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PageLink:
    """Name a page for its readers."""

    title: str
    url: str


@dataclass(frozen=True, slots=True)
class Known:
    """Hold what is known of an index's pages: their links, and the pages of addresses."""

    version: str | None = None
    links: Mapping[str, PageLink] = field(default_factory=dict)
    addresses: Mapping[str, str] = field(default_factory=dict)
    titles: Mapping[str, str] = field(default_factory=dict)


class Places:
    """Know the pages of an index; safe to share between threads."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._known = Known()
        self._read_at: float | None = None
        self._lock = threading.Lock()

    @property
    def known(self) -> bool:
        """Say whether the pages were read once."""
        return self._read_at is not None

    @property
    def stale(self) -> bool:
        """Say whether it is time to see if the index has changed."""
        return self._read_at is None or time.monotonic() - self._read_at > REFRESH_S

    def refresh(self) -> None:
        """Read the pages again if the index has changed; it blocks."""
        with self._lock:
            if not self.stale:
                return
            try:
                version = self.store.version(VERSION_S)
                if version != self._known.version:
                    self._known = known_of(self.store.records().values(), version)
            except HelpError as error:
                logger.warning("The list of pages cannot be read: %s", error)
            self._read_at = time.monotonic()

    def page_of(self, place: str, title: str = "") -> str | None:
        """Return the help page of a place, None for one that no page is about."""
        known = self._known
        if place in known.links:
            return place
        for form in _forms(place[:LONGEST_PLACE]):
            if form in known.addresses:
                return known.addresses[form]
        return known.titles.get(title.strip().casefold()) if title.strip() else None

    def links(self, pages: Iterable[str]) -> dict[str, PageLink]:
        """Return title and address of those pages that are known, by their ids."""
        links = self._known.links
        return {page: links[page] for page in pages if page in links}

    def close(self) -> None:
        """Let go of the store."""
        self.store.close()


def known_of(records: Iterable[PageRecord], version: str | None) -> Known:
    """Return what is known of these pages; what two of them claim goes to the first by its id.

    A page's own address comes before another page's screen.
    """
    pages = sorted(records, key=lambda record: record.id)
    addresses: dict[str, str] = {}
    for page in pages:
        for form in (page.id, _stem(page.id), _path(page.url)):
            addresses.setdefault(form, page.id)
    for page in pages:
        for action in page.actions:
            addresses.setdefault(_path(action.url), page.id)
    addresses.pop("", None)
    links = {page.id: PageLink(page.title, page.url) for page in pages}
    titles: dict[str, str] = {}
    for page in pages:
        titles.setdefault(page.title.strip().casefold(), page.id)
    return Known(version, links, addresses, titles)


def _forms(place: str) -> Iterable[str]:
    """Return the ways to look a place up: as it is, as an address's path, without its suffix."""
    path = _path(place)
    return dict.fromkeys(form for form in (place, path, _stem(path)) if form)


def _stem(page: str) -> str:
    return str(PurePosixPath(page).with_suffix("")) if PurePosixPath(page).suffix else page


def _path(url: str) -> str:
    """Return an address's path without slashes at its ends."""
    try:
        return unquote(urlsplit(url).path).strip("/")
    except ValueError:
        return ""
