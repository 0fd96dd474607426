"""What was encrypted opens again, in any order; what else is refused is in `test_tampering`."""

from __future__ import annotations

import pytest

from files.crypto.errors import Damaged
from files.crypto.stream.decryption import Decryptor, opening_room
from files.crypto.stream.encryption import encrypt
from files.crypto.stream.keys import derive_keys
from files.crypto.stream.layout import TRAILER_LENGTH, frame_offset, object_length
from tests.files.crypto.stream.known import CONTEXT, DEK, NOISE, SIZES, F, open_object

pytestmark = pytest.mark.usefixtures("each_way")


@pytest.mark.parametrize("size", SIZES)
def test_round_trip(size: int) -> None:
    data = b"".join(encrypt(DEK, CONTEXT, [NOISE[:size]]))
    assert len(data) == object_length(size)
    assert open_object(data, size) == NOISE[:size]


def test_frames_open_in_any_order() -> None:
    size = 3 * F + 1
    data = b"".join(encrypt(DEK, CONTEXT, [NOISE[:size]]))[:-TRAILER_LENGTH]
    decryptor = Decryptor(derive_keys(DEK, CONTEXT), CONTEXT, size)
    for index in (3, 0, 2, 2, 1):
        token = memoryview(data)[frame_offset(index) : frame_offset(index + 1)]
        expected = NOISE[index * F : min(size, (index + 1) * F)]
        assert decryptor.open_frame(index, token) == expected


def test_a_stream_has_no_frame_outside_its_count() -> None:
    decryptor = Decryptor(derive_keys(DEK, CONTEXT), CONTEXT, 2 * F)
    for index in (-1, 2, 2**32):
        with pytest.raises(ValueError, match="no frame"):
            decryptor.open_frame(index, b"")


@pytest.mark.parametrize("more", [-16, 16])
@pytest.mark.parametrize("index", [0, 1])
def test_a_frame_of_another_length_is_not_even_looked_at(index: int, more: int) -> None:
    size = F + 40
    data = b"".join(encrypt(DEK, CONTEXT, [NOISE[:size]]))
    start = frame_offset(index)
    length = (frame_offset(1), len(data) - TRAILER_LENGTH - frame_offset(1))[index]
    decryptor = Decryptor(derive_keys(DEK, CONTEXT), CONTEXT, size)
    assert decryptor.open_frame(index, data[start : start + length])
    with pytest.raises(Damaged, match=f"frame {index} has another length"):
        decryptor.open_frame(index, data[start : start + length + more])


def test_each_frame_has_a_room_of_its_own_or_none_is_opened() -> None:
    size = 2 * F
    data = b"".join(encrypt(DEK, CONTEXT, [NOISE[:size]]))
    tokens = [data[frame_offset(index) : frame_offset(index + 1)] for index in range(2)]
    decryptor = Decryptor(derive_keys(DEK, CONTEXT), CONTEXT, size)
    rooms = [memoryview(bytearray(opening_room(F))) for _ in range(3)]
    for few_or_many in (1, 3):
        with pytest.raises(ValueError, match="a room of its own"):
            decryptor.open_frames_into(0, tokens, rooms[:few_or_many])
    assert not any(map(any, rooms))
    opened = decryptor.open_frames_into(0, tokens, rooms[:2])
    payloads = [one for one in opened if not isinstance(one, Damaged)]
    assert b"".join(payloads) == NOISE[:size]
    assert [one.obj for one in payloads] == [room.obj for room in rooms[:2]]
