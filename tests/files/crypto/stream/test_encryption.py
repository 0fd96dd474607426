"""A stream is written as the known answers are, however its bytes come; what a writer refuses."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import pytest
from cryptography.fernet import Fernet
from hypothesis import given, settings
from hypothesis import strategies as st

from files.crypto import lanes
from files.crypto.errors import CryptoError, StreamTooLong
from files.crypto.stream.encryption import Encryptor, Sealer, encrypt
from files.crypto.stream.keys import derive_keys
from files.crypto.stream.layout import (
    FRAME_LENGTH,
    MAX_FRAMES,
    TRAILER_LENGTH,
    frame_length,
    frame_offset,
    object_length,
)
from tests.files.crypto.stream.known import (
    CONTEXT,
    DEK,
    NOISE,
    SIZES,
    VECTORS,
    F,
    known_data,
    known_iv,
    open_object,
)

pytestmark = pytest.mark.usefixtures("each_way")


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
@pytest.mark.parametrize("more", [0, 7])
@pytest.mark.parametrize("got", [0, 1, F - 1, F, F + 1, 3 * F, 4 * F, 4 * F + 1, 5 * F])
@pytest.mark.parametrize("kind", [bytes, bytearray])
def test_a_stream_that_was_suspended_anywhere_goes_on(
    got: int, more: int, known: bool, kind: Callable[[bytes], bytes | bytearray]
) -> None:
    """A whole frame is given back only where it may be the last of all."""
    size, sink = 5 * F + more, Sink()
    promised = size if known else None
    one = Encryptor(DEK, CONTEXT, sink.reserve, size=promised, iv_for=known_iv)
    for start in range(0, got, F):
        one.update(kind(NOISE[start : min(start + F, got)]))
    carry = one.suspend()
    held_back = F if got and not got % F and (got == size or not known) else got % F
    assert len(carry) == held_back
    written, rest = divmod(len(sink.data), FRAME_LENGTH)
    assert (rest, written * F + len(carry)) == (0, got)
    other = Encryptor(
        DEK, CONTEXT, sink.reserve, first_frame=written, size=promised, iv_for=known_iv
    )
    other.update(carry)
    other.update(NOISE[got:size])
    other.finish()
    assert sink.data == b"".join(encrypt(DEK, CONTEXT, [NOISE[:size]], iv_for=known_iv))


@pytest.mark.parametrize("length", [2 * F, 3 * F])
def test_what_waits_keeps_no_more_than_its_frames_in_memory(length: int) -> None:
    """And not all of the chunk that it came in."""
    encryptor = Encryptor(DEK, CONTEXT, Sink().reserve)
    encryptor.update(bytes(length))
    assert encryptor._waiting
    assert all(memoryview(waiting.obj).nbytes == F for waiting in encryptor._waiting)


def test_an_object_is_given_while_its_chunks_come() -> None:
    taken, count = [], 3 * lanes.at_once()

    def chunks() -> Iterator[bytes]:
        for number in range(count):
            taken.append(number)
            yield bytes(F)

    data = encrypt(DEK, CONTEXT, chunks())
    next(data)
    assert len(taken) == lanes.at_once() + 1
    assert len(list(data)) == count


def test_no_frame_is_sealed_beyond_the_last_that_a_stream_may_have() -> None:
    sealer = Sealer(DEK, CONTEXT)
    room = memoryview(bytearray(2 * frame_length(F)))
    sealer.seal_all_into(room, MAX_FRAMES - 2, [NOISE[:F], NOISE[:F]], final=True)
    sealed = bytes(room)
    with pytest.raises(StreamTooLong):
        sealer.seal_all_into(room, MAX_FRAMES - 1, [NOISE[:F], NOISE[:F]], final=True)
    assert room == sealed


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
