"""The reader: every range, the manners of a file, bounded memory, and nothing unproved."""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Iterator
from contextlib import closing
from itertools import pairwise, product

import pytest
from botocore.exceptions import ReadTimeoutError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from files.crypto import lanes
from files.crypto.errors import Damaged, WrongKey
from files.crypto.stream.keys import derive_keys
from files.crypto.stream.layout import FRAME_LENGTH, TRAILER_LENGTH, frame_count, object_length
from files.storage import (
    EncryptedS3Storage,
    ObjectKey,
    ObjectMissing,
    ObjectReader,
    StoreUnavailable,
)
from files.storage.ranges import BrokenOff, RangeAnswer
from files.storage.reader import BATCH
from tests.files.storage.objects import SIZES, F, Hands, content, encrypted, new_key

SIZE = 3 * F + 5
LONG = (8 * BATCH + 2) * F - 1
Opened = tuple[str, ObjectReader]


@pytest.fixture
def opened(storage: EncryptedS3Storage, hands: Hands) -> Iterator[Opened]:
    """The name and a reader of an object of `SIZE` bytes."""
    name, key = hands.place(content(SIZE))
    with storage.reader(name, key) as reader:
        yield name, reader


def boundaries(size: int) -> list[int]:
    """Every offset within one byte of a frame boundary or of the end."""
    edges = [*range(0, size, F), size]
    return sorted({n for edge in edges for n in (edge - 1, edge, edge + 1) if 0 <= n <= size})


@pytest.mark.parametrize("patience", [0, 60])
def test_a_store_that_hangs_is_not_waited_for_again_and_again(
    storage: EncryptedS3Storage, hands: Hands, patience: float
) -> None:
    name, key = hands.place(content(F))
    with (
        ObjectReader(
            storage.client,
            storage.bucket_name,
            name,
            keys=derive_keys(key.dek, key.context),
            context=key.context,
            size=key.size,
            patience=patience,
        ) as reader,
        hands.failing("GetObject", ReadTimeoutError(endpoint_url="http://store")),
    ):
        if patience:
            assert reader.read() == content(F)
        else:
            with pytest.raises(StoreUnavailable):
                reader.read()


def test_every_range_at_the_frame_boundaries(opened: Opened) -> None:
    _, reader = opened
    whole = content(SIZE)
    for start, stop in product(boundaries(SIZE), [*boundaries(SIZE), None]):
        got = b"".join(reader.chunks(start, stop))
        assert got == whole[start:stop], (start, stop)


@pytest.mark.parametrize("size", SIZES)
def test_an_object_is_read_whole(storage: EncryptedS3Storage, hands: Hands, size: int) -> None:
    name, key = hands.place(content(size))
    with storage.reader(name, key) as reader:
        assert reader.size == size
        assert b"".join(reader.chunks()) == content(size)
        assert list(reader.chunks(size, size + 9)) == []
        assert reader.read() == content(size)


def test_a_chunk_is_at_most_a_frame(opened: Opened) -> None:
    _, reader = opened
    assert [len(chunk) for chunk in reader.chunks(1)] == [F - 1, F, F, 5]


def test_what_was_given_out_stays_as_it_is_whatever_is_read_beside_it(opened: Opened) -> None:
    _, reader = opened
    with closing(reader.chunks()) as one, closing(reader.chunks(1)) as other:
        got = [next(one), next(other), next(one), next(other)]
        reader.check_end()
        rest = b"".join(one), b"".join(other)
    assert got[0] + got[2] + rest[0] == content(SIZE)
    assert got[1] + got[3] + rest[1] == content(SIZE)[1:]


@pytest.mark.parametrize("at_once", [1, BATCH, BATCH + 1])
def test_every_range_is_the_same_where_frames_are_joined(
    opened: Opened, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    _, reader = opened
    monkeypatch.setattr(lanes, "at_once", lambda: at_once)
    whole = content(SIZE)
    for start, stop in product(boundaries(SIZE), [*boundaries(SIZE), None]):
        pieces = list(reader.chunks(start, stop, joined=lambda: True))
        assert b"".join(pieces) == whole[start:stop], (start, stop)
        assert all(0 < len(piece) <= min(at_once, BATCH) * F for piece in pieces)


@pytest.mark.parametrize("at_once", [1, BATCH, BATCH + 1])
@pytest.mark.parametrize("size", SIZES)
def test_all_frames_are_seen_where_they_were_opened(
    storage: EncryptedS3Storage,
    hands: Hands,
    monkeypatch: pytest.MonkeyPatch,
    size: int,
    at_once: int,
) -> None:
    monkeypatch.setattr(lanes, "at_once", lambda: at_once)
    name, key = hands.place(content(size))
    with storage.reader(name, key) as reader, hands.calls() as calls:
        seen = [[bytes(one) for one in payloads] for payloads in reader.frames_for_now()]
    assert b"".join(b"".join(payloads) for payloads in seen) == content(size)
    assert sum(map(len, seen)) == frame_count(size)
    assert max(map(len, seen)) <= min(at_once, BATCH)
    assert [call.parameters["Range"] for call in calls] == [f"bytes=0-{object_length(size) - 1}"]


@pytest.mark.parametrize("at", [0, 30, -1, -TRAILER_LENGTH, -TRAILER_LENGTH - 1])
@pytest.mark.parametrize("frame", range(4))
def test_a_flipped_bit_anywhere_is_found_where_frames_are_opened(
    storage: EncryptedS3Storage, hands: Hands, frame: int, at: int
) -> None:
    key = new_key(SIZE)
    data = bytearray(encrypted(key, content(SIZE)))
    if at < 0:
        frame = 3
    data[at if at < 0 else frame * FRAME_LENGTH + at] ^= 1
    hands.put("da/maged", bytes(data))
    seen = b""
    with storage.reader("da/maged", key) as reader, pytest.raises(Damaged):
        for payloads in reader.frames_for_now():
            seen += b"".join(payloads)
    assert seen == content(SIZE)[: frame * F]


def test_frames_are_joined_only_while_that_is_wanted(
    storage: EncryptedS3Storage, hands: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, key = hands.place(content(LONG))
    monkeypatch.setattr(lanes, "at_once", lambda: BATCH)
    said = iter([False, True, False, True, True])
    with (
        storage.reader(name, key) as reader,
        closing(reader.chunks(joined=lambda: next(said))) as chunks,
    ):
        lengths = [len(next(chunks)) // F for _ in range(7)]
    # The first one comes alone, and then by `BATCH`.
    assert lengths == [1, BATCH, 1, 1, 1, BATCH, BATCH]


def test_a_range_fetches_its_frames_and_no_more(opened: Opened, hands: Hands) -> None:
    _, reader = opened
    with hands.calls() as calls:
        list(reader.chunks(F, 2 * F))
    assert [call.parameters["Range"] for call in calls] == [
        f"bytes={FRAME_LENGTH}-{2 * FRAME_LENGTH - 1}"
    ]


def test_positions_before_the_first_byte_do_not_exist(opened: Opened) -> None:
    _, reader = opened
    with pytest.raises(ValueError, match="negative"):
        list(reader.chunks(-1))
    for offset, whence in ((-1, io.SEEK_SET), (-SIZE - 1, io.SEEK_END), (-1, io.SEEK_CUR)):
        with pytest.raises(ValueError, match="negative"):
            reader.seek(offset, whence)
    with pytest.raises(ValueError, match="whence"):
        reader.seek(0, 3)


def test_a_closed_reader_refuses(opened: Opened) -> None:
    _, reader = opened
    assert reader.read(1)
    reader.close()
    reader.close()
    for use in (reader.tell, reader.read, lambda: reader.seek(0), lambda: reader.readinto(b"")):
        with pytest.raises(ValueError, match="closed"):
            use()


# --- The manners of a file, against io.BytesIO ------------------------------------------------
OFFSETS = st.one_of(st.sampled_from(boundaries(SIZE)), st.integers(0, SIZE + F))
LENGTHS = st.one_of(st.sampled_from([0, 1, F - 1, F, F + 1, SIZE]), st.integers(0, 2 * F))
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("seek"), OFFSETS),
        st.tuples(st.just("seek from the end"), st.integers(-SIZE, 3)),
        st.tuples(st.just("read"), LENGTHS),
        st.tuples(st.just("readinto"), LENGTHS),
    ),
    max_size=8,
)
few = settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])


def rewound(reader: ObjectReader) -> ObjectReader:
    reader.seek(0)
    return reader


@few
@given(steps=STEPS)
def test_a_buffered_reader_behaves_as_bytes_in_memory(
    opened: Opened, steps: list[tuple[str, int]]
) -> None:
    _, reader = opened
    model = io.BytesIO(content(SIZE))
    buffered = io.BufferedReader(rewound(reader), F)
    for step, n in steps:
        if step == "seek":
            assert buffered.seek(n) == model.seek(n)
        elif step == "seek from the end":
            assert buffered.seek(n, io.SEEK_END) == model.seek(n, io.SEEK_END)
        elif step == "read":
            assert buffered.read(n) == model.read(n)
        else:
            ours, theirs = bytearray(n), bytearray(n)
            assert buffered.readinto(ours) == model.readinto(theirs)
            assert ours == theirs
        assert buffered.tell() == model.tell()
    assert buffered.read() == model.read()
    buffered.detach()


@few
@given(steps=STEPS)
def test_a_raw_read_is_short_only_at_a_frame_and_empty_only_at_the_end(
    opened: Opened, steps: list[tuple[str, int]]
) -> None:
    _, reader = opened
    whole, position = content(SIZE), rewound(reader).tell()
    for step, n in steps:
        if step == "seek":
            position = reader.seek(n)
            assert position == n
        elif step == "seek from the end":
            position = reader.seek(n, io.SEEK_END)
            assert position == SIZE + n
        else:
            got = reader.read(n)
            assert got == whole[position : position + len(got)]
            assert len(got) <= n
            assert bool(got) == (n > 0 and position < SIZE)
            position += len(got)
        assert reader.tell() == position
    assert reader.readable()
    assert reader.seekable()
    assert not reader.writable()


# --- How much is held ---------------------------------------------------------------------------
class Meter:
    """Counts frames as they arrive from the store, and how far that is ahead of who reads."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked_for = self.arrived = self.furthest = 0
        genuine = RangeAnswer.read_exactly

        def read_exactly(answer: RangeAnswer, length: int) -> bytes:
            token = genuine(answer, length)
            self.arrived += -(-(length - TRAILER_LENGTH) // FRAME_LENGTH)
            self.furthest = max(self.furthest, self.arrived - self.asked_for)
            return token

        monkeypatch.setattr(RangeAnswer, "read_exactly", read_exactly)


@pytest.mark.parametrize("at_once", [1, BATCH, BATCH + 1])
def test_a_slow_reader_has_a_few_frames_waiting_and_no_more(
    storage: EncryptedS3Storage, hands: Hands, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    name, key = hands.place(content(LONG))
    monkeypatch.setattr(lanes, "at_once", lambda: at_once)
    meter = Meter(monkeypatch)
    received = b""
    with storage.reader(name, key) as reader, closing(reader.chunks()) as chunks:
        for meter.asked_for in range(1, frame_count(LONG) + 1):
            received += next(chunks)
            assert meter.arrived < meter.asked_for + min(at_once, BATCH)
        assert next(chunks, None) is None
    assert received == content(LONG)
    assert meter.arrived == frame_count(LONG)
    assert meter.furthest == min(at_once, BATCH) - 1


@pytest.mark.parametrize(
    ("came", "whole"),
    [
        *((0, 0), (1, 0), (FRAME_LENGTH - 1, 0), (FRAME_LENGTH, 1), (2 * FRAME_LENGTH, 2)),
        *((3 * FRAME_LENGTH, 2), (3 * FRAME_LENGTH + TRAILER_LENGTH - 1, 2)),
    ],
)
def test_of_a_batch_that_breaks_off_what_came_whole_is_kept(
    storage: EncryptedS3Storage,
    hands: Hands,
    monkeypatch: pytest.MonkeyPatch,
    came: int,
    whole: int,
) -> None:
    size = (1 + BATCH) * F
    name, key = hands.place(content(size))
    monkeypatch.setattr(lanes, "at_once", lambda: BATCH)
    genuine = RangeAnswer.read_exactly
    breaking = [came]

    def read_exactly(answer: RangeAnswer, length: int) -> bytes:
        token = genuine(answer, length)
        if length > FRAME_LENGTH and breaking:
            raise BrokenOff("read an object: it broke off", token[: breaking.pop()])
        return token

    monkeypatch.setattr(RangeAnswer, "read_exactly", read_exactly)
    with storage.reader(name, key) as reader, hands.calls() as calls:
        assert b"".join(reader.chunks()) == content(size)
    begun = [int(call.parameters["Range"][6:].partition("-")[0]) for call in calls]
    assert begun == [0, (1 + whole) * FRAME_LENGTH]


def test_reading_takes_no_thread_and_closing_early_frees_the_connection(
    storage: EncryptedS3Storage, hands: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, key = hands.place(content(LONG))
    closed: list[RangeAnswer] = []
    genuine = RangeAnswer.close

    def close(answer: RangeAnswer) -> None:
        closed.append(answer)
        genuine(answer)

    monkeypatch.setattr(RangeAnswer, "close", close)
    threads = threading.enumerate()
    with storage.reader(name, key) as reader:
        chunks = reader.chunks()
        assert len(next(chunks)) + len(next(chunks)) > F
        assert threading.enumerate() == threads
        assert not closed
        chunks.close()
        assert len(closed) == 1
        # The file's way, abandoned by closing the file.
        assert reader.read(1)
    assert len(closed) == 2


# --- Nothing unproved -------------------------------------------------------------------------
def test_a_wrong_key_fetches_nothing(storage: EncryptedS3Storage, hands: Hands) -> None:
    name, key = hands.place(b"fox")
    for dek in (os.urandom(32), key.dek[:16] + os.urandom(16)):
        wrong = ObjectKey(dek, key.context, key.size, key.commitment)
        with hands.calls() as calls, pytest.raises(WrongKey):
            storage.reader(name, wrong)
        assert calls == []


def test_a_missing_object_is_missing(storage: EncryptedS3Storage) -> None:
    with storage.reader("no/such", new_key(5)) as reader, pytest.raises(ObjectMissing):
        reader.read()


@pytest.mark.parametrize("frame", [1, 2, 3])
def test_of_joined_frames_none_is_given_out_from_a_damaged_one_on(
    storage: EncryptedS3Storage, hands: Hands, monkeypatch: pytest.MonkeyPatch, frame: int
) -> None:
    monkeypatch.setattr(lanes, "at_once", lambda: BATCH)
    key = new_key(SIZE)
    data = bytearray(encrypted(key, content(SIZE)))
    data[frame * FRAME_LENGTH + 40] ^= 1
    hands.put("da/maged", bytes(data))
    with storage.reader("da/maged", key) as reader:
        chunks, released = reader.chunks(joined=lambda: True), b""
        with pytest.raises(Damaged):
            for piece in chunks:
                released += piece
        assert released == content(SIZE)[: frame * F]


@pytest.mark.parametrize("frame", [0, 1, 3])
def test_damage_is_never_a_clean_end(storage: EncryptedS3Storage, hands: Hands, frame: int) -> None:
    key = new_key(SIZE)
    data = bytearray(encrypted(key, content(SIZE)))
    data[frame * FRAME_LENGTH + 40] ^= 1
    hands.put("da/maged", bytes(data))
    with storage.reader("da/maged", key) as reader:
        released = bytearray()
        for _ in range(2):
            with pytest.raises(Damaged):
                while piece := reader.read(F):
                    released += piece
        assert released == content(SIZE)[: frame * F]
        assert reader.tell() == frame * F


@pytest.mark.parametrize("change", [-1, 1, -FRAME_LENGTH, FRAME_LENGTH])
def test_an_object_of_another_length_is_refused_before_its_first_byte(
    storage: EncryptedS3Storage, hands: Hands, change: int
) -> None:
    key = new_key(SIZE)
    data = encrypted(key, content(SIZE))
    assert len(data) == object_length(SIZE)
    hands.put("an/other", (data + bytes(FRAME_LENGTH))[: len(data) + change])
    with storage.reader("an/other", key) as reader, pytest.raises(Damaged):
        next(reader.chunks())


def test_an_object_replaced_between_two_reads_is_refused(opened: Opened, hands: Hands) -> None:
    name, reader = opened
    assert reader.read(1)
    hands.put(name, encrypted(new_key(SIZE), content(SIZE)))
    reader.seek(2 * F)
    with pytest.raises(Damaged, match="replaced"):
        reader.read(1)


def test_a_store_that_ignores_the_pin_is_noticed(
    opened: Opened, hands: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, reader = opened
    assert reader.read(1)
    hands.put(name, encrypted(new_key(SIZE), content(SIZE)))
    genuine = hands.client.get_object

    def without_pin(**parameters: str) -> object:
        parameters.pop("IfMatch")
        return genuine(**parameters)  # type: ignore[arg-type]

    monkeypatch.setattr(hands.client, "get_object", without_pin)
    reader.seek(2 * F)
    with pytest.raises(Damaged, match="another version"):
        reader.read(1)


@pytest.mark.parametrize("way", ["chunks", "joined", "for_now"])
def test_bits_that_flipped_on_the_way_are_fetched_again(
    opened: Opened,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    way: str,
) -> None:
    name, reader = opened
    genuine = RangeAnswer.read_exactly
    seen = set()

    def once_damaged(token: bytes) -> bytes:
        if token in seen:
            return token
        seen.add(token)
        return token[:-1] + bytes([token[-1] ^ 1])

    def read_exactly(answer: RangeAnswer, length: int) -> bytes:
        batch, count = genuine(answer, length), -(-(length - TRAILER_LENGTH) // FRAME_LENGTH)
        edges = [*(number * FRAME_LENGTH for number in range(count)), length]
        return b"".join(once_damaged(batch[start:end]) for start, end in pairwise(edges))

    monkeypatch.setattr(RangeAnswer, "read_exactly", read_exactly)
    if way == "for_now":
        seen_for_now = [b"".join(payloads) for payloads in reader.frames_for_now()]
        assert b"".join(seen_for_now) == content(SIZE)
    else:
        assert b"".join(reader.chunks(joined=lambda: way == "joined")) == content(SIZE)
    assert len(seen) == frame_count(SIZE)
    assert f"of {name} arrived damaged once" in caplog.text


def test_check_end_fetches_the_last_frame_only(storage: EncryptedS3Storage, hands: Hands) -> None:
    for size in (0, 1, F, SIZE):
        name, key = hands.place(content(size))
        etag = hands.client.head_object(Bucket=hands.bucket, Key=name)["ETag"]
        with storage.reader(name, key) as reader, hands.calls() as calls:
            assert reader.check_end() == etag
        assert len(calls) == 1


def test_check_end_refuses_a_damaged_end(storage: EncryptedS3Storage, hands: Hands) -> None:
    for size, at in ((0, 0), (0, -1), (SIZE, -1), (SIZE, -96), (SIZE, -97)):
        key = new_key(size)
        data = bytearray(encrypted(key, content(size)))
        data[at] ^= 1
        hands.put("da/maged", bytes(data))
        with storage.reader("da/maged", key) as reader, pytest.raises(Damaged):
            reader.check_end()
