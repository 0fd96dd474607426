"""Blocks in threads: in order, no more of them at once than asked for, and errors at their turn."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from files.crypto.pipeline import MOST_THREADS, in_order, thread_count


@settings(deadline=None)
@given(count=st.integers(0, 40), threads=st.integers(1, 4), ahead=st.integers(1, 6))
def test_results_come_in_order(count: int, threads: int, ahead: int) -> None:
    results = in_order(range(count), lambda n: n * n, threads=threads, ahead=ahead)
    assert list(results) == [n * n for n in range(count)]


@pytest.mark.parametrize("ahead", [1, 2, 5])
def test_a_block_is_taken_only_when_a_buffer_is_free(ahead: int) -> None:
    taken = used = 0

    def blocks() -> Iterator[int]:
        nonlocal taken
        for number in range(20):
            taken += 1
            assert taken - used <= ahead
            yield number

    for _ in in_order(blocks(), lambda n: n, threads=2, ahead=ahead):
        used += 1
    assert used == 20


def test_they_are_at_work_at_once() -> None:
    both = threading.Barrier(2)
    assert list(in_order(range(4), lambda n: both.wait(10) >= 0, threads=2, ahead=2)) == [True] * 4


def test_an_error_is_raised_at_its_turn() -> None:
    def work(number: int) -> int:
        if number == 3:
            raise ValueError("three")
        return number

    results = in_order(range(10), work, threads=2, ahead=4)
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="three"):
        next(results)


def test_no_thread_stays() -> None:
    before = threading.active_count()
    results = in_order(range(100), lambda n: n, threads=3, ahead=5)
    next(results)
    results.close()  # type: ignore[attr-defined]
    assert threading.active_count() == before


def test_threads_are_as_many_as_cores_within_reason() -> None:
    assert 1 <= thread_count() <= MOST_THREADS
