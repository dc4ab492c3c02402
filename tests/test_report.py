"""A week's report says what the raw events say, whichever store kept them."""

from __future__ import annotations

import json
import re
import uuid
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy
import pytest

from indexer.pipeline import run
from rag.analytics.recorder import journal_key
from rag.config.settings import Settings
from rag.core.records import JournalEntry, now
from rag.encoders import bundled_encoder
from rag.stores import open_journal_store, open_store
from tests.commands import souffleur
from tests.pages import write_pages
from tests.services import request as http
from tests.traffic import ANSWERED, UNANSWERED, Event, records, week

EVIL = "</td><script>alert(1)</script>\x1b[31m & « ça »"


@dataclass(frozen=True, slots=True)
class Kept:
    """A journal with a week in it, and the environment that names it."""

    events: list[Event]
    environment: dict[str, object]
    settings: Settings

    def report(self, *arguments: object) -> str:
        folder = self.settings.data_dir.parent
        done = souffleur("report", *arguments, cwd=folder, **self.environment)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def figures(self) -> dict[str, Any]:
        return json.loads(self.report("--json"))


@pytest.fixture(scope="module", params=["sqlite", "elasticsearch"])
def environment(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, object]]:
    names: dict[str, object] = {"HELP_DATA_DIR": tmp_path_factory.mktemp("report") / "data"}
    if request.param == "sqlite":
        yield names
        return
    url = request.getfixturevalue("elasticsearch_url")
    alias = f"test-{uuid.uuid4().hex[:12]}-aide"
    yield {**names, "ELASTICSEARCH_URL": url, "ELASTICSEARCH_INDEX": alias}
    http(f"{url}/{','.join(http(f'{url}/{alias}*/_settings'))}", "DELETE")


def keep(
    environment: dict[str, object], folder: Path, events: list[Event], *, texts: bool = False
) -> Kept:
    """Index three pages and have the journal written as askers would have."""
    settings = Settings(_env_file=None, **{name: str(v) for name, v in environment.items()})
    index = open_store(settings)
    run([write_pages(folder / "pages")], index, bundled_encoder())
    index.close()
    store, key = open_journal_store(settings), journal_key(settings)
    store.write([one for event in events for one in records(event, key, texts=texts)], 60.0)
    store.close()
    return Kept(events, environment, settings)


@pytest.fixture(scope="module")
def kept(environment, tmp_path_factory) -> Kept:
    return keep(environment, tmp_path_factory.mktemp("pages"), week(7, now()))


@pytest.fixture(scope="module")
def figures(kept) -> dict[str, Any]:
    return kept.figures()


def expected_times(events: Sequence[Event]) -> list[object]:
    """Return the nearest-rank percentiles by numpy, not by the report's own code."""
    found: list[object] = [len(events)]
    for name in ("first_ms", "total_ms"):
        values = [event[name] for event in events]
        found += [float(numpy.percentile(values, p, method="inverted_cdf")) for p in (50, 95)]
    return found


def test_the_numbers_are_those_of_the_raw_events(kept, figures):
    found, events = figures, kept.events
    unanswered = [e for e in events if not e["answered"] and not e["degraded"]]
    cached = [e for e in events if e["cached"]]
    sums = found["counts"]
    assert sums["asked"] == len(events) == 400
    assert sums["unanswered"] == len(unanswered) > 0
    assert sums["failed"] == sum(e["reason"] == "unsearched" for e in events) > 0
    assert sums["degraded"] == sum(e["degraded"] for e in events)
    assert (sums["exact"], sums["semantic"]) == tuple(
        sum(e["cached"] == kind for e in cached) for kind in ("exact", "semantic")
    )
    saved_s = sum(e["writing_ms"] - e["total_ms"] for e in cached) / 1000
    assert sums["saved_s"] == pytest.approx(saved_s, abs=0.06)
    for name, part in (
        ("times", events),
        ("kept", cached),
        ("written", [e for e in events if e["writing_ms"] and not e["cached"]]),
    ):
        assert list(found[name].values()) == expected_times(part), name
    assert found["reasons"] == Counter(e["reason"] for e in events if e["degraded"])
    assert found["channels"] == Counter(e["channel"] for e in events)


def test_every_day_has_its_bar_and_the_days_add_up(kept, figures):
    found = figures["days"]
    per_day: dict[str, list[Event]] = defaultdict(list)
    for event in kept.events:
        per_day[event["at"].astimezone().strftime("%Y-%m-%d")].append(event)
    today = datetime.now().astimezone().date()
    dates = [(today - timedelta(days=back)).isoformat() for back in reversed(range(7))]
    assert [day["date"] for day in found] == dates
    for day in found:
        events = per_day[day["date"]]
        assert day["asked"] == len(events)
        assert day["cached"] == sum(e["cached"] is not None for e in events)
        assert day["degraded"] == sum(e["degraded"] for e in events)


def test_opinions_stand_by_their_pages(kept, figures):
    found, events = figures["opinions"], kept.events
    assert found["helpful"] == sum(e["opinion"] is True for e in events)
    assert found["unhelpful"] == sum(e["opinion"] is False for e in events)
    said = [e for e in events if e["opinion"] is not None and e["comment"]]
    assert (found["commented"], found["unknown"]) == (len(said), 0)
    pages = Counter(
        None if e["reason"] == "unsearched" else e["page"] for e in events if e["opinion"] is False
    )
    assert {one["page"]: one["unhelpful"] for one in found["disliked"]} == pages
    assert all(one["comments"] == [] for one in found["disliked"])


def test_what_is_missing_is_told_by_its_nearest_page_where_no_texts_are_kept(kept, figures):
    found = figures["gaps"]
    gaps = [e for e in kept.events if not e["answered"] and not e["degraded"]]
    assert {(g["nearest"], g["asked"]) for g in found} == set(
        Counter(e["page"] for e in gaps).items()
    )
    assert all(gap["questions"] == [] for gap in found)
    assert sorted(gap["different"] for gap in found) == [1, 2]


def test_the_most_asked_are_named_where_a_page_asks_the_same_itself(kept, figures):
    found = figures["most_asked"]
    counts = Counter(e["question"] for e in kept.events)
    assert [one["asked"] for one in found] == sorted(counts.values(), reverse=True)
    texts = {one["text"]: one["asked"] for one in found if one["text"]}
    assert texts == {"Créer un client": counts["Créer un client"]}


def test_with_texts_what_is_missing_goes_together_by_what_it_means(tmp_path):
    environment: dict[str, object] = {"HELP_DATA_DIR": tmp_path / "data"}
    kept = keep(environment, tmp_path, week(7, now(), 120), texts=True)
    found = kept.figures()
    counts = Counter(e["question"] for e in kept.events)
    bitcoin = {question for question in UNANSWERED if "bitcoin" in question}
    others = set(UNANSWERED) - bitcoin
    assert {frozenset(gap["questions"]): gap["asked"] for gap in found["gaps"]} == {
        frozenset(bitcoin): sum(counts[question] for question in bitcoin),
        frozenset(others): sum(counts[question] for question in others),
    }
    assert {one["text"] for one in found["most_asked"]} == {*ANSWERED, *UNANSWERED}
    comments = {text for one in found["opinions"]["disliked"] for text in one["comments"]}
    assert comments == {"Pas clair", "Le bouton a changé"}


def test_pages_that_no_answer_came_from_are_named(figures):
    unused = [one["page"] for one in figures["unused"]]
    assert (figures["pages"], unused) == (3, ["stocks/inventaire.md"])


def test_the_period_ends_the_count(kept):
    today = datetime.now().astimezone().date()
    asked = [e for e in kept.events if e["at"].astimezone().date() == today]
    assert json.loads(kept.report("--days", 1, "--json"))["counts"]["asked"] == len(asked)


def test_the_terminal_shows_bars_in_french_and_in_english(kept):
    french, english = kept.report(), kept.report("--lang", "en", "--days", 2)
    assert "Ce qu’il manque à l’aide" in french and "What the help pages lack" in english
    assert french.count("█") > english.count("█") > 7
    assert "le modèle de langage n’a pas répondu à temps" in french
    assert "inventaire" in french


class Page(HTMLParser):
    """Collect a page's tags, and what it would load."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.loads: list[str] = []
        self.text: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.loads += [name for name, _ in attrs if name in {"src", "href", "action", "data"}]

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def test_the_page_asks_for_nothing_else_and_holds_the_same_numbers(kept, tmp_path):
    file = tmp_path / "rapport.html"
    assert kept.report("--html", file) == ""
    text = file.read_text(encoding="utf-8")
    page = Page(text)
    assert page.loads == [] and not page.tags.keys() & {"script", "link", "img", "iframe"}
    assert not re.search(r"https?://|url\(|@import", text)
    assert page.tags["svg"] >= 7
    assert "prefers-color-scheme: dark" in text
    assert "400" in page.text
    assert '<html lang="fr">' in text


def test_what_askers_write_is_shown_as_text(tmp_path):
    environment: dict[str, object] = {"HELP_DATA_DIR": tmp_path / "data"}
    event = week(1, now(), 1)[0] | {"question": EVIL, "answered": False, "degraded": False}
    kept = keep(environment, tmp_path, [event | {"reason": None, "cached": None}], texts=True)
    kept.report("--html", tmp_path / "rapport.html")
    page = Page((tmp_path / "rapport.html").read_text(encoding="utf-8"))
    assert page.tags["script"] == 0 and any("<script>" in text for text in page.text)
    assert "\x1b" not in kept.report()


def test_a_week_of_nothing_is_a_report_too(tmp_path):
    environment: dict[str, object] = {"HELP_DATA_DIR": tmp_path / "data"}
    done = souffleur("report", **environment)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Aucune question" in done.stdout
    found = json.loads(souffleur("report", "--json", **environment).stdout)
    assert (found["counts"]["asked"], found["times"]["total_p50_ms"]) == (0, None)
    assert found["unused"] is None  # there is no index to know pages from


def test_a_store_that_is_away_is_told_with_its_cure(tmp_path):
    done = souffleur("report", HELP_DATA_DIR=tmp_path, ELASTICSEARCH_URL="http://127.0.0.1:9")
    assert done.returncode == 2
    assert "cannot be reached" in done.stderr and "Traceback" not in done.stderr


def test_a_purge_leaves_what_is_newer(kept):
    """It comes last: what it purges is missed by the others."""
    done = kept.report("--purge", "--before", 3)
    ago = now() - timedelta(days=3)
    newer = [e for e in kept.events if e["at"] >= ago]
    written = sum(1 + (e["opinion"] is not None) for e in kept.events if e["at"] < ago)
    assert re.match(
        rf"({written - 2}|{written - 1}|{written}|{written + 1}) records? removed", done
    )
    store = open_journal_store(kept.settings)
    ever = (ago - timedelta(days=30), now())
    left: list[JournalEntry] = list(store.asked(*ever, 10.0))
    assert abs(len(left) - len(newer)) <= 1  # seconds have passed
    kept.report("--purge")
    assert list(store.asked(*ever, 10.0)) == []
    store.close()
