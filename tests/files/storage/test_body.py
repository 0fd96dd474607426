"""The body of a request: the buffer's bytes, in large pieces, and no hold on it afterwards."""

from __future__ import annotations

import io
from typing import Any

import pytest
from botocore.awsrequest import AWSPreparedRequest
from hypothesis import given
from hypothesis import strategies as st

from files.storage import EncryptedS3Storage
from files.storage.body import PIECE, SMALL, BufferBody, send_small_at_once
from tests.files.storage.objects import F, Hands, content, write

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


@pytest.mark.parametrize("body", [None, b"", io.BytesIO(b"small"), BufferBody(bytes(SMALL))])
def test_a_small_body_goes_without_asking(body: Any) -> None:
    params = {"body": body, "headers": {"Expect": "100-continue", "X-Other": "stays"}}
    send_small_at_once(params)
    assert params["headers"] == {"X-Other": "stays"}


def test_the_store_is_asked_before_a_large_one() -> None:
    params = {"body": BufferBody(bytes(SMALL + 1)), "headers": {"Expect": "100-continue"}}
    send_small_at_once(params)
    assert params["headers"] == {"Expect": "100-continue"}


@pytest.mark.parametrize(("size", "asks"), [(1, False), (F, True)])
def test_the_client_of_the_storage_does_so(
    storage: EncryptedS3Storage, hands: Hands, size: int, asks: bool
) -> None:
    asked: list[bool] = []

    def look(request: AWSPreparedRequest, **_: object) -> None:
        if request.method == "PUT":
            asked.append("Expect" in request.headers)

    hands.client.meta.events.register_first("before-send.s3", look)
    try:
        write(storage, [content(size)])
    finally:
        hands.client.meta.events.unregister("before-send.s3", look)
    assert asked == [asks]
