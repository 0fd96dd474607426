"""The writer: equal parts, all or nothing at every point of failure, and nobody else's object."""

from __future__ import annotations

import os
import threading
import tracemalloc
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from files.crypto.errors import CryptoError, Damaged, StreamTooLong
from files.crypto.stream.layout import FRAME_LENGTH, frames_per_part, object_length
from files.storage import (
    EncryptedS3Storage,
    ObjectMissing,
    StoreRefused,
    StoreUnavailable,
    object_requests,
    parts,
)
from files.storage.backend import random_object_name
from files.storage.body import BufferBody
from files.storage.parts import AT_ONCE
from tests.files.storage.failures import CHECK, Point, both, failing
from tests.files.storage.objects import (
    PART,
    SIZES,
    F,
    Hands,
    content,
    decrypted,
    new_context,
    write,
)

PART_LENGTH = frames_per_part(None) * FRAME_LENGTH
LARGE = 2 * PART + F + 3


def pieces(size: int, length: int = 1_000_003) -> Iterator[bytes]:
    """Content in chunks that fit neither frames nor parts."""
    whole = content(size)
    return (whole[at : at + length] for at in range(0, size, length))


@pytest.mark.parametrize("size", SIZES)
def test_a_small_object_is_put_at_once(
    storage: EncryptedS3Storage, hands: Hands, size: int
) -> None:
    with hands.calls() as calls:
        name, key = write(storage, [content(size)], size=size)
    assert [call.operation for call in calls] == ["PutObject", "GetObject"]
    assert calls[0].parameters["IfNoneMatch"] == "*"
    assert decrypted(key, hands.get(name)) == content(size)


@pytest.mark.parametrize(
    ("size", "parts"),
    [
        # The trailer goes with the last frame, alone, or half and half: never leaves a gap.
        (PART - F, 1),
        (PART - 200, 1),
        (PART - 16, 1),
        (PART - 15, 2),
        (PART - 1, 2),
        (PART, 2),
        (PART + 1, 2),
        (2 * PART - 200, 2),
        (2 * PART - 17, 3),
        (2 * PART - 1, 3),
        (2 * PART, 3),
        (LARGE, 3),
    ],
)
def test_all_parts_but_the_last_are_equal(
    storage: EncryptedS3Storage, hands: Hands, size: int, parts: int
) -> None:
    with hands.calls() as calls:
        name, key = write(storage, pieces(size))
    sent = [call.parameters["PartNumber"] for call in calls if call.operation == "UploadPart"]
    if parts == 1:
        assert sent == []
    else:
        assert sent == list(range(1, parts + 1))
        lengths = [
            hands.client.head_object(Bucket=hands.bucket, Key=name, PartNumber=number)[
                "ContentLength"
            ]
            for number in sent
        ]
        [complete] = [call for call in calls if call.operation == "CompleteMultipartUpload"]
        assert complete.parameters["IfNoneMatch"] == "*"
        assert lengths[:-1] == [PART_LENGTH] * (parts - 1)
        assert 0 < lengths[-1] <= PART_LENGTH
        assert sum(lengths) == object_length(size)
    assert decrypted(key, hands.get(name)) == content(size)


@pytest.fixture
def buffers(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """The buffer of each request's body, in the order of the requests."""
    sent: list[object] = []

    class Watched(BufferBody):
        def __init__(self, buffer: memoryview) -> None:
            super().__init__(buffer)
            sent.append(buffer.obj)

    monkeypatch.setattr(object_requests, "BufferBody", Watched)
    return sent


def distinct(buffers: list[object]) -> int:
    return len({id(buffer) for buffer in buffers})


def test_one_writer_alone_has_four_buffers_at_most(
    storage: EncryptedS3Storage, buffers: list[object]
) -> None:
    for _ in range(2):  # It gives back those that it shares.
        buffers.clear()
        write(storage, [content(PART)] * 6)
        assert len(buffers) == 7
        assert 2 <= distinct(buffers) <= AT_ONCE + 1


def test_where_others_have_the_shared_buffers_two_are_enough(
    storage: EncryptedS3Storage, buffers: list[object]
) -> None:
    with ExitStack() as others:
        while parts._SHARED.acquire(blocking=False):
            others.callback(parts._SHARED.release)
        write(storage, [content(PART)] * 4)
        assert (len(buffers), distinct(buffers)) == (5, 2)


@pytest.mark.parametrize(("size", "may_share"), [(None, True), (PART, True), (10**12, False)])
def test_parts_that_are_larger_than_usual_take_no_shared_buffers(
    moto: EncryptedS3Storage, size: int | None, may_share: bool
) -> None:
    with moto.writer("a/b", dek=os.urandom(32), context=new_context(), size=size) as writer:
        assert writer._parts._may_share is may_share


def test_what_is_safe_is_remembered_no_longer(moto: EncryptedS3Storage) -> None:
    """Of the chain 32 bytes for each frame would stay, of as many as there are."""
    with moto.writer("a/b", dek=os.urandom(32), context=new_context()) as writer:
        for _ in range(6):
            writer.write(content(PART))
        writer._wait()
        chain = writer._digests._digesting.chain
        assert chain is not None
        assert len(chain._states) <= 2 * frames_per_part(None)


def test_an_exact_size_is_kept(storage: EncryptedS3Storage, hands: Hands) -> None:
    name = random_object_name()
    with (
        storage.writer(
            name, dek=os.urandom(32), context=new_context(), size=2 * F, exact=True
        ) as writer,
        pytest.raises(ValueError, match="one more byte"),
    ):
        writer.write(content(F))
        writer.commit()
    assert hands.traces(name) == []


@pytest.mark.parametrize("declared", [0, F, PART + 1, 10**12])
@pytest.mark.parametrize("size", [F + 1, PART + F + 1])
def test_a_wrong_declaration_spoils_nothing(
    storage: EncryptedS3Storage, hands: Hands, declared: int, size: int
) -> None:
    name, key = write(storage, pieces(size), size=declared)
    assert decrypted(key, hands.get(name)) == content(size)


def test_a_declared_size_costs_no_memory(moto: EncryptedS3Storage) -> None:
    dek, context, start = os.urandom(32), new_context(), content(2 * F)
    tracemalloc.start()
    try:
        with moto.writer("a/b", dek=dek, context=context, size=5 * 2**40) as writer:
            writer.write(start)
            assert tracemalloc.get_traced_memory()[1] < 8 * F
    finally:
        tracemalloc.stop()


def test_more_than_the_store_can_number_is_refused(
    storage: EncryptedS3Storage, hands: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("files.storage.writer.MAX_PARTS", 2)
    name = random_object_name()
    with pytest.raises(StreamTooLong):
        write(storage, pieces(LARGE), name=name)
    assert hands.traces(name) == []


@settings(
    max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(
    lengths=st.lists(
        st.one_of(
            st.integers(0, 40), st.sampled_from([F - 1, F, F + 1, 2 * F]), st.integers(0, 3 * F)
        ),
        max_size=8,
    ),
    declared=st.one_of(st.none(), st.integers(0, 4 * F)),
)
def test_chunks_may_have_any_length(
    storage: EncryptedS3Storage, hands: Hands, lengths: list[int], declared: int | None
) -> None:
    whole, chunks, at = content(sum(lengths)), [], 0
    for length in lengths:
        chunks.append(whole[at : at + length])
        at += length
    name, key = write(storage, chunks, size=declared)
    assert decrypted(key, hands.get(name)) == whole


def test_write_and_commit_say_what_was_taken(storage: EncryptedS3Storage, hands: Hands) -> None:
    name = random_object_name()
    told: list[str] = []
    with storage.writer(
        name, dek=os.urandom(32), context=new_context(), on_multipart=told.append
    ) as writer:
        assert writer.write(content(PART + 2 * F)) == PART + 2 * F
        assert writer.size == PART + 2 * F
        assert told
        assert hands.traces(name) == [f"upload of {name}"]
        sealed = writer.commit()
    assert (sealed.name, sealed.size) == (name, PART + 2 * F)
    assert sealed.object_size == object_length(PART + 2 * F) == storage.object_size(name)
    assert sealed.etag == hands.client.head_object(Bucket=hands.bucket, Key=name)["ETag"]
    assert hands.traces(name) == [name]


def test_a_writer_is_used_once(storage: EncryptedS3Storage, hands: Hands) -> None:
    name = random_object_name()
    with storage.writer(name, dek=os.urandom(32), context=new_context()) as writer:
        writer.commit()
        for use in (writer.commit, lambda: writer.write(b"more")):
            with pytest.raises(ValueError, match="closed"):
                use()
    assert not writer.abort()
    assert hands.traces(name) == [name]


# --- All or nothing ---------------------------------------------------------------------------


LARGE_POINTS = [
    Point("CreateMultipartUpload"),
    *(Point("UploadPart", number) for number in (1, 2, 3)),
    Point("CompleteMultipartUpload"),
    CHECK,
]


@both
@pytest.mark.parametrize("point", LARGE_POINTS, ids=str)
def test_a_failure_at_any_point_leaves_nothing(
    storage: EncryptedS3Storage, hands: Hands, point: Point, after: bool
) -> None:
    name = random_object_name()
    with failing(hands, point, after=after), pytest.raises(StoreUnavailable):
        write(storage, pieces(LARGE), name=name, size=LARGE)
    if after and point.operation == "CreateMultipartUpload":
        # The id of this upload never arrived: only listing finds it.
        assert hands.traces(name) == [f"upload of {name}"]
        assert storage.discard(name)
    assert hands.traces(name) == []


@both
@pytest.mark.parametrize("point", [Point("PutObject"), CHECK], ids=str)
def test_a_failure_of_a_small_write_leaves_nothing(
    storage: EncryptedS3Storage, hands: Hands, point: Point, after: bool
) -> None:
    name = random_object_name()
    with failing(hands, point, after=after), pytest.raises(StoreUnavailable):
        write(storage, [b"fox"], name=name)
    assert hands.traces(name) == []


@pytest.mark.parametrize("written", [1, PART + F + 1])
@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError, StoreUnavailable])
def test_whatever_happens_between_two_writes_leaves_nothing(
    storage: EncryptedS3Storage, hands: Hands, written: int, error: type[BaseException]
) -> None:
    name = random_object_name()
    with (
        pytest.raises(error),
        storage.writer(name, dek=os.urandom(32), context=new_context()) as writer,
    ):
        writer.write(content(written))
        raise error
    assert hands.traces(name) == []
    assert parts_threads() == []


def parts_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("part")]


def test_a_note_that_cannot_be_taken_leaves_nothing(
    storage: EncryptedS3Storage, hands: Hands
) -> None:
    name = random_object_name()

    def refuse(multipart_id: str) -> None:
        raise RuntimeError("database is locked")

    with (
        pytest.raises(RuntimeError, match="locked"),
        storage.writer(
            name, dek=os.urandom(32), context=new_context(), on_multipart=refuse
        ) as writer,
    ):
        writer.write(content(PART + F))
        writer.write(content(F))
    assert hands.traces(name) == []


def test_a_writer_that_has_failed_takes_no_more(storage: EncryptedS3Storage, hands: Hands) -> None:
    """What the sending thread raised surfaces, and who goes on regardless gets no file."""
    name = random_object_name()
    refused = ClientError(
        {"Error": {"Code": "AccessDenied"}, "ResponseMetadata": {"HTTPStatusCode": 403}},  # type: ignore[typeddict-item]
        "UploadPart",
    )
    with (
        hands.failing("UploadPart", refused),
        storage.writer(name, dek=os.urandom(32), context=new_context()) as writer,
    ):
        with pytest.raises(StoreRefused):
            for _ in range(AT_ONCE + 2):
                writer.write(content(PART))
        for use in (writer.commit, lambda: writer.write(b"more")):
            with pytest.raises((CryptoError, StoreRefused)):
                use()
        assert writer.abort()
    assert hands.traces(name) == []


# --- What the store returns -------------------------------------------------------------------
@pytest.mark.parametrize("size", [0, F + 1, PART + F], ids=["empty", "put", "multipart"])
@pytest.mark.parametrize("change", ["altered frame", "altered trailer", "cut", "longer", "gone"])
def test_a_store_that_returns_other_bytes_gets_no_commit(
    storage: EncryptedS3Storage, hands: Hands, size: int, change: str
) -> None:
    name = random_object_name()

    def tamper() -> None:
        data = bytearray(hands.get(name))
        if change == "altered frame":
            data[-97] ^= 1
        elif change == "altered trailer":
            data[-1] ^= 1
        elif change == "cut":
            del data[-1:]
        elif change == "longer":
            data += b"\0"
        hands.client.delete_object(Bucket=hands.bucket, Key=name)
        if change != "gone":
            hands.put(name, bytes(data))

    last = "PutObject" if size <= F + 1 else "CompleteMultipartUpload"
    with (
        hands.meanwhile(last, tamper),
        pytest.raises(ObjectMissing if change == "gone" else Damaged),
    ):
        write(storage, [content(size)], name=name)
    # The store had confirmed the write, so what lies there is what became of our own object.
    assert hands.traces(name) == []
