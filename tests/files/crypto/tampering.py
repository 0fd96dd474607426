"""Objects that no reader may accept: "What must be refused" of the stream format, made on purpose.

``tampered_objects`` builds every one of them from a genuine stream. Forgeries are made from
``cryptography``'s own parts and not by the code under test. Never used outside tests.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator
from itertools import combinations
from typing import NamedTuple, TypeAlias
from uuid import uuid4

from cryptography.fernet import Fernet
from cryptography.hazmat.primitives import hashes, hmac, padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from files.crypto.errors import CryptoError, Damaged, WrongKey
from files.crypto.stream.encryption import encrypt
from files.crypto.stream.keys import Context, derive_keys
from files.crypto.stream.layout import (
    COMMITMENT_LENGTH,
    FRAME_LENGTH,
    FRAME_PAYLOAD,
    TRAILER_LENGTH,
    object_length,
)

MIN_FRAMES = 3
FLIPPED_FIELDS = {
    "version": (0, 1),
    "timestamp": (1, 9),
    "iv": (9, 25),
    "first block": (25, 41),
    "second block": (41, 57),
    "last block": (-48, -32),
    "hmac": (-32, 0),
}


class Tampered(NamedTuple):
    """One object that must be refused.

    ``object`` lies in the store; the reader has the genuine record and reads with ``dek``.
    ``error`` is what it must raise. A reader that goes from the front and checks the trailer
    before it releases the last frame has released exactly the first ``intact`` plaintext bytes.
    """

    name: str
    object: bytes
    dek: bytes
    error: type[CryptoError]
    intact: int


def split_object(data: bytes) -> tuple[list[bytes], bytes]:
    """The frames and the trailer of a genuine object."""
    body, trailer = data[:-TRAILER_LENGTH], data[-TRAILER_LENGTH:]
    return [body[i : i + FRAME_LENGTH] for i in range(0, len(body), FRAME_LENGTH)], trailer


def forge(
    key: bytes, plaintext: bytes, timestamp: int, *, version: int = 0x80, pad: bool = True
) -> bytes:
    """A binary token with a right HMAC and anything in it."""
    if pad:
        padder = padding.PKCS7(128).padder()
        plaintext = padder.update(plaintext) + padder.finalize()
    iv = os.urandom(16)
    encryptor = Cipher(algorithms.AES128(key[16:]), modes.CBC(iv)).encryptor()
    signed = bytes([version]) + timestamp.to_bytes(8, "big") + iv + encryptor.update(plaintext)
    mac = hmac.HMAC(key[:16], hashes.SHA256())
    mac.update(signed)
    return signed + mac.finalize()


def tampered_objects(dek: bytes, context: Context, plaintext: bytes) -> Iterator[Tampered]:
    """Every tampered form of the stream of ``plaintext``, which has at least three frames.

    A plaintext that fills its last frame gives the most forms with a right length.
    """
    genuine = b"".join(encrypt(dek, context, [plaintext]))
    frames, trailer = split_object(genuine)
    if len(frames) < MIN_FRAMES:
        raise ValueError("tampering needs a stream of at least three frames")
    bench = _Bench(dek, context, plaintext, frames, trailer)
    for name, data in (
        *bench.cut(),
        *bench.extended(),
        *bench.rearranged(),
        *bench.foreign(),
        *bench.flipped(),
        *bench.forged(),
        *bench.disguised(),
    ):
        if data != genuine:
            yield Tampered(name, data, dek, Damaged, _intact(frames, data, len(plaintext)))
    for name, key in (
        ("a wrong data key", os.urandom(32)),
        ("a data key with the same signing half", dek[:16] + os.urandom(16)),
        ("a data key with the same encryption half", os.urandom(16) + dek[16:]),
        ("an all-zero data key", bytes(32)),
    ):
        yield Tampered(name, genuine, key, WrongKey, 0)


def every_bit(dek: bytes, context: Context, plaintext: bytes) -> Iterator[Tampered]:
    """A short object with each of its bits flipped, and cut at each of its bytes."""
    genuine = b"".join(encrypt(dek, context, [plaintext]))
    for at in range(len(genuine)):
        for bit in range(8):
            yield Tampered(f"bit {bit} of byte {at}", _flip(genuine, at, bit), dek, Damaged, 0)
        yield Tampered(f"cut at {at}", genuine[:at], dek, Damaged, 0)


def _intact(frames: list[bytes], data: bytes, size: int) -> int:
    """Plaintext bytes before the first frame that differs; none in an object of wrong length."""
    if len(data) != object_length(size):
        return 0
    offset = 0
    for index, frame in enumerate(frames[:-1]):
        if data[offset : offset + len(frame)] != frame:
            return index * FRAME_PAYLOAD
        offset += len(frame)
    return (len(frames) - 1) * FRAME_PAYLOAD


def _flip(data: bytes, at: int, bit: int) -> bytes:
    flipped = bytearray(data)
    flipped[at] ^= 1 << bit
    return bytes(flipped)


Named: TypeAlias = tuple[str, bytes]


class _Bench:
    """A genuine stream laid out in pieces, and what can be made of them."""

    def __init__(
        self, dek: bytes, context: Context, plaintext: bytes, frames: list[bytes], trailer: bytes
    ) -> None:
        self.dek = dek
        self.context = context
        self.plaintext = plaintext
        self.frames = frames
        self.trailer = trailer
        self.keys = derive_keys(dek, context)

    def _join(self, frames: list[bytes]) -> bytes:
        return b"".join(frames) + self.trailer

    def _with(self, index: int, frame: bytes) -> bytes:
        frames = list(self.frames)
        frames[index] = frame
        return self._join(frames)

    def cut(self) -> Iterator[Named]:
        frames, trailer = self.frames, self.trailer
        whole = self._join(frames)
        yield "empty object", b""
        yield "trailer only", trailer
        for missing in (1, COMMITMENT_LENGTH, TRAILER_LENGTH // 2, TRAILER_LENGTH - 1):
            yield f"cut in mid-trailer, {missing} bytes missing", whole[:-missing]
        yield "trailer missing", whole[:-TRAILER_LENGTH]
        for index in range(len(frames)):
            start = index * FRAME_LENGTH
            for inside in (1, 25, len(frames[index]) // 2, len(frames[index]) - 1):
                yield f"cut {inside} bytes into frame {index}", whole[: start + inside]
                yield (
                    f"cut {inside} bytes into frame {index}, trailer kept",
                    whole[: start + inside] + trailer,
                )
            if index:
                yield f"cut at the boundary before frame {index}", whole[:start]
        for dropped in range(1, len(frames)):
            yield f"last {dropped} frames dropped", self._join(frames[:-dropped])
        yield "first byte missing", whole[1:]

    def extended(self) -> Iterator[Named]:
        frames, trailer = self.frames, self.trailer
        whole = self._join(frames)
        yield "a zero byte appended", whole + b"\0"
        yield "a byte before", b"\x80" + whole
        yield "a byte between frames and trailer", b"".join(frames) + b"\0" + trailer
        for index, frame in enumerate(frames):
            kind = "the final frame" if index == len(frames) - 1 else f"frame {index}"
            yield f"{kind} appended after the trailer", whole + frame
            yield f"{kind} copied before the trailer", self._join([*frames, frame])
        yield "a second trailer appended", whole + trailer
        yield "the whole object twice", whole * 2

    def rearranged(self) -> Iterator[Named]:
        frames, trailer = self.frames, self.trailer
        last = len(frames) - 1
        for i, j in combinations(range(len(frames)), 2):
            swapped = list(frames)
            swapped[i], swapped[j] = swapped[j], swapped[i]
            yield f"frames {i} and {j} swapped", self._join(swapped)
            yield f"frame {i} again in place of {j}", self._with(j, frames[i])
            yield f"frame {j} already in place of {i}", self._with(i, frames[j])
        for i in range(last):
            yield f"frame {i} doubled", self._join([*frames[: i + 1], *frames[i:]])
            yield f"frame {i} dropped", self._join(frames[:i] + frames[i + 1 :])
        yield "the final frame first", self._join([frames[last], *frames[:last]])
        yield "frames in reverse", self._join(frames[::-1])
        yield "the trailer first", trailer + b"".join(frames)

    def foreign(self) -> Iterator[Named]:
        context, plaintext = self.context, self.plaintext
        other_file = Context(uuid4(), uuid4(), context.created_at)
        other_stream = Context(context.file_id, uuid4(), context.created_at)
        earlier = Context(context.file_id, uuid4(), max(0, context.created_at - 86_400))
        strangers = (
            ("another file", os.urandom(32), other_file),
            ("another file under the same data key", self.dek, other_file),
            ("another stream of this file and data key", self.dek, other_stream),
            ("an older stream of this file", os.urandom(32), earlier),
        )
        for name, dek, stranger in strangers:
            whole = b"".join(encrypt(dek, stranger, [plaintext]))
            frames, trailer = split_object(whole)
            yield f"the whole object of {name}", whole
            for index, frame in enumerate(frames):
                yield f"frame {index} from {name}", self._with(index, frame)
            yield f"the trailer of {name}", b"".join(self.frames) + trailer

    def flipped(self) -> Iterator[Named]:
        whole = self._join(self.frames)
        for index in sorted({0, len(self.frames) // 2, len(self.frames) - 1}):
            start, length = index * FRAME_LENGTH, len(self.frames[index])
            for field, (first, end) in FLIPPED_FIELDS.items():
                low = start + first % length
                high = start + (end % length or length) - 1
                for at in sorted({low, high}):
                    for bit in range(8):
                        name = f"bit {bit} of byte {at - start} ({field}) of frame {index} flipped"
                        yield name, _flip(whole, at, bit)
        for at in range(TRAILER_LENGTH):
            yield (
                f"byte {at} of the trailer flipped",
                _flip(whole, len(whole) - TRAILER_LENGTH + at, at % 8),
            )

    def forged(self) -> Iterator[Named]:
        """Frames with a right HMAC that are wrong all the same."""
        at, key = self.context.created_at, self.keys.frame_key
        last = len(self.frames) - 1
        for index in range(len(self.frames)):
            payload = self.plaintext[index * FRAME_PAYLOAD : (index + 1) * FRAME_PAYLOAD]
            flag = bytes([index == last])
            right = b"frame\0" + flag + index.to_bytes(8, "big")
            flags = {f"final flag {n}": n for n in (0, 1, 2, 255) if bytes([n]) != flag}
            prefixes = {
                name: b"frame\0" + bytes([n]) + index.to_bytes(8, "big")
                for name, n in flags.items()
            } | {
                f"index {n}": b"frame\0" + flag + n.to_bytes(8, "big")
                for n in (index + 1, last, last + 1, 2**32, 2**64 - 1)
                if n != index
            }
            prefixes["another name in the prefix"] = b"Frame\0" + right[6:]
            prefixes["an index in little-endian order"] = right[:7] + (index + 1).to_bytes(
                8, "little"
            )
            plaintexts = {name: prefix + payload for name, prefix in prefixes.items()} | {
                "no prefix": payload,
                "no prefix, same length": payload[:1] * 15 + payload,
                "nothing in it": b"",
                "a short payload": right + payload[:-1],
                "a much shorter payload": right + payload[:-100],
                "an empty payload": right,
                "a longer payload": right + payload + b"\0",
            }
            for name, text in plaintexts.items():
                yield f"forged frame {index}: {name}", self._with(index, forge(key, text, at))
            genuine = right + payload
            for shift in (-1, 1, -at):
                yield (
                    f"forged frame {index}: time {at + shift}",
                    self._with(index, forge(key, genuine, at + shift)),
                )
            for version in (0x00, 0x7F, 0x81):
                yield (
                    f"forged frame {index}: version {version:02x}",
                    self._with(index, forge(key, genuine, at, version=version)),
                )
            block_end = len(genuine) + (-len(genuine) % 16 or 16)
            for pad in (0, 17, 255):
                unpadded = genuine.ljust(block_end, bytes([pad]))
                yield (
                    f"forged frame {index}: padding {pad}",
                    self._with(index, forge(key, unpadded, at, pad=False)),
                )
            halves = key[:16] + os.urandom(16)
            yield (
                f"forged frame {index}: a key with the same signing half",
                self._with(index, forge(halves, genuine, at)),
            )
        full = forge(key, b"frame\0\0" + last.to_bytes(8, "big") + bytes(FRAME_PAYLOAD), at)
        empty = forge(key, b"frame\0\1" + (last + 1).to_bytes(8, "big"), at)
        yield "an empty final frame after a full one", self._join([*self.frames[:-1], full, empty])
        early = forge(key, b"frame\0\1" + bytes(8) + self.plaintext[:FRAME_PAYLOAD], at)
        yield "an early final frame, and nothing after it", self._join([early])

    def disguised(self) -> Iterator[Named]:
        """Things that are no stream at all, bare and stretched to the right length."""
        right = len(self._join(self.frames))
        fernet = Fernet(base64.urlsafe_b64encode(self.keys.frame_key))
        things = {
            "the plaintext": self.plaintext,
            "zeros": bytes(right),
            "the object in base64": base64.urlsafe_b64encode(self._join(self.frames)),
            "a plain Fernet token under the frame key": fernet.encrypt(self.plaintext),
            "a plain Fernet token under another key": Fernet(Fernet.generate_key()).encrypt(
                self.plaintext
            ),
            "an error page": b"<?xml version='1.0'?><Error><Code>SlowDown</Code></Error>",
        }
        for name, thing in things.items():
            yield name, thing
            stretched = thing[: right - TRAILER_LENGTH].ljust(right - TRAILER_LENGTH, b"\0")
            yield f"{name}, at the right length, with the trailer", stretched + self.trailer
        text = [base64.urlsafe_b64encode(frame) for frame in self.frames]
        yield "frames in base64", self._join(text)
        for index, frame in enumerate(self.frames):
            yield (
                f"frame {index} in base64, at the right length",
                self._with(index, text[index][: len(frame)]),
            )
