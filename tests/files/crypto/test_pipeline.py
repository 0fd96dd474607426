"""Blocks in threads: written in order, one room for each thread, errors at their turn."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from files.crypto.pipeline import MOST_THREADS, Pipeline, thread_count


def run(
    numbers: Iterator[int],
    work: Callable[[int], int],
    write: Callable[[int], object],
    *,
    threads: int,
) -> None:
    def read(_room: None) -> int | None:
        return next(numbers, None)

    Pipeline(lambda: None, read, work, write).run(threads)


@settings(deadline=None)
@given(count=st.integers(0, 40), threads=st.integers(1, 4))
def test_results_are_written_in_order(count: int, threads: int) -> None:
    written: list[int] = []
    run(iter(range(count)), lambda n: n * n, written.append, threads=threads)
    assert written == [n * n for n in range(count)]


def test_a_room_is_read_into_when_its_result_has_been_used() -> None:
    taken = iter(range(50))
    busy: set[int] = set()

    def read(room: list[int]) -> list[int] | None:
        number = next(taken, None)
        if number is None:
            return None
        assert id(room) not in busy
        busy.add(id(room))
        room[:] = [number]
        return room

    written = []

    def write(room: list[int]) -> None:
        written.append(room[0])
        busy.remove(id(room))

    Pipeline(list, read, lambda room: room, write).run(3)
    assert written == list(range(50))


def test_they_are_at_work_at_once() -> None:
    both = threading.Barrier(2)

    def work(number: int) -> int:
        both.wait(10)
        return number

    written: list[int] = []
    run(iter(range(4)), work, written.append, threads=2)
    assert written == [0, 1, 2, 3]


class Broken(Exception):
    pass


@pytest.mark.parametrize("threads", [1, 2, 4])
@pytest.mark.parametrize("where", ["read", "work", "write"])
def test_an_error_is_raised_at_its_turn(where: str, threads: int) -> None:
    written: list[int] = []

    def break_at(number: int, here: str) -> int:
        if (number, here) == (3, where):
            raise Broken
        return number

    def write(number: int) -> None:
        written.append(break_at(number, "write"))

    numbers = (break_at(number, "read") for number in range(10))
    with pytest.raises(Broken):
        run(numbers, lambda n: break_at(n, "work"), write, threads=threads)
    assert written == [0, 1, 2]


def test_the_first_of_several_errors_counts() -> None:
    both = threading.Barrier(2)

    def work(number: int) -> int:
        both.wait(10)
        raise ValueError(number)

    with pytest.raises(ValueError, match=r"^0$"):
        run(iter(range(2)), work, lambda _: None, threads=2)


def test_an_interrupt_ends_it_though_the_input_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    written: list[int] = []

    def read(_room: None) -> int:
        return len(os.read(reading, 1))

    def interrupted(self: threading.Thread, timeout: float | None = None) -> None:
        raise KeyboardInterrupt

    before = set(threading.enumerate())
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "join", interrupted)
        with pytest.raises(KeyboardInterrupt):
            Pipeline(lambda: None, read, lambda n: n, written.append).run(2)
    # What comes now is read by the thread that waits for it, and goes nowhere.
    os.close(writing)
    for thread in set(threading.enumerate()) - before:
        thread.join(10)
    os.close(reading)
    assert written == []


def test_threads_are_as_many_as_cores_within_reason() -> None:
    assert 1 <= thread_count() <= MOST_THREADS
