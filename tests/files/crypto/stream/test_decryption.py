"""What was encrypted opens again, in any order; what else is refused is in `test_tampering`."""

from __future__ import annotations

import pytest

from files.crypto.stream.decryption import Decryptor
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
