"""Parts travel at once and arrive in any order: what is told as safe never has a gap."""

from __future__ import annotations

from threading import BoundedSemaphore, Event

import pytest
from hypothesis import given
from hypothesis import strategies as st

from files.storage import StoreUnavailable
from files.storage import parts as parts_module
from files.storage.parts import AT_ONCE, Parts


class Store:
    """Confirms a part when it is let, and not before."""

    def __init__(self, count: int) -> None:
        self._may_arrive = {number: Event() for number in range(1, count + 1)}
        self.lost: set[int] = set()

    def upload(self, number: int, buffer: bytearray, length: int) -> str:
        assert self._may_arrive[number].wait(60)
        if number in self.lost:
            raise StoreUnavailable("it went away")
        return f"etag of {number}"

    def confirm(self, number: int) -> None:
        self._may_arrive[number].set()


@given(st.permutations([1, 2, 3]))
def test_what_is_safe_is_a_beginning_without_a_gap(order: list[int]) -> None:
    store = Store(3)
    parts = Parts(store.upload, etags=(), may_share=False)
    for _ in order:
        parts.send(bytearray(1), 1)
    confirmed: set[int] = set()
    for number in order:
        store.confirm(number)
        confirmed.add(number)
        grown = parts.arrive()
        whole = next(n for n in range(4) if n + 1 not in confirmed)
        assert parts.etags == [f"etag of {n}" for n in range(1, whole + 1)]
        assert grown == (number <= whole)
    assert not parts.are_travelling
    parts.close()


def test_a_part_that_failed_fails_whoever_goes_on() -> None:
    store = Store(1)
    store.lost.add(1)
    store.confirm(1)
    parts = Parts(store.upload, etags=(), may_share=False)
    parts.send(bytearray(1), 1)
    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            parts.arrive()
    assert parts.etags == []
    parts.close()


def test_numbers_go_on_where_another_writer_stopped() -> None:
    store = Store(3)
    parts = Parts(store.upload, etags=("first", "second"), may_share=False)
    store.confirm(3)
    parts.send(bytearray(1), 1)
    assert parts.arrive()
    assert parts.etags == ["first", "second", "etag of 3"]
    assert parts.next_number == 4
    parts.close()


def test_shared_buffers_are_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    # Not the process's own, of which another test's writer may have some still.
    shared = BoundedSemaphore(AT_ONCE - 1)
    monkeypatch.setattr(parts_module, "_SHARED", shared)
    store = Store(AT_ONCE)
    parts = Parts(store.upload, etags=(), may_share=True)
    for number in range(1, AT_ONCE + 1):
        assert parts.has_room()
        parts.send(bytearray(1), 1)
        store.confirm(number)
    assert not parts.has_room()
    assert not shared.acquire(blocking=False)
    parts.close()
    assert all(shared.acquire(blocking=False) for _ in range(AT_ONCE - 1))


def test_a_buffer_that_was_sent_is_used_again() -> None:
    store = Store(1)
    store.confirm(1)
    parts = Parts(store.upload, etags=(), may_share=False)
    buffer = bytearray(8)
    parts.send(buffer, 8)
    parts.arrive()
    assert parts.spare(8) is buffer
    assert parts.spare(8) is not buffer
    parts.close()
