"""A prompt and an answer that fit the time left, on machines of every speed."""

import itertools

import pytest

from rag.prompt import ANSWER_TOKENS, CONTEXT_TOKENS
from rag.writing.budget import SHORTEST_ANSWER, SHORTEST_PASSAGES, WORTHWHILE_PASSAGES, fit
from rag.writing.speed import Speed

OFFICE = Speed(60.0, 32.0, 2.0)
OLD = Speed(15.0, 8.0, 2.4)
SERVER = Speed(5_000.0, 200.0)


def seconds(speed, budget, fixed):
    scale = speed.tokens_per_estimate
    read = (budget.passages + fixed) * scale / speed.prompt_tokens_per_s
    return read + budget.answer / speed.output_tokens_per_s


@pytest.mark.parametrize("speed", [OFFICE, OLD, SERVER, Speed(15.0, 8.0, 2.4, 1.5), Speed(3, 3)])
@pytest.mark.parametrize("left_s", [10.0, 7.0, 4.0, 1.0, 0.0])
@pytest.mark.parametrize("load_s", [0.0, 3.0])
def test_what_fits_is_read_and_written_in_time(speed, left_s, load_s):
    budget = fit(speed, 10.0, left_s, 30, load_s)
    if budget is not None:
        assert seconds(speed, budget, 30) + load_s <= left_s + 1e-9
        assert budget.answer >= SHORTEST_ANSWER
        assert budget.passages * speed.tokens_per_estimate > SHORTEST_PASSAGES - 2


def test_a_fast_machine_reads_and_writes_as_much_as_the_context_holds():
    budget = fit(SERVER, 10.0, 9.9, 30)
    assert budget.answer == ANSWER_TOKENS
    assert budget.passages == CONTEXT_TOKENS - ANSWER_TOKENS - 30


def test_an_office_computer_reads_three_passages_and_ends_in_half_of_the_time():
    budget = fit(OFFICE, 10.0, 9.95, 30)
    assert budget.passages >= WORTHWHILE_PASSAGES - 1
    typical_s = (budget.passages + 30) / 60 + 64 / 32
    assert typical_s < 5.0


def test_a_slow_machine_takes_the_whole_time():
    budget = fit(OLD, 10.0, 9.95, 20)
    assert 8.0 < seconds(OLD, budget, 20) < 9.95


@pytest.mark.parametrize(("left_s", "load_s"), [(2.0, 0.0), (9.9, 8.0), (0.0, 0.0)])
def test_nothing_fits_when_no_sentence_does(left_s, load_s):
    assert fit(OLD, 10.0, left_s, 20, load_s) is None


def test_more_time_never_means_less():
    for speed in (OFFICE, OLD, SERVER):
        budgets = [fit(speed, 10.0, left / 10, 30) for left in range(101)]
        sizes = [b.passages + b.answer if b else 0 for b in budgets]
        assert all(a <= b + 1 for a, b in itertools.pairwise(sizes))
