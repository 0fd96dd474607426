"""What is left of a body is read once its answer is out, and nobody is waited for in vain."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pytest_django import Settings

from runtime import lingering
from runtime.lingering import Lingering
from runtime.slowness import WATCH, Body, Handled


class Arriving:
    """A body whose bytes come in time, and stop coming after so many."""

    def __init__(self, comes: int) -> None:
        self.left = comes

    def read(self, size: int, /) -> bytes:
        taken = min(size, self.left)
        self.left -= taken
        return bytes(taken)


class Answering:
    """An answer of two chunks, that knows when it is over."""

    def __init__(self, body: Arriving) -> None:
        self.body = body
        self.told: list[str] = []

    def __iter__(self) -> Iterator[bytes]:
        for chunk in (b"refused", b"."):
            self.told.append(f"{chunk.decode()} {self.body.left}")
            yield chunk

    def close(self) -> None:
        self.told.append(f"closed {self.body.left}")


def start_response(*_arguments: object) -> None:
    """What a web server gives an application (PEP 3333)."""


def answer(comes: int, *, length: object, reads: int = 0, **environ: str) -> Answering:
    """All of an answer, to a body of which the application reads so many bytes."""
    body = Arriving(comes)
    answering = Answering(body)

    def application(environ: dict[str, Any], _start: object) -> Answering:
        environ["wsgi.input"] = Body(body, Handled("192.0.2.1", 0.0))
        environ["wsgi.input"].read(reads)
        return answering

    given: Any = Lingering(application)({"CONTENT_LENGTH": str(length), **environ}, start_response)
    assert b"".join(given) == b"refused."
    given.close()
    return answering


def test_what_is_left_is_read_once_the_answer_is_out() -> None:
    assert answer(9_000_000, length=9_000_000, reads=10).told == [
        "refused 8999990",
        ". 8999990",
        "closed 0",
    ]


def test_an_answer_that_is_closed_before_anything_was_asked_of_it() -> None:
    body = Arriving(900)
    answering = Answering(body)

    def application(environ: dict[str, Any], _start: object) -> Answering:
        environ["wsgi.input"] = Body(body, Handled("192.0.2.1", 0.0))
        return answering

    Lingering(application)({"CONTENT_LENGTH": "900"}, start_response).close()
    assert answering.told == ["closed 0"]


def test_no_more_is_read_than_the_body_has() -> None:
    assert answer(900, length=300).told[-1] == "closed 600"


@pytest.mark.parametrize("length", ["", "0", "-1", "1e9", "²", "none"])
def test_what_is_no_length_is_not_waited_for(length: str) -> None:
    assert answer(900, length=length).told[-1] == "closed 900"


def test_one_that_asked_first_and_was_refused_is_not_waited_for() -> None:
    assert answer(900, length=900, HTTP_EXPECT="100-continue").told[-1] == "closed 900"
    told = answer(900, length=900, reads=1, HTTP_EXPECT="100-continue").told
    assert told[-1] == "closed 0"


def test_one_that_has_gone_is_not_waited_for() -> None:
    assert answer(500, length=900).told[-1] == "closed 0"


def test_nobody_lingers_in_a_crowd(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(WATCH, "waiting", lambda: lingering.CROWD)
    assert answer(900, length=900).told[-1] == "closed 900"


def test_one_that_sends_without_end_is_left_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(100))
    monkeypatch.setattr("runtime.lingering.time.monotonic", lambda: 4.0 * next(clock))
    left = int(answer(10**12, length=10**12).told[-1].split()[1])
    assert 0 < 10**12 - left < 4 * lingering.PIECE


def test_a_piece_has_little_time(settings: Settings) -> None:
    settings.LOWEST_RATE, settings.FORM_PATIENCE = 1000, 20
    asked: list[int] = []

    class Slow(Arriving):
        def read(self, size: int, /) -> bytes:
            asked.append(size)
            raise OSError("it has gone")

    body = Body(Slow(9), Handled("192.0.2.1", 0.0))

    def application(environ: dict[str, Any], _start: object) -> list[bytes]:
        environ["wsgi.input"] = body
        return [b"no"]

    assert list(Lingering(application)({"CONTENT_LENGTH": "90000"}, start_response)) == [b"no"]
    assert asked == [int(1000 * lingering.PATIENCE)]
