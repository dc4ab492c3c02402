"""What is learnt of a model's speed, and kept."""

import time

import pytest

from rag.core.answers import Usage
from rag.writing.speed import FILE, Speed, SpeedBook

NOW = 1_000_000.0


def test_the_first_measurement_replaces_what_was_assumed():
    speed = Speed().learnt(Usage(150, 40, 2.0, 5.0, 3.0), 100, 100, NOW)
    assert speed.prompt_tokens_per_s == pytest.approx(75)
    assert speed.output_tokens_per_s == pytest.approx(8)
    assert speed.load_s == 3.0
    assert speed.tokens_per_estimate == pytest.approx(1.5)
    assert speed.measured_at == NOW


def test_later_ones_move_the_mean_towards_them():
    speed = Speed().learnt(Usage(100, 40, 2.0, 4.0), 100, 100, NOW)
    for _ in range(20):
        speed = speed.learnt(Usage(100, 40, 10.0, 8.0), 100, 100, NOW)
    assert speed.prompt_tokens_per_s == pytest.approx(10, rel=0.01)
    assert speed.output_tokens_per_s == pytest.approx(5, rel=0.01)


def test_tokens_found_in_the_prefix_cache_are_not_counted_as_read():
    speed = Speed().learnt(Usage(300, 40, 2.0, 4.0), 30, 300, NOW)
    assert speed.prompt_tokens_per_s == pytest.approx(15)


@pytest.mark.parametrize("usage", [Usage(5, 1, 0.5, 0.1), Usage(0, 0, 0.0, 0.0)])
def test_too_little_says_nothing_about_a_speed(usage):
    known = Speed(50.0, 20.0, 1.0, 1.0, NOW, NOW, True, True)
    speed = known.learnt(usage, 5, 5, NOW + 1)
    assert (speed.prompt_tokens_per_s, speed.output_tokens_per_s) == (50.0, 20.0)


def test_an_unread_prompt_slows_the_estimate_by_at_most_a_factor_of_four():
    known = Speed(100.0, 50.0, 1.0, 1.0, NOW, NOW, True, True)
    assert known.slowed(400, 10.0, NOW).prompt_tokens_per_s == pytest.approx(40)
    assert known.slowed(10, 10.0, NOW).prompt_tokens_per_s == pytest.approx(25)
    assert known.slowed(9_000, 10.0, NOW).prompt_tokens_per_s == pytest.approx(100)


def test_an_old_measurement_is_not_trusted_to_turn_a_question_down():
    assert Speed(measured_at=time.time(), prompt_known=True).known
    assert not Speed(measured_at=time.time()).known
    assert not Speed(measured_at=time.time() - 3_600, prompt_known=True).known
    assert not Speed().known


def test_what_is_learnt_is_kept_by_model(tmp_path):
    SpeedBook(tmp_path / FILE).change("a", lambda _: Speed(1.0, 2.0))
    SpeedBook(tmp_path / FILE).change("b", lambda _: Speed(3.0, 4.0))
    book = SpeedBook(tmp_path / FILE)
    assert book.of("a").prompt_tokens_per_s == 1.0
    assert book.of("b").output_tokens_per_s == 4.0
    assert book.of("c") == Speed()
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


def test_the_file_is_written_at_once_then_now_and_then_and_at_the_end(tmp_path):
    book = SpeedBook(tmp_path / FILE)
    for tokens_per_s in (1.0, 2.0, 3.0):
        book.change("a", lambda _, speed=tokens_per_s: Speed(speed, speed))
    assert book.of("a").prompt_tokens_per_s == 3.0
    assert SpeedBook(tmp_path / FILE).of("a").prompt_tokens_per_s == 1.0
    book.flush()
    assert SpeedBook(tmp_path / FILE).of("a").prompt_tokens_per_s == 3.0
    (tmp_path / FILE).unlink()
    book.flush()
    assert not (tmp_path / FILE).exists(), "nothing had changed"


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b'{"a": {"x": 1}}', b"\xff", b'{"a": 3}'])
def test_a_broken_file_is_as_good_as_none(tmp_path, content):
    (tmp_path / FILE).write_bytes(content)
    assert SpeedBook(tmp_path / FILE).of("a") == Speed()


def test_a_folder_that_cannot_be_written_loses_nothing_but_memory(tmp_path):
    (tmp_path / "file").write_text("")
    book = SpeedBook(tmp_path / "file" / FILE)
    book.change("a", lambda _: Speed(1.0, 2.0))
    assert book.of("a").prompt_tokens_per_s == 1.0
