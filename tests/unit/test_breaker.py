"""Left alone after slow failures, tried once when the rest is over, closed when it works."""

import time

from rag.core.deadline import CircuitBreaker


def test_slow_failures_open_it_and_quick_ones_do_not():
    breaker = CircuitBreaker(failures=2, rest_s=10.0)
    for _ in range(5):
        breaker.failed(0.01)
    assert breaker.allows()
    breaker.failed(3.0)
    assert breaker.allows()
    breaker.failed(3.0)
    assert not breaker.allows()


def test_one_caller_is_let_through_when_the_rest_is_over():
    breaker = CircuitBreaker(failures=1, rest_s=0.05)
    breaker.failed(3.0)
    time.sleep(0.06)
    assert [breaker.allows() for _ in range(3)] == [True, False, False]
    breaker.succeeded()
    assert all(breaker.allows() for _ in range(3))


def test_a_failure_after_the_rest_opens_it_again():
    breaker = CircuitBreaker(failures=2, rest_s=0.05)
    breaker.failed(3.0)
    breaker.failed(3.0)
    time.sleep(0.06)
    assert breaker.allows()
    breaker.failed(3.0)
    assert not breaker.allows()
