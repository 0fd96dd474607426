"""The known answers of stream format 1, and what the tests of a stream are tried with."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any
from uuid import UUID

from files.crypto.stream.decryption import Decryptor
from files.crypto.stream.keys import Context, derive_keys
from files.crypto.stream.layout import FRAME_PAYLOAD, TRAILER_LENGTH, frame_count, frame_offset

F = FRAME_PAYLOAD
VECTORS: dict[str, Any] = json.loads(
    (Path(__file__).parents[3] / "data" / "stream_vectors.json").read_text()
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
