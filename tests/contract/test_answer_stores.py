"""What every store of answers promises: whole, bounded, found by nearness, gone with its pages."""

from __future__ import annotations

from dataclasses import replace

import numpy
import pytest

from rag.config.settings import Settings
from rag.core.protocols import AnswerStore, Store
from rag.core.records import CacheStats, Scope
from tests.contract.answers import NOW, SCOPE, entry, kept, near, publish, put, served, settle
from tests.contract.conftest import META, TIMEOUT_S, OpenAnswers, vector


def test_an_answer_comes_back_whole(
    answers: AnswerStore, store: Store, open_answers: OpenAnswers
) -> None:
    one = entry(store, "k1", "a", "b", hits=3, pinned=True, used_at=NOW + 1)
    assert answers.get("k1", NOW, TIMEOUT_S) is None
    put(answers, one)
    assert answers.get("k1", NOW, TIMEOUT_S) == one
    assert open_answers().get("k1", NOW, TIMEOUT_S) == one
    other = replace(one, answer={"text": "autre"}, pinned=False, pages={"a": one.pages["a"]})
    put(answers, other)
    assert answers.get("k1", NOW, TIMEOUT_S) == other
    assert served(answers, "k", "k11", "", "claim:k1", "counters") == set()


def test_text_names_and_numbers_come_back_byte_for_byte(
    open_answers: OpenAnswers, store: Store, settings: Settings
) -> None:
    page = "deux\nlignes \\ \"guillemets\" 'apostrophes' 🍷/é\u0301.md"
    publish(store, {page: "texte \x01\x1f <script> {} \u200b"})
    answers = open_answers()
    scope = Scope("f" * 64, "fr", "/é?a=b&c=d#e", "conversation-😀")
    odd = {"text": '« É » 🍷\n\t\x01 \\ "', "n": 1e-9, "deep": [{"": None}], "true": True}
    one = entry(store, "k", page, scope=scope, answer=odd, asked={}, question="\u200bé\u0301\n")
    put(answers, one)
    assert answers.get("k", NOW, TIMEOUT_S) == one
    settle(settings)
    assert answers.candidates(scope, vector("k"), 1, NOW, TIMEOUT_S)[0][0] == one
    assert answers.entries(9, 0, TIMEOUT_S) == [one]
    assert answers.stats(TIMEOUT_S).pages == {page: 1}
    assert answers.drop_page(page, TIMEOUT_S) == 1


def test_nothing_is_served_or_made_where_nothing_is_indexed(
    open_answers: OpenAnswers, settings: Settings, store: Store
) -> None:
    answers = open_answers()
    assert answers.get("k", NOW, TIMEOUT_S) is None
    assert answers.candidates(SCOPE, vector("k"), 3, NOW, TIMEOUT_S) == []
    assert answers.entries(10, 0, TIMEOUT_S) == []
    assert answers.stats(TIMEOUT_S) == CacheStats()
    assert answers.clear(TIMEOUT_S) == answers.sweep(NOW, TIMEOUT_S) == 0
    assert not (settings.data_dir / "index.sqlite3").exists()
    publish(store, {"a": "alpha"})
    one = entry(store, "k", "a")
    assert not answers.put(replace(one, pages={}), TIMEOUT_S)
    assert not answers.put(replace(one, pages={"z": "h"}), TIMEOUT_S)
    assert not answers.put(replace(one, asked={"no": object()}), TIMEOUT_S)
    assert served(answers, "k") == set()
    put(answers, one)


def test_an_answer_lasts_its_time_and_a_pinned_one_as_long_as_its_pages(
    answers: AnswerStore, store: Store, settings: Settings
) -> None:
    put(
        answers,
        entry(store, "old", "a", expires_at=NOW + 10),
        entry(store, "future", "a", created_at=NOW + 90, used_at=NOW + 90),
        entry(store, "pinned", "a", expires_at=NOW - 1, created_at=NOW + 90, pinned=True),
    )
    assert served(answers, "old", "future", "pinned", now=NOW + 9.9) == {"old", "pinned"}
    assert served(answers, "old", "future", "pinned", now=NOW + 10) == {"pinned"}
    assert near(answers, settings, "old") == ["old", "pinned"]
    put(answers, entry(store, "old", "a", expires_at=NOW))
    assert near(answers, settings, "old") == ["pinned"]


@pytest.mark.parametrize("full", [False, True], ids=["incremental", "full"])
def test_a_changed_page_takes_its_answers_and_no_others(
    answers: AnswerStore, store: Store, settings: Settings, open_answers: OpenAnswers, full: bool
) -> None:
    put(
        answers,
        entry(store, "of-a", "a"),
        entry(store, "of-ab", "a", "b"),
        entry(store, "of-b", "b", pinned=True),
        entry(store, "of-bc", "b", "c"),
        entry(store, "of-c", "c"),
    )
    assert set(near(answers, settings, "of-a", 9)) == {"of-a", "of-ab", "of-b", "of-bc", "of-c"}
    publish(store, {"a": "alpha 1", "b": "beta 2", "c": "gamma 1"}, full=full)
    for reader in (answers, open_answers()):
        assert served(reader, "of-a", "of-ab", "of-b", "of-bc", "of-c") == {"of-a", "of-c"}
        assert set(near(reader, settings, "of-b", 9)) == {"of-a", "of-c"}
        assert kept(reader, settings) == {"of-a", "of-c"}


def test_a_removed_page_takes_its_answers(
    answers: AnswerStore, store: Store, settings: Settings
) -> None:
    put(answers, entry(store, "of-a", "a"), entry(store, "of-ab", "a", "b"))
    writer = store.writer(META, full=False)
    writer.delete_page("b")
    assert served(answers, "of-a", "of-ab") == {"of-a", "of-ab"}
    writer.publish()
    assert served(answers, "of-a", "of-ab") == {"of-a"}
    assert kept(answers, settings) == {"of-a"}


def test_an_answer_written_while_its_page_changed_is_not_kept(
    answers: AnswerStore, store: Store
) -> None:
    late = entry(store, "late", "a", "b")
    publish(store, {"a": "alpha 2"})
    assert not answers.put(late, TIMEOUT_S)
    # the page's hash was read too late: its old chunks tell
    pages = {page: store.records()[page].hash for page in ("a", "b")}
    assert not answers.put(replace(late, pages=pages), TIMEOUT_S)
    assert served(answers, "late") == set()


def test_an_aborted_run_leaves_the_answers(answers: AnswerStore, store: Store) -> None:
    put(answers, entry(store, "of-a", "a"))
    writer = store.writer(META, full=True)
    writer.delete_page("a")
    writer.abort()
    assert served(answers, "of-a") == {"of-a"}


def test_the_nearest_answers_of_a_scope_come_first(
    answers: AnswerStore, store: Store, settings: Settings, open_answers: OpenAnswers
) -> None:
    reader, base = open_answers(), vector("base")
    assert near(reader, settings, "base") == []
    for n, share in enumerate((0.1, 0.9, 0.5)):
        mixed = (1 - share) * base + share * vector(f"other {n}")
        put(answers, entry(store, f"k{n}", "a", vector=5 * mixed))
    others = ("fingerprint", "lang", "page", "conversation")
    for name in others:
        put(answers, entry(store, name, "a", scope=replace(SCOPE, **{name: "x"}), vector=base))
    put(answers, entry(store, "none", "a", vector=None))
    put(answers, entry(store, "zeros", "a", vector=numpy.zeros(16, numpy.float32)))
    assert near(reader, settings, "base", 9) == ["k0", "k2", "k1"]
    assert near(reader, settings, "base", 2) == ["k0", "k2"]
    for name in others:
        assert near(reader, settings, "base", 9, replace(SCOPE, **{name: "x"})) == [name]
    found = reader.candidates(SCOPE, 3 * base, 1, NOW, TIMEOUT_S)
    cosine = float(base @ (0.9 * base + 0.1 * vector("other 0")))
    cosine /= float(numpy.linalg.norm(0.9 * base + 0.1 * vector("other 0")))
    assert found[0][1] == pytest.approx(cosine, abs=1e-4)
    assert reader.candidates(SCOPE, 0 * base, 3, NOW, TIMEOUT_S) == []
    assert served(reader, "none", "zeros") == {"none", "zeros"}


def test_what_is_put_replaced_and_dropped_elsewhere_is_seen_by_nearness(
    answers: AnswerStore, store: Store, settings: Settings, open_answers: OpenAnswers
) -> None:
    reader = open_answers()
    put(answers, entry(store, "k1", "a"), entry(store, "k2", "a"))
    assert near(reader, settings, "k1", 1) == ["k1"]
    put(answers, entry(store, "k1", "a", vector=vector("k9")), entry(store, "k3", "a"))
    assert near(reader, settings, "k9", 1) == ["k1"]
    assert near(reader, settings, "k3", 1) == ["k3"]
    assert answers.drop(["k3"], TIMEOUT_S) == 1
    assert "k3" not in near(reader, settings, "k3", 9)
    for n in range(30):
        put(answers, entry(store, f"n{n}", "b"))
    assert near(reader, settings, "n7", 1) == ["n7"]
    publish(store, {"b": "beta 2"})
    assert set(near(reader, settings, "n7", 2)) == {"k1", "k2"}


def test_an_encoder_of_another_length_has_its_own_answers(
    answers: AnswerStore, store: Store, settings: Settings
) -> None:
    wide = replace(SCOPE, fingerprint="autre encodeur")
    put(answers, entry(store, "k16", "a"))
    put(answers, entry(store, "k32", "a", scope=wide, vector=vector("k32", 32)))
    settle(settings)
    found = answers.candidates(wide, vector("k32", 32), 3, NOW, TIMEOUT_S)
    assert [one.key for one, _ in found] == ["k32"]
    assert answers.candidates(SCOPE, vector("k32", 32), 3, NOW, TIMEOUT_S) == []
    assert near(answers, settings, "k16") == ["k16"]


def test_beyond_its_bounds_the_least_used_go_and_the_pinned_stay(
    open_answers: OpenAnswers, answers: AnswerStore, store: Store, settings: Settings
) -> None:
    few = open_answers(cache_max_entries=4)
    put(few, entry(store, "pinned", "a", pinned=True, used_at=NOW - 9, created_at=NOW - 9))
    put(few, entry(store, "expired", "a", expires_at=NOW + 4))
    for n in range(3):
        put(few, entry(store, f"k{n}", "a", created_at=NOW + n, used_at=NOW + n))
        settle(settings)
    assert kept(few, settings) >= {"pinned", "k0", "k1", "k2"}
    first = few.get("k0", NOW + 3, TIMEOUT_S)
    assert first is not None
    few.touch(first, "exact", NOW + 3, TIMEOUT_S)
    settle(settings)
    for n in (5, 6):  # the first one finds the expired one gone, the second that k1 is the oldest
        put(few, entry(store, f"k{n}", "a", created_at=NOW + n, used_at=NOW + n))
        settle(settings)
    put(few, entry(store, "k6", "a", created_at=NOW + 7, used_at=NOW + 7))
    assert kept(few, settings) == {"pinned", "k0", "k5", "k6"}


def test_the_bytes_of_answers_are_bounded(
    open_answers: OpenAnswers, answers: AnswerStore, store: Store, settings: Settings
) -> None:
    small = open_answers(cache_max_bytes=40_000)
    for n in range(12):
        text = {"text": "é" * 4_000}
        put(small, entry(store, f"k{n:02}", "a", answer=text, used_at=NOW + n, created_at=NOW + n))
        settle(settings)
    put(small, entry(store, "k11", "a", answer=text, used_at=NOW + 12))
    left = kept(small, settings)
    assert left == {f"k{n:02}" for n in range(12 - len(left), 12)}
    assert 3 <= len(left) <= 4
    assert small.stats(TIMEOUT_S).bytes <= 40_000
    assert not small.put(entry(store, "huge", "a", answer={"text": "x" * 50_000}), TIMEOUT_S)
    assert kept(small, settings) == left or not settings.uses_elasticsearch


def test_hits_are_counted_on_the_answer_and_for_ever(
    answers: AnswerStore, store: Store, settings: Settings, open_answers: OpenAnswers
) -> None:
    one, two = entry(store, "k1", "a", "b"), entry(store, "k2", "b", pinned=True)
    put(answers, one, two)
    answers.touch(one, "exact", NOW + 5, TIMEOUT_S)
    open_answers().touch(one, "semantic", NOW + 4, TIMEOUT_S)
    answers.touch(two, "exact", NOW + 6, TIMEOUT_S)
    for _ in range(3):
        answers.count("missed", TIMEOUT_S)
    answers.count("false_hits", TIMEOUT_S)
    assert answers.get("k1", NOW, TIMEOUT_S) == replace(one, hits=2, used_at=NOW + 5)
    settle(settings)
    stats = open_answers().stats(TIMEOUT_S)
    assert (stats.entries, stats.pinned, stats.hits) == (2, 1, 3)
    assert (stats.oldest, stats.newest) == (NOW, NOW)
    assert stats.pages == {"b": 2, "a": 1}
    assert stats.bytes > 200
    counters = {"exact": 2, "semantic": 1, "missed": 3, "false_hits": 1, "saved_ms": 7500}
    assert stats.counters == counters
    listed = answers.entries(10, 0, TIMEOUT_S)
    assert [(e.key, e.hits) for e in listed] == [("k2", 1), ("k1", 2)]
    assert [e.key for e in answers.entries(1, 1, TIMEOUT_S)] == ["k1"]
    publish(store, {"b": "beta 2"})
    settle(settings)
    assert answers.stats(TIMEOUT_S).counters == counters
    assert answers.stats(TIMEOUT_S).entries == 0


def test_answers_are_dropped_by_key_page_fingerprint_age_and_all(
    answers: AnswerStore, store: Store, settings: Settings
) -> None:
    def fill() -> None:
        old = replace(SCOPE, fingerprint="ancienne")
        put(
            answers,
            entry(store, "a1", "a"),
            entry(store, "ab", "a", "b"),
            entry(store, "c1", "c", expires_at=NOW + 1),
            entry(store, "old", "c", scope=old),
            entry(store, "pinned", "c", scope=old, pinned=True, expires_at=NOW),
        )

    everything = {"a1", "ab", "c1", "old", "pinned"}
    drops = [
        (lambda: answers.drop(["a1", "old", "absent"], TIMEOUT_S), {"a1", "old"}),
        (lambda: answers.drop_page("a", TIMEOUT_S), {"a1", "ab"}),
        (lambda: answers.sweep(NOW + 2, TIMEOUT_S), {"c1"}),
        (lambda: answers.clear(TIMEOUT_S, keep_pinned=True), everything - {"pinned"}),
        (lambda: answers.clear(TIMEOUT_S), everything),
    ]
    for drop, gone in drops:
        fill()
        assert drop() == len(gone)
        assert kept(answers, settings) == everything - gone
        assert served(answers, *everything, now=NOW) == everything - gone
    answers.count("missed", TIMEOUT_S)
    assert answers.clear(TIMEOUT_S) == 0
    assert answers.stats(TIMEOUT_S).counters["missed"] == 1
