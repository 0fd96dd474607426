"""Stream format 1: known answers, arithmetic, round trips, and what a writer refuses."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from cryptography.fernet import Fernet
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from files.crypto import lanes
from files.crypto.errors import CryptoError, Damaged, StreamTooLong, WrongKey
from files.crypto.stream import (
    FRAME_LENGTH,
    FRAME_PAYLOAD,
    MAX_FRAMES,
    MAX_PARTS,
    MAX_SIZE,
    TRAILER_LENGTH,
    Context,
    Decryptor,
    Encryptor,
    derive_keys,
    encrypt,
    frame_at,
    frame_count,
    frame_length,
    frame_offset,
    frames_per_part,
    object_length,
)

F = FRAME_PAYLOAD
pytestmark = pytest.mark.usefixtures("each_way")
VECTORS: dict[str, Any] = json.loads(
    (Path(__file__).parents[2] / "data" / "stream_vectors.json").read_text()
)
DEK = bytes.fromhex(VECTORS["dek_hex"])
CONTEXT = Context(
    UUID(hex=VECTORS["file_id_hex"]), UUID(hex=VECTORS["stream_id_hex"]), VECTORS["created_at"]
)
SIZES = [0, 1, 15, 16, 17, F - 17, F - 16, F - 15, F - 1, F, F + 1]
SIZES += [2 * F - 1, 2 * F, 2 * F + 1, 3 * F, 5 * F + 7]
NOISE = os.urandom(5 * F + 7)


def known_iv(index: int) -> bytes:
    return hashlib.sha256(b"iv%d" % index).digest()[:16]


def known_data(size: int) -> bytes:
    return (bytes((7 * x + 3) & 255 for x in range(256)) * (size // 256 + 1))[:size]


def open_object(data: bytes, size: int) -> bytes:
    decryptor = Decryptor(derive_keys(DEK, CONTEXT), CONTEXT, size)
    decryptor.check_trailer(data[-TRAILER_LENGTH:])
    body = data[:-TRAILER_LENGTH]
    return b"".join(
        decryptor.open_frame(index, body[frame_offset(index) : frame_offset(index + 1)])
        for index in range(frame_count(size))
    )


def together(end: int) -> int:
    """How many frames are written of so many bytes, where more follow and are announced."""
    return end // F // lanes.at_once() * lanes.at_once()


def frames_held(encryptor: Encryptor) -> int:
    return len(encryptor._waiting) + bool(encryptor._held)


class Sink:
    """An object's bytes as a caller of Encryptor collects them."""

    def __init__(self) -> None:
        self.views: list[bytearray] = []

    def reserve(self, length: int) -> memoryview:
        self.views.append(bytearray(length))
        return memoryview(self.views[-1])

    @property
    def data(self) -> bytes:
        return b"".join(self.views)


# Known answers


def test_known_context_and_keys() -> None:
    keys = derive_keys(DEK, CONTEXT)
    assert CONTEXT.encode().hex() == VECTORS["context_hex"]
    assert base64.urlsafe_b64encode(keys.frame_key).decode() == VECTORS["frame_key_b64"]
    assert keys.commitment.hex() == VECTORS["commitment_hex"]


@pytest.mark.parametrize("case", VECTORS["cases"], ids=lambda case: str(case["size"]))
def test_known_objects(case: dict[str, Any]) -> None:
    plaintext = known_data(case["size"])
    data = b"".join(encrypt(DEK, CONTEXT, [plaintext], iv_for=known_iv))
    assert len(data) == case["object_len"] == object_length(case["size"])
    assert hashlib.sha256(data).hexdigest() == case["object_sha256"]
    assert open_object(data, case["size"]) == plaintext


def test_a_frame_is_a_token_that_fernet_opens() -> None:
    data = b"".join(encrypt(DEK, CONTEXT, [b"payload"]))
    fernet = Fernet(base64.urlsafe_b64encode(derive_keys(DEK, CONTEXT).frame_key))
    token = base64.urlsafe_b64encode(data[:-TRAILER_LENGTH])
    assert fernet.decrypt(token) == b"frame\0" + b"\1" + bytes(8) + b"payload"
    assert fernet.extract_timestamp(token) == CONTEXT.created_at


# Arithmetic


def test_full_frame() -> None:
    assert frame_length(F) == FRAME_LENGTH == F + 73


@pytest.mark.parametrize("size", SIZES)
def test_lengths_follow_the_specification(size: int) -> None:
    frames = max(1, (size + F - 1) // F)
    last = size - (frames - 1) * F
    assert frame_count(size) == frames
    assert object_length(size) == (
        (frames - 1) * FRAME_LENGTH + 57 + 16 * ((15 + last) // 16 + 1) + 96
    )


@given(st.integers(0, MAX_SIZE))
def test_every_size_has_one_layout(size: int) -> None:
    count = frame_count(size)
    last = size - (count - 1) * F
    assert 0 <= last <= F
    assert last or not size
    assert object_length(size) == frame_offset(count - 1) + frame_length(last) + TRAILER_LENGTH
    assert frame_at(max(0, size - 1)) == count - 1


@pytest.mark.parametrize("boundary", [1, 2, 3])
@pytest.mark.parametrize("near", [-1, 0, 1])
def test_offsets_next_to_a_frame_boundary(boundary: int, near: int) -> None:
    index = frame_at(boundary * F + near)
    assert index == (boundary - 1 if near < 0 else boundary)
    assert frame_offset(index) == index * FRAME_LENGTH


@pytest.mark.usefixtures("real_parts")
@pytest.mark.parametrize("size", [None, 0, F, MAX_PARTS * 32 * F - F])
def test_parts_have_32_frames(size: int | None) -> None:
    assert frames_per_part(size) == 32


@pytest.mark.usefixtures("real_parts")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, MAX_SIZE))
def test_ten_thousand_parts_hold_any_object_and_are_no_larger_than_needed(size: int) -> None:
    frames = frames_per_part(size)
    assert frames * FRAME_LENGTH * MAX_PARTS >= object_length(size)
    assert frames == 32 or (frames - 1) * FRAME_LENGTH * MAX_PARTS < object_length(size)


def test_sizes_out_of_range() -> None:
    assert frame_count(MAX_SIZE) == MAX_FRAMES
    with pytest.raises(StreamTooLong):
        object_length(MAX_SIZE + 1)
    with pytest.raises(ValueError, match="negative"):
        frame_count(-1)


# Context and keys


@given(st.uuids(), st.uuids(), st.integers(0, 2**64 - 1))
def test_context_round_trip(file_id: UUID, stream_id: UUID, created_at: int) -> None:
    context = Context(file_id, stream_id, created_at)
    assert len(context.encode()) == 64
    assert Context.decode(context.encode()) == context


@pytest.mark.parametrize("at", [*range(16), *range(56, 64)])
def test_context_refuses_other_fixed_bytes(at: int) -> None:
    data = bytearray(CONTEXT.encode())
    data[at] ^= 1
    with pytest.raises(Damaged):
        Context.decode(bytes(data))


@pytest.mark.parametrize("data", [b"", CONTEXT.encode()[:-1], CONTEXT.encode() + b"\0"])
def test_context_refuses_another_length(data: bytes) -> None:
    with pytest.raises(Damaged):
        Context.decode(data)


@pytest.mark.parametrize("created_at", [-1, 2**64])
def test_context_time_fits_its_field(created_at: int) -> None:
    with pytest.raises(ValueError, match="created_at"):
        replace(CONTEXT, created_at=created_at)


@pytest.mark.parametrize(
    "other",
    [
        replace(CONTEXT, file_id=UUID(int=9)),
        replace(CONTEXT, stream_id=UUID(int=9)),
        replace(CONTEXT, created_at=9),
    ],
)
def test_every_field_of_the_context_changes_the_keys(other: Context) -> None:
    keys = derive_keys(DEK, other)
    with pytest.raises(WrongKey):
        keys.check(derive_keys(DEK, CONTEXT).commitment)
    assert keys.frame_key != derive_keys(DEK, CONTEXT).frame_key


def test_keys_that_share_a_half_do_not_share_a_commitment() -> None:
    keys = derive_keys(DEK[:16] + bytes(16), CONTEXT)
    with pytest.raises(WrongKey):
        keys.check(derive_keys(DEK, CONTEXT).commitment)
    keys.check(keys.commitment)


def test_keys_are_not_shown() -> None:
    assert repr(derive_keys(DEK, CONTEXT)) == "StreamKeys()"


@pytest.mark.parametrize("length", [0, 16, 31, 33])
def test_a_data_key_has_32_bytes(length: int) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        derive_keys(bytes(length), CONTEXT)


# Round trips


@pytest.mark.parametrize("size", SIZES)
def test_round_trip(size: int) -> None:
    data = b"".join(encrypt(DEK, CONTEXT, [NOISE[:size]]))
    assert len(data) == object_length(size)
    assert open_object(data, size) == NOISE[:size]


@settings(max_examples=60, deadline=None)
@given(st.sampled_from([s for s in SIZES if s <= 2 * F + 1]), st.booleans(), st.data())
def test_chunking_does_not_change_the_object(size: int, known: bool, data: st.DataObject) -> None:
    near = st.sampled_from([0, 1, F - 1, F, F + 1, 2 * F - 1, 2 * F, 2 * F + 1])
    cuts = data.draw(st.lists(near | st.integers(0, size), max_size=8))
    edges = [0, *sorted(min(cut, size) for cut in cuts), size]
    wrap: Callable[[bytes], bytes | bytearray | memoryview] = data.draw(
        st.sampled_from([bytes, bytearray, memoryview])
    )
    sink = Sink()
    promised = size if known else None
    encryptor = Encryptor(DEK, CONTEXT, sink.reserve, size=promised, iv_for=known_iv)
    for start, end in pairwise(edges):
        encryptor.update(wrap(NOISE[start:end]))
        assert encryptor.size == end
        if known and end < size:
            assert len(sink.data) == frame_offset(together(end)), "no full frame waits"
    encryptor.finish()
    assert encryptor.size == size
    assert sink.data == b"".join(encrypt(DEK, CONTEXT, [NOISE[:size]], iv_for=known_iv))
    assert open_object(sink.data, size) == NOISE[:size]


@pytest.mark.parametrize("first", [1, F - 1])
def test_a_frame_of_two_pieces_does_not_wait_where_more_is_promised(first: int) -> None:
    size, sink = 5 * F + 3, Sink()
    encryptor = Encryptor(DEK, CONTEXT, sink.reserve, size=size, iv_for=known_iv)
    edges = [number * F + more for number in range(5) for more in (0, first)]
    for start, end in pairwise([*edges, size]):
        encryptor.update(NOISE[start:end])
        assert len(sink.data) == frame_offset(together(end))
    encryptor.finish()
    assert sink.data == b"".join(encrypt(DEK, CONTEXT, [NOISE[:size]], iv_for=known_iv))


def test_single_bytes_make_the_same_object() -> None:
    chunks = (NOISE[i : i + 1] for i in range(F + 3))
    data = b"".join(encrypt(DEK, CONTEXT, chunks, iv_for=known_iv))
    assert data == b"".join(encrypt(DEK, CONTEXT, [NOISE[: F + 3]], iv_for=known_iv))


def test_frames_open_in_any_order() -> None:
    size = 3 * F + 1
    data = b"".join(encrypt(DEK, CONTEXT, [NOISE[:size]]))[:-TRAILER_LENGTH]
    decryptor = Decryptor(derive_keys(DEK, CONTEXT), CONTEXT, size)
    for index in (3, 0, 2, 2, 1):
        token = memoryview(data)[frame_offset(index) : frame_offset(index + 1)]
        expected = NOISE[index * F : min(size, (index + 1) * F)]
        assert decryptor.open_frame(index, token) == expected


def test_two_encryptions_share_no_block() -> None:
    one, two = (b"".join(encrypt(DEK, CONTEXT, [bytes(1000)]))[:-TRAILER_LENGTH] for _ in "12")
    assert not {one[i : i + 16] for i in range(9, 900, 16)} & {
        two[i : i + 16] for i in range(9, 900, 16)
    }


@pytest.mark.parametrize("first", [1, 2, 3])
def test_a_continued_stream_is_the_same_object(first: int) -> None:
    size = 3 * F + 5
    whole = b"".join(encrypt(DEK, CONTEXT, [NOISE[:size]], iv_for=known_iv))
    sink = Sink()
    encryptor = Encryptor(DEK, CONTEXT, sink.reserve, first_frame=first, iv_for=known_iv)
    assert encryptor.size == first * F
    encryptor.update(NOISE[first * F : size])
    encryptor.finish()
    assert encryptor.size == size
    assert whole[frame_offset(first) :] == sink.data


# What a writer does and refuses


def test_the_last_of_what_goes_together_is_held_back_until_more_comes() -> None:
    sink, number = Sink(), lanes.at_once()
    encryptor = Encryptor(DEK, CONTEXT, sink.reserve)
    encryptor.update(bytes(number * F))
    assert sink.views == []
    encryptor.update(b"")
    assert sink.views == []
    encryptor.update(b"x")
    assert [len(view) for view in sink.views] == [number * FRAME_LENGTH]
    encryptor.finish()
    lengths = [number * FRAME_LENGTH, frame_length(1), TRAILER_LENGTH]
    assert [len(view) for view in sink.views] == lengths


@pytest.mark.parametrize("first", [0, 1, 2, 3])
@pytest.mark.parametrize("part", [1, 2, 3, 5, 32])
@pytest.mark.parametrize("known", [True, False])
def test_frames_go_together_in_one_part_only(first: int, part: int, known: bool) -> None:
    size, sink = 5 * F + 7, Sink()
    encryptor = Encryptor(
        DEK,
        CONTEXT,
        sink.reserve,
        first_frame=first,
        size=size if known else None,
        part_frames=part,
        iv_for=known_iv,
    )
    for start in range(first * F, size, 100_003):
        encryptor.update(NOISE[start : min(start + 100_003, size)])
        assert frames_held(encryptor) <= lanes.at_once() + 1
    encryptor.finish()
    index = first
    for view in sink.views[:-1]:
        count = -(-len(view) // FRAME_LENGTH)
        assert index // part == (index + count - 1) // part
        index += count
    whole = b"".join(encrypt(DEK, CONTEXT, [NOISE[:size]], iv_for=known_iv))
    assert sink.data == whole[frame_offset(first) :]


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("got", [0, 1, F - 1, F, F + 1, 3 * F, 4 * F, 4 * F + 1, 5 * F])
@pytest.mark.parametrize("kind", [bytes, bytearray])
def test_a_stream_that_was_suspended_anywhere_goes_on(
    got: int, known: bool, kind: Callable[[bytes], bytes | bytearray]
) -> None:
    size, sink = 5 * F + 7, Sink()
    promised = size if known else None
    one = Encryptor(DEK, CONTEXT, sink.reserve, size=promised, iv_for=known_iv)
    for start in range(0, got, F):
        one.update(kind(NOISE[start : min(start + F, got)]))
    carry = one.suspend()
    assert len(carry) <= F
    written, rest = divmod(len(sink.data), FRAME_LENGTH)
    assert (rest, written * F + len(carry)) == (0, got)
    other = Encryptor(
        DEK, CONTEXT, sink.reserve, first_frame=written, size=promised, iv_for=known_iv
    )
    other.update(carry)
    other.update(NOISE[got:size])
    other.finish()
    assert sink.data == b"".join(encrypt(DEK, CONTEXT, [NOISE[:size]], iv_for=known_iv))


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_a_buffer_is_the_callers_again_when_update_returns(kind: Callable[[bytes], Any]) -> None:
    whole, sink = NOISE[: 5 * F], Sink()
    encryptor = Encryptor(DEK, CONTEXT, sink.reserve, iv_for=known_iv)
    for start in range(0, len(whole), F):
        chunk = kind(whole[start : start + F])
        encryptor.update(chunk)
        if isinstance(chunk, bytearray):
            chunk[:] = bytes(F)
    encryptor.finish()
    assert sink.data == b"".join(encrypt(DEK, CONTEXT, [whole], iv_for=known_iv))


def test_a_whole_frame_that_is_held_back_is_given_back_at_a_suspension() -> None:
    encryptor = Encryptor(DEK, CONTEXT, lambda length: memoryview(bytearray(length)))
    encryptor.update(NOISE[:F])
    assert encryptor.suspend() == NOISE[:F]


def test_the_commitment_is_the_derived_one() -> None:
    encryptor = Encryptor(DEK, CONTEXT, Sink().reserve)
    assert encryptor.commitment == derive_keys(DEK, CONTEXT).commitment


def test_a_finished_encryptor_refuses_further_use() -> None:
    encryptor = Encryptor(DEK, CONTEXT, Sink().reserve)
    encryptor.finish()
    with pytest.raises(CryptoError, match="finished or failed"):
        encryptor.update(b"x")
    with pytest.raises(CryptoError, match="finished or failed"):
        encryptor.finish()


def test_a_failed_encryptor_refuses_further_use() -> None:
    def full(_length: int) -> memoryview:
        raise OSError("no room")

    encryptor = Encryptor(DEK, CONTEXT, full)
    with pytest.raises(OSError, match="no room"):
        encryptor.update(bytes(lanes.at_once() * F + 1))
    with pytest.raises(CryptoError, match="finished or failed"):
        encryptor.finish()


def test_a_view_of_another_length_is_refused() -> None:
    encryptor = Encryptor(DEK, CONTEXT, lambda length: memoryview(bytearray(length + 1)))
    with pytest.raises(ValueError, match="gave"):
        encryptor.finish()


def test_too_long_is_refused_before_anything_is_encrypted() -> None:
    sink = Sink()
    encryptor = Encryptor(DEK, CONTEXT, sink.reserve, first_frame=MAX_FRAMES - 1)
    with pytest.raises(StreamTooLong):
        encryptor.update(bytes(F + 1))
    assert sink.views == []


@pytest.mark.parametrize("first", [-1, MAX_FRAMES])
def test_no_stream_begins_outside_its_frames(first: int) -> None:
    with pytest.raises(ValueError, match="no frame"):
        Encryptor(DEK, CONTEXT, Sink().reserve, first_frame=first)


@pytest.mark.parametrize("got", [F, 2 * F])
def test_a_stream_of_known_size_needs_all_of_it(got: int) -> None:
    encryptor = Encryptor(DEK, CONTEXT, Sink().reserve, size=2 * F + 1)
    encryptor.update(NOISE[:got])
    with pytest.raises(ValueError, match="at least one more byte"):
        encryptor.finish()


def test_a_continued_stream_needs_more_bytes() -> None:
    sink = Sink()
    encryptor = Encryptor(DEK, CONTEXT, sink.reserve, first_frame=1)
    with pytest.raises(ValueError, match="at least one more byte"):
        encryptor.finish()
    assert sink.views == []
