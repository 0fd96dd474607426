"""The context of an event: of a request, of a command, and of what outlasts both."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

import audit
from audit import context

HERE = context.Context(actor_id=1, actor_name="ann", address="192.0.2.7", request_id="ab")
THERE = context.Context(actor_id=2, actor_name="bob", address="192.0.2.8", request_id="cd")


def test_outside_of_everything_nothing_is_known() -> None:
    assert context.current() == context.Context()
    assert context.request_id() == ""


def test_a_context_ends_with_its_block() -> None:
    with context.active(HERE):
        with context.active(THERE):
            assert context.current() == THERE
        assert context.current() == HERE
    assert context.current() == context.Context()


def test_a_context_ends_also_by_an_exception() -> None:
    with pytest.raises(ZeroDivisionError), context.active(HERE):
        raise ZeroDivisionError
    assert context.current() == context.Context()


def test_a_captured_context_outlasts_its_block() -> None:
    with context.active(HERE):
        captured = audit.capture()
    for _twice in range(2):
        with captured:
            assert context.current() == HERE
        assert context.current() == context.Context()


def test_a_captured_context_works_on_another_thread() -> None:
    with context.active(HERE):
        captured = audit.capture()

    def elsewhere() -> context.Context:
        with captured:
            return context.current()

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(context.current).result() == context.Context()
        assert pool.submit(elsewhere).result() == HERE
