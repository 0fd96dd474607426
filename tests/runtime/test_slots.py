"""So many derivations at once, and no more; a hung one is seen, and does not stop the others."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event, Lock, Thread

import pytest

from runtime.slots import Slots, Stuck, TooBusy

COUNT = 2


@contextmanager
def held(slots: Slots, count: int) -> Iterator[None]:
    """That many slots are held by threads of their own, as by derivations that do not end."""
    release, taken = Event(), [Event() for _ in range(count)]

    def hold(has: Event) -> None:
        with slots.taken():
            has.set()
            assert release.wait(60)

    threads = [Thread(target=hold, args=[has]) for has in taken]
    for thread in threads:
        thread.start()
    try:
        assert all(has.wait(60) for has in taken)
        yield
    finally:
        release.set()
        for thread in threads:
            thread.join()


def test_more_threads_than_slots_take_turns() -> None:
    slots, lock, full = Slots(COUNT, patience=60, longest=60), Lock(), Event()
    running = most = 0

    def work(_: int) -> None:
        nonlocal running, most
        with slots.taken():
            with lock:
                running += 1
                most = max(most, running)
                if running == COUNT:
                    full.set()
            assert full.wait(60)
            with lock:
                running -= 1

    with ThreadPoolExecutor(4 * COUNT) as pool:
        list(pool.map(work, range(8 * COUNT)))
    assert most == COUNT


def test_who_waits_too_long_is_told_so_and_takes_nothing() -> None:
    slots = Slots(COUNT, patience=0.01, longest=60)
    with held(slots, COUNT):
        slots.check()
        for _ in range(2 * COUNT):
            with pytest.raises(TooBusy), slots.taken():
                raise AssertionError
    with slots.taken():
        pass


def test_a_hung_one_is_seen_and_the_others_go_on() -> None:
    slots = Slots(COUNT, patience=0.01, longest=0)
    with held(slots, COUNT):
        with pytest.raises(Stuck, match=f"{COUNT} derivations"):
            slots.check()
        with slots.taken():
            pass
    slots.check()


def test_hung_ones_are_not_replaced_without_end() -> None:
    slots = Slots(COUNT, patience=0.01, longest=0)
    with held(slots, COUNT + 1), pytest.raises(TooBusy), slots.taken():
        raise AssertionError
    with slots.taken():
        pass


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_what_fails_gives_its_slot_back(error: type[BaseException]) -> None:
    slots = Slots(1, patience=0.01, longest=60)
    for _ in range(3):
        with pytest.raises(error), slots.taken():
            raise error


def test_no_memory_is_too_busy_and_gives_its_slot_back() -> None:
    slots = Slots(1, patience=0.01, longest=60)
    for _ in range(3):
        with pytest.raises(TooBusy, match="memory"), slots.taken():
            raise MemoryError
