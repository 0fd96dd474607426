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
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from files.crypto import lanes
from files.crypto.errors import Damaged
from files.crypto.stream.keys import Context
from files.crypto.stream.layout import FRAME_PAYLOAD
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


class _Sha256:
    """SHA-256 of the bytes since the last `begin`."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        self._hash = hashlib.sha256()
        self.update = self._hash.update
        self.since = self._hash.digest


class ContentChain:
    """The content chain of bytes that come in chunks of any size.

    `slices` and `state` go on with a chain after that many whole slices. It remembers what it was
    after each whole slice, until `forget` is told that nobody asks any more. Whole slices that come
    as such, and cannot change, wait for a few others, where several are digested in the time of one
    (`files.crypto.lanes`).
    """

    def __init__(self, slices: int = 0, state: bytes = EMPTY) -> None:
        self._states = {slices: state}
        self._slices = slices
        self._native = lanes.lanes()
        self._slice: lanes.Sha256Twice | _Sha256 = _Sha256()
        self._filled = 0
        self._waiting: list[Buffer] = []
        self._most = 0 if self._native is None else lanes.MOST_MACS

    def with_sha256(self) -> lanes.Sha256Twice | None:
        """What takes SHA-256 of all bytes as well, of a chain that has none yet, in the same time.

        None where that is not to be had.
        """
        if self._native is None or self._slices or self._filled or self._waiting:
            return None
        self._slice, self._most = lanes.Sha256Twice(self._native.library), 0
        return self._slice

    def update(self, data: Buffer) -> None:
        """Take the next bytes."""
        if self._most and not self._filled and isinstance(data, bytes) and len(data) == SLICE:
            self._waiting.append(data)
            if len(self._waiting) == self._most:
                self._catch_up()
            return
        self._catch_up()
        chunk = memoryview(data).cast("B")
        while chunk:
            taken = chunk[: SLICE - self._filled]
            self._slice.update(taken)
            self._filled += len(taken)
            chunk = chunk[len(taken) :]
            if self._filled == SLICE:
                self._link(self._slice.since())
                self._slice.begin()
                self._filled = 0

    def update_all(self, pieces: Iterable[Buffer]) -> None:
        """Take the next bytes in pieces that may change once this returns, whole slices at best."""
        for data in pieces:
            if self._most and not self._filled and len(data) == SLICE:
                self._waiting.append(data)
                if len(self._waiting) == self._most:
                    self._catch_up()
            else:
                self.update(data)
        self._catch_up()

    def _catch_up(self) -> None:
        """Digest the slices that wait."""
        if self._waiting and self._native is not None:
            for digest in lanes.sha256_of_each(self._native.library, self._waiting):
                self._link(digest)
            self._waiting.clear()

    def _link(self, digest: bytes) -> None:
        """Go on with the digest of the next whole slice."""
        self._states[self._slices + 1] = _link(self._states[self._slices], digest)
        self._slices += 1

    @property
    def value(self) -> bytes:
        """The chain of all that was taken."""
        self._catch_up()
        state = self._states[self._slices]
        return _link(state, self._slice.since()) if self._filled else state

    @property
    def slices(self) -> int:
        """Whole slices that were taken."""
        return self._slices + len(self._waiting)

    def after(self, slices: int) -> bytes:
        """What it was after so many whole slices, none of them forgotten."""
        if slices > self._slices:
            self._catch_up()
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
        self._twice = chain.with_sha256() if from_the_start and chain is not None else None
        self._sha256 = hashlib.sha256() if from_the_start and self._twice is None else None

    def update(self, data: Buffer) -> None:
        """Take the next bytes."""
        if self.chain is not None:
            self.chain.update(data)
        if self._sha256 is not None:
            self._sha256.update(data)

    def update_all(self, pieces: Sequence[Buffer]) -> None:
        """Take the next bytes in pieces that may change once this returns."""
        if self.chain is not None:
            self.chain.update_all(pieces)
        if self._sha256 is not None:
            for data in pieces:
                self._sha256.update(data)

    def digests(self) -> Digests | None:
        """The digests of all that was taken, where they are known."""
        if self.chain is None:
            return None
        if self._twice is not None:
            return Digests(self.chain.value, self._twice.of_all())
        return Digests(self.chain.value, self._sha256.digest() if self._sha256 else None)


def digest_all(chunks: Iterable[Buffer]) -> Digests:
    """Both digests of the concatenated `chunks`."""
    chain = ContentChain()
    digesting = Digesting(chain)
    for chunk in chunks:
        digesting.update(chunk)
    return digesting.digests() or Digests(chain.value)


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
