"""What a thread holds while it waits for a client: nothing."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import pytest

from runtime import connection_release
from runtime.connection_release import Unheld


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What happened, in order."""
    found: list[str] = []
    monkeypatch.setattr(connection_release, "release", lambda: found.append("release"))
    return found


class Body:
    """An answer of two chunks that is told of its end."""

    def __init__(self, told: list[str]) -> None:
        self._told = told

    def __iter__(self) -> Iterator[bytes]:
        for chunk in (b"one", b"two"):
            self._told.append("made")
            yield chunk

    def close(self) -> None:
        self._told.append("closed")


def test_nothing_is_held_while_a_chunk_is_sent(told: list[str]) -> None:
    application: Any = Unheld(lambda environ, start: Body(told))
    answer = application({"wsgi.input": io.BytesIO()}, None)
    told.append("sending")
    assert next(answer) == b"one"
    assert told == ["sending", "made", "release"]
    assert list(answer) == [b"two"]
    answer.close()
    assert told[3:] == ["made", "release", "closed"]


@pytest.mark.parametrize("how", ["read", "readline", "readlines", "iteration"])
def test_nothing_is_held_while_a_body_is_read(told: list[str], how: str) -> None:
    environ: dict[str, Any] = {"wsgi.input": io.BytesIO(b"a\nb\n")}
    application: Any = Unheld(lambda environ, start: [])
    application(environ, None)
    arriving = environ["wsgi.input"]
    told.clear()
    if how == "iteration":
        assert list(arriving) == [b"a\n", b"b\n"]
    else:
        assert getattr(arriving, how)()
    assert told
    assert set(told) == {"release"}


def test_every_piece_of_a_body_is_waited_for_without_one(told: list[str]) -> None:
    """Django keeps the method that it found, and calls it again and again."""
    environ: dict[str, Any] = {"wsgi.input": io.BytesIO(b"abc")}
    application: Any = Unheld(lambda environ, start: [])
    application(environ, None)
    read = environ["wsgi.input"].read
    told.clear()
    assert [read(1), read(1), read(1)] == [b"a", b"b", b"c"]
    assert told == ["release"] * 3
