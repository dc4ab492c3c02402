"""Nothing changed that was not meant to; `python -m tests.snapshot write` is for what was."""

import pytest

from tests.snapshot.collecting import KINDS, sample_pages
from tests.snapshot.comparing import differences, path, read


@pytest.fixture(scope="module")
def pages():
    with sample_pages() as opened:
        yield opened


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_changed_that_was_not_written_again(kind, pages):
    lines = list(differences(kind, KINDS[kind](pages)))
    more = [f"… {len(lines) - 20} more: python -m tests.snapshot check {kind}"]
    assert not lines, "\n".join(lines[:20] + more * (len(lines) > 20))


def test_each_difference_is_told_in_a_line():
    kept = read("settings")
    name = next(iter(kept))
    changed = {**kept, name: [*kept[name][:-1], "another meaning"], "Settings.new": ["NEW"]}
    first, last = sorted(differences("settings", changed), key=lambda line: "NEW" in line)
    assert first.startswith(f"settings: {name} ")
    assert first.endswith(" -> another meaning")
    assert last == 'settings: Settings.new: null -> ["NEW"]'


def test_the_last_digit_of_a_score_may_differ_and_no_other():
    kept = read("support")
    sentence = next(iter(kept))
    for change, told in ((0.000001, 0), (0.00001, 1)):
        changed = {**kept, sentence: [kept[sentence][0] + change, *kept[sentence][1:]]}
        assert len(list(differences("support", changed))) == told


def test_a_manual_of_another_version_is_passed_over():
    kept = read("manuals")
    page = next(iter(kept))
    other = {"source": "another", "chunks": []}
    assert not list(differences("manuals", {page: other}))
    assert len(list(differences("manuals", {page: {**kept[page], "chunks": ["cut"]}}))) == 1


def test_what_is_kept_is_small():
    assert sum(path(kind).stat().st_size for kind in KINDS) < 1_500_000
