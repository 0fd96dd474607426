"""The body of a request: the buffer's bytes, in large pieces, and no hold on it afterwards."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from files.storage.body import PIECE, SMALL, BufferBody, body_of

CONTENT = bytes(range(256)) * (PIECE // 128) + b"rest"


@given(asked=st.integers(1, 3 * PIECE))
def test_pieces_are_large_and_in_order(asked: int) -> None:
    body = BufferBody(CONTENT)
    pieces = []
    while piece := bytes(body.read(asked)):
        pieces.append(piece)
    assert b"".join(pieces) == CONTENT
    assert all(len(piece) >= min(asked, PIECE) for piece in pieces[:-1])


@pytest.mark.parametrize("everything", [-1, None])
def test_all_of_it_at_once(everything: int | None) -> None:
    body = BufferBody(CONTENT)
    assert len(body) == len(CONTENT)
    assert bytes(body.read(everything)) == CONTENT
    assert not body.read(everything)


def test_a_request_that_is_sent_again_begins_anew() -> None:
    body = BufferBody(CONTENT)
    body.read(1)
    assert body.tell() == PIECE
    assert body.seek(0) == 0
    assert bytes(body.read()) == CONTENT
    assert body.seek(-4, io.SEEK_END) == len(CONTENT) - 4
    assert body.seek(-(10**9), io.SEEK_CUR) == 0
    assert body.seekable()
    assert body.readable()


def test_the_buffer_is_free_afterwards() -> None:
    buffer = bytearray(10)
    with BufferBody(buffer) as body:
        body.read(1)
        with pytest.raises(BufferError):
            buffer.extend(b"more")
    buffer.extend(b"more")


@pytest.mark.parametrize("buffer", [b"", b"small", bytearray(SMALL)])
def test_a_small_body_is_a_copy(buffer: bytes | bytearray) -> None:
    with memoryview(buffer) as view, body_of(view) as body:
        assert isinstance(body, bytes)
        assert body == buffer


def test_a_larger_one_is_the_buffer_itself() -> None:
    buffer = bytearray(SMALL + 1)
    with memoryview(buffer) as view, body_of(view) as body:
        assert not isinstance(body, bytes)
        with pytest.raises(BufferError):
            buffer.extend(b"more")
        assert bytes(body.read()) == buffer
    buffer.extend(b"more")
