"""Digests of a stream's plaintext: the content chain, SHA-256, and the tokens that keep them.

The *content chain* says of any beginning of a file which bytes it has, and can be gone on with from
32 bytes, by another process and in a browser: C(0) is 32 zero bytes, and C(i+1) is
SHA-256(C(i) || SHA-256(slice i)) over slices of a frame's payload, the last as short as it is.

A digest of a plaintext tells whoever reads it whether the file is a document that they have, so
none is ever kept in clear: of a finished file it is a token under a key that is derived from the
stream's own (docs/stream-format.md, Digests), of one on its way another (docs/uploads.md).
"""

from __future__ import annotations

import hashlib
import struct
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from files.crypto.errors import Damaged
from files.crypto.stream import FRAME_PAYLOAD, Context
from files.crypto.tokens import KEY_LENGTH, Buffer, TokenCodec

SLICE: Final = FRAME_PAYLOAD
"""Plaintext bytes of a slice. A frame's payload: between two frames the state has 32 bytes."""

LENGTH: Final = 32
"""Bytes of a content chain, and of a SHA-256."""

EMPTY: Final = bytes(LENGTH)
"""The content chain of no bytes."""

_STATE_INFO: Final = b"securestore/chain/1"
_STATE: Final = struct.Struct(f">6sQ{LENGTH}s")
_STATE_MAGIC: Final = b"chain\0"

_DIGEST_INFO: Final = b"securestore/digest/1"
_DIGEST_MAGIC: Final = b"digest\0"


def _link(chain: bytes, slice_digest: bytes) -> bytes:
    return hashlib.sha256(chain + slice_digest).digest()


class ContentChain:
    """The content chain of bytes that come in chunks of any size.

    `slices` and `state` go on with a chain after that many whole slices. It remembers what it was
    after each whole slice, until `forget` is told that nobody asks any more.
    """

    def __init__(self, slices: int = 0, state: bytes = EMPTY) -> None:
        self._states = {slices: state}
        self._slices = slices
        self._slice = hashlib.sha256()
        self._filled = 0

    def update(self, data: Buffer) -> None:
        """Take the next bytes."""
        chunk = memoryview(data).cast("B")
        while chunk:
            taken = chunk[: SLICE - self._filled]
            self._slice.update(taken)
            self._filled += len(taken)
            chunk = chunk[len(taken) :]
            if self._filled == SLICE:
                self._states[self._slices + 1] = self.value
                self._slices += 1
                self._slice, self._filled = hashlib.sha256(), 0

    @property
    def value(self) -> bytes:
        """The chain of all that was taken."""
        state = self._states[self._slices]
        return _link(state, self._slice.digest()) if self._filled else state

    def after(self, slices: int) -> bytes:
        """What it was after so many whole slices, none of them forgotten."""
        return self._states[slices]

    def forget(self, slices: int) -> None:
        """Forget what it was before so many whole slices."""
        for old in [number for number in self._states if number < min(slices, self._slices)]:
            del self._states[old]


@dataclass(frozen=True, slots=True)
class Digests:
    """What is known of a whole plaintext: its content chain, and its SHA-256 where that is."""

    chain: bytes = field(repr=False)
    sha256: bytes | None = field(default=None, repr=False)

    def contradict(self, others: Digests) -> bool:
        """Whether the two cannot be of the same bytes."""
        if self.sha256 is not None and others.sha256 is not None and self.sha256 != others.sha256:
            return True
        return self.chain != others.chain


class Digesting:
    """Both digests of bytes that come in chunks; of a continued stream the chain alone.

    `chain` is None where a stream is continued of whose beginning no chain is known.
    """

    def __init__(self, chain: ContentChain | None, *, from_the_start: bool = True) -> None:
        self.chain = chain
        self._sha256 = hashlib.sha256() if from_the_start else None

    def update(self, data: Buffer) -> None:
        """Take the next bytes."""
        if self.chain is not None:
            self.chain.update(data)
        if self._sha256 is not None:
            self._sha256.update(data)

    def digests(self) -> Digests | None:
        """The digests of all that was taken, where they are known."""
        if self.chain is None:
            return None
        return Digests(self.chain.value, self._sha256.digest() if self._sha256 else None)


def digest_all(chunks: Iterable[Buffer]) -> Digests:
    """Both digests of the concatenated `chunks`."""
    chain, whole = ContentChain(), hashlib.sha256()
    for chunk in chunks:
        chain.update(chunk)
        whole.update(chunk)
    return Digests(chain.value, whole.digest())


# --- Kept -----------------------------------------------------------------------------------------


def _codec(dek: bytes, info: bytes, context: Context) -> TokenCodec:
    expand = HKDFExpand(SHA256(), length=KEY_LENGTH, info=info + context.encode())
    return TokenCodec(expand.derive(dek))


def seal_state(dek: bytes, context: Context, slices: int, state: bytes) -> bytes:
    """Encrypt the chain after so many whole slices, for a process that goes on there."""
    packed = _STATE.pack(_STATE_MAGIC, slices, state)
    return _codec(dek, _STATE_INFO, context).seal(packed, timestamp=int(time.time()))


def open_state(dek: bytes, context: Context, slices: int, token: Buffer) -> bytes:
    """Decrypt what `seal_state` made for the same place. Raises Damaged."""
    packed = _codec(dek, _STATE_INFO, context).open(token)
    if len(packed) != _STATE.size or not packed.startswith(
        _STATE.pack(_STATE_MAGIC, slices, b"")[:-LENGTH]
    ):
        raise Damaged("a content chain belongs to another place")
    return packed[-LENGTH:]


def seal_digests(
    dek: bytes, context: Context, digests: Digests, *, iv: bytes | None = None
) -> bytes:
    """The token of a finished stream's digests. `iv` is for known answers only."""
    plaintext = _DIGEST_MAGIC + digests.chain + (digests.sha256 or b"")
    codec = _codec(dek, _DIGEST_INFO, context)
    return codec.seal(plaintext, timestamp=context.created_at, iv=iv)


def open_digests(dek: bytes, context: Context, token: Buffer) -> Digests:
    """Decrypt what `seal_digests` made for the same stream. Raises Damaged."""
    codec = _codec(dek, _DIGEST_INFO, context)
    plaintext = codec.open(token, timestamp=context.created_at)
    kept = plaintext.removeprefix(_DIGEST_MAGIC)
    if len(kept) == len(plaintext) or len(kept) not in {LENGTH, 2 * LENGTH}:
        raise Damaged("a token of digests is not as it should be")
    return Digests(kept[:LENGTH], kept[LENGTH:] or None)
