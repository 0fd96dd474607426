"""One ranged GET: exactly the bytes that were asked for, or an error that says what to do."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest
from botocore.response import StreamingBody
from botocore.stub import Stubber

from files.crypto.errors import Damaged
from files.storage import EncryptedS3Storage, ObjectMissing, StoreRefused, StoreUnavailable
from files.storage.errors import PreconditionFailed
from files.storage.ranges import BrokenOff, get_range
from tests.files.storage.objects import Hands

DATA = bytes(range(100))
NAME = "ra/nge"


@pytest.fixture
def name(hands: Hands) -> str:
    hands.put(NAME, DATA)
    return NAME


def test_a_range_comes_exactly(storage: EncryptedS3Storage, hands: Hands, name: str) -> None:
    for start, end in ((0, 100), (0, 1), (99, 100), (10, 20)):
        with get_range(storage.client, hands.bucket, name, start, end) as answer:
            assert answer.read_exactly(end - start) == DATA[start:end]
            assert answer.total == 100
            answer.expect_total(100)
            with pytest.raises(Damaged, match="has 100 bytes") as damaged:
                answer.expect_total(101)
            assert damaged.value.another_length


def test_the_body_may_end_early(storage: EncryptedS3Storage, hands: Hands, name: str) -> None:
    with get_range(storage.client, hands.bucket, name, 90, 200) as answer:
        assert answer.read_exactly(10) == DATA[90:]
        with pytest.raises(StoreUnavailable, match="ended early"):
            answer.read_exactly(1)


def test_what_had_come_before_the_end_is_told(
    storage: EncryptedS3Storage, hands: Hands, name: str
) -> None:
    with get_range(storage.client, hands.bucket, name, 90, 200) as answer:
        with pytest.raises(BrokenOff, match="ended early") as broken:
            answer.read_exactly(11)
        assert broken.value.came == DATA[90:]


def test_a_body_that_comes_in_pieces_is_read_as_one(
    storage: EncryptedS3Storage, hands: Hands, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with get_range(storage.client, hands.bucket, name, 0, 100) as answer:
        whole = answer._body.read
        monkeypatch.setattr(answer._body, "read", lambda length: whole(min(length, 3)))
        assert answer.read_exactly(0) == b""
        assert answer.read_exactly(7) == DATA[:7]
        assert answer.read_exactly(3) == DATA[7:10]
        assert answer.read_exactly(5) == DATA[10:15]
        assert answer.read_exactly(85) == DATA[15:]


def test_a_range_beyond_the_end_is_damage(
    storage: EncryptedS3Storage, hands: Hands, name: str
) -> None:
    with pytest.raises(Damaged, match="shorter"):
        get_range(storage.client, hands.bucket, name, 100, 101)


def test_an_empty_object_is_damage(storage: EncryptedS3Storage, hands: Hands) -> None:
    hands.put("em/pty", b"")
    with pytest.raises(Damaged):
        get_range(storage.client, hands.bucket, "em/pty", 0, 1)


def test_a_range_is_pinned(storage: EncryptedS3Storage, hands: Hands, name: str) -> None:
    with get_range(storage.client, hands.bucket, name, 0, 1) as answer:
        etag = answer.etag
    with get_range(storage.client, hands.bucket, name, 5, 6, etag=etag) as answer:
        assert answer.etag == etag
    hands.put(name, DATA[::-1])
    with pytest.raises(PreconditionFailed):
        get_range(storage.client, hands.bucket, name, 5, 6, etag=etag)


def test_a_missing_object_is_missing(storage: EncryptedS3Storage, hands: Hands) -> None:
    with pytest.raises(ObjectMissing):
        get_range(storage.client, hands.bucket, "no/such", 0, 1)


@pytest.mark.parametrize(
    "said",
    [
        None,
        "",
        "bytes 0-99",
        "bytes */100",
        "items 10-19/100",
        "bytes 0-9/100",
        "bytes 11-19/100",
        "bytes 10-20/100",
        "bytes 10-21/100",
    ],
)
def test_a_store_that_answers_with_something_else_is_refused(
    moto: EncryptedS3Storage, said: str | None
) -> None:
    closed: list[bool] = []
    body = Noted(DATA[10:20], lambda: closed.append(True))
    answer = {"Body": StreamingBody(body, 10), "ETag": '"e"', "ContentLength": 10}
    if said is not None:
        answer["ContentRange"] = said
    with Stubber(moto.client) as stub:
        stub.add_response("get_object", answer)
        with pytest.raises(StoreRefused):
            get_range(moto.client, "b", "k", 10, 20)
    assert closed


def test_the_body_is_closed_at_the_end(moto: EncryptedS3Storage) -> None:
    closed: list[bool] = []
    body = Noted(DATA[10:20], lambda: closed.append(True))
    answer = {
        **{"Body": StreamingBody(body, 10), "ETag": '"e"', "ContentLength": 10},
        "ContentRange": "bytes 10-19/100",
    }
    with Stubber(moto.client) as stub:
        stub.add_response("get_object", answer)
        with get_range(moto.client, "b", "k", 10, 20) as got:
            assert got.read_exactly(5) == DATA[10:15]
            assert not closed
    assert closed


class Noted(io.BytesIO):
    """A body that tells when it is closed."""

    def __init__(self, data: bytes, on_close: Callable[[], None]) -> None:
        super().__init__(data)
        self._on_close = on_close

    def close(self) -> None:
        self._on_close()
        super().close()
