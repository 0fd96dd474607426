"""Binary Fernet tokens: the Fernet specification, without its base64 step and without its copies.

A token is ``80 | timestamp (8) | IV (16) | AES-128-CBC(PKCS7(plaintext)) | HMAC-SHA256 (32)``.
Base64 of it is a token that any Fernet implementation opens, and the other way round.
Source: https://github.com/fernet/spec/blob/master/Spec.md

Never decrypts a byte before the HMAC of the whole token has been verified, in constant time.
Never keeps a plaintext: buffers belong to the caller. Updates of 2 KiB and more release the GIL.
Frames, tokens of one length, go side by side through `files.crypto.lanes` where that can be had.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Final, NamedTuple, TypeAlias

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext, algorithms, modes

from files.crypto import lanes
from files.crypto.errors import Damaged

Buffer: TypeAlias = bytes | bytearray | memoryview

KEY_LENGTH: Final = 32
"""Bytes of a Fernet key: 16 for signing, then 16 for encryption."""

BLOCK: Final = 16
HEADER_LENGTH: Final = 25
MAC_LENGTH: Final = 32
SLACK: Final = BLOCK - 1
"""Room that ``update_into`` demands after the bytes that it writes."""

_VERSION: Final = 0x80
_HEAD: Final = bytes([_VERSION])
_SHA256: Final = hashes.SHA256()
_PADS: Final = tuple(bytes([n]) * n for n in range(BLOCK + 1))


def token_length(plaintext: int) -> int:
    """The length in bytes of the binary token of ``plaintext`` bytes."""
    return HEADER_LENGTH + BLOCK * (plaintext // BLOCK + 1) + MAC_LENGTH


class Sealing(NamedTuple):
    """A frame's token to be filled, and of its plaintext the 15 bytes of prefix and the payload."""

    out: memoryview
    prefix: bytes
    payload: Buffer
    iv: bytes


class Opening(NamedTuple):
    """A frame's token, and room for its plaintext, its padding and 15 bytes more."""

    token: Buffer
    room: memoryview


class TokenCodec:
    """Seals and opens binary tokens under one Fernet key.

    Holds the key, its prepared states and nothing else, so threads may share one codec.
    """

    __slots__ = ("_aes", "_key", "_mac")

    def __init__(self, key: bytes) -> None:
        """Take a ``key`` of 32 bytes. Raises ValueError on any other length."""
        if len(key) != KEY_LENGTH:
            raise ValueError(f"a token key has {KEY_LENGTH} bytes, not {len(key)}")
        self._key = key
        self._mac = hmac.HMAC(key[:16], _SHA256)
        self._aes = algorithms.AES128(key[16:])

    def seal_into(self, out: memoryview, *parts: Buffer, timestamp: int, iv: bytes) -> None:
        """Write the token of the concatenated ``parts`` into ``out``, which it fills exactly.

        ``timestamp`` is in Unix seconds. ``iv`` has 16 bytes, random and never used twice.
        Raises ValueError when ``out`` is not ``token_length`` of the parts.
        """
        length = sum(map(len, parts))
        if len(out) != token_length(length):
            raise ValueError(f"a token of {length} bytes does not fill {len(out)} exactly")
        out[0] = _VERSION
        out[1:9] = timestamp.to_bytes(8, "big")
        out[9:HEADER_LENGTH] = iv
        encryptor = Cipher(self._aes, modes.CBC(iv)).encryptor()
        end = HEADER_LENGTH
        # The MAC's place, filled last, is the slack that update_into asks for.
        for part in (*parts, _PADS[BLOCK - length % BLOCK]):
            end += encryptor.update_into(part, out[end:])
        encryptor.finalize()
        mac = self._mac.copy()
        mac.update(out[:end])
        out[end:] = mac.finalize()

    def open_into(self, token: Buffer, out: memoryview, *, timestamp: int | None = None) -> int:
        """Decrypt ``token`` into the start of ``out`` and return the plaintext's length.

        ``out`` has at least ``len(token) - 57 + 15`` bytes. When ``timestamp`` is given, the
        token's must equal it. Raises Damaged; only then may ``out`` hold anything unspecified.
        """
        token = memoryview(token)
        self._verify(token, timestamp)
        decryptor = self._decryptor(token)
        body = decryptor.update_into(token[HEADER_LENGTH:-MAC_LENGTH], out)
        decryptor.finalize()
        return _unpadded(out, body)

    def seal_frames(self, frames: Sequence[Sealing], *, timestamp: int) -> None:
        """Write the token of each frame, as `seal_into` would, side by side where that is faster.

        Raises ValueError as that does, and on a prefix of another length; LanesUnavailable.
        """
        for out, prefix, payload, _ in frames:
            length = len(prefix) + len(payload)
            if len(prefix) != lanes.PREFIX_LENGTH:
                raise ValueError(f"a frame's prefix has {lanes.PREFIX_LENGTH} bytes")
            if len(out) != token_length(length):
                raise ValueError(f"a token of {length} bytes does not fill {len(out)} exactly")
        native = lanes.lanes()
        if native is None:
            for out, prefix, payload, iv in frames:
                self.seal_into(out, prefix, payload, timestamp=timestamp, iv=iv)
            return
        head = _HEAD + timestamp.to_bytes(8, "big")
        for out, _, _, iv in frames:
            out[:HEADER_LENGTH] = head + iv
        native.seal(self._key, [(out, prefix, payload) for out, prefix, payload, _ in frames])

    def open_frames(self, frames: Sequence[Opening], *, timestamp: int) -> list[int | Damaged]:
        """Of each frame the length of its plaintext, or why nothing of it may be used.

        As `open_into` would, side by side where that is faster. Raises ValueError where there is
        too little room; LanesUnavailable.
        """
        sound = []
        for frame in frames:
            body = len(frame[0]) - HEADER_LENGTH - MAC_LENGTH
            if len(frame[1]) < body + SLACK:
                raise ValueError(f"a token of {len(frame[0])} bytes has too little room")
            if body >= BLOCK and not body % BLOCK:
                sound.append(frame)
        native = lanes.lanes()
        right = iter(() if native is None else native.open(self._key, sound))
        results: list[int | Damaged] = []
        for token, room in frames:
            body = len(token) - HEADER_LENGTH - MAC_LENGTH
            try:
                if native is None:
                    results.append(self.open_into(token, room, timestamp=timestamp))
                    continue
                if body < BLOCK or body % BLOCK:
                    raise Damaged("no token has this length")
                if not next(right):
                    raise Damaged("a token's HMAC does not match")
                _check_head(token, timestamp)
                results.append(_unpadded(room, body))
            except Damaged as damaged:
                results.append(damaged)
        return results

    def seal(self, plaintext: Buffer, *, timestamp: int, iv: bytes | None = None) -> bytes:
        """Return the token of ``plaintext``; for short ones. ``iv`` is for known answers only."""
        iv = iv or os.urandom(BLOCK)
        encryptor = Cipher(self._aes, modes.CBC(iv)).encryptor()
        # A short one is joined faster than it is written into its place.
        padded = b"".join((plaintext, _PADS[BLOCK - len(plaintext) % BLOCK]))
        head = b"".join((_HEAD, timestamp.to_bytes(8, "big"), iv))
        token = head + encryptor.update(padded) + encryptor.finalize()
        mac = self._mac.copy()
        mac.update(token)
        return token + mac.finalize()

    def open(self, token: Buffer, *, timestamp: int | None = None) -> bytes:
        """Return the plaintext of ``token``; for short ones. Raises Damaged."""
        token = bytes(token)
        self._verify(token, timestamp)
        decryptor = self._decryptor(token)
        padded = decryptor.update(token[HEADER_LENGTH:-MAC_LENGTH]) + decryptor.finalize()
        return padded[: _unpadded(padded, len(padded))]

    def _verify(self, token: Buffer, timestamp: int | None) -> None:
        """Raise Damaged unless the token was made with this key, and at `timestamp` if given."""
        body = len(token) - HEADER_LENGTH - MAC_LENGTH
        if body < BLOCK or body % BLOCK:
            raise Damaged("no token has this length")
        mac = self._mac.copy()
        mac.update(token[:-MAC_LENGTH])
        try:
            mac.verify(bytes(token[-MAC_LENGTH:]))
        except InvalidSignature:
            raise Damaged("a token's HMAC does not match") from None
        _check_head(token, timestamp)

    def _decryptor(self, token: Buffer) -> CipherContext:
        return Cipher(self._aes, modes.CBC(bytes(token[9:HEADER_LENGTH]))).decryptor()


def _check_head(token: Buffer, timestamp: int | None) -> None:
    """Raise Damaged unless an authentic token is of this version, and of `timestamp` if given."""
    if token[0] != _VERSION:
        raise Damaged("unknown token version")
    if timestamp is not None and int.from_bytes(token[1:9], "big") != timestamp:
        raise Damaged("a token has another timestamp")


def _unpadded(plaintext: Buffer, end: int) -> int:
    """Where the plaintext ends that has its padding before ``end``. Raises Damaged.

    What is asked about was authenticated, so the time that this takes tells nobody anything.
    """
    pad = plaintext[end - 1]
    if not 0 < pad <= BLOCK or plaintext[end - pad : end] != _PADS[pad]:
        raise Damaged("a token's padding is wrong")
    return end - pad


def seal(key: bytes, plaintext: Buffer, *, timestamp: int, iv: bytes | None = None) -> bytes:
    """Return the binary token of ``plaintext`` under a ``key`` of 32 bytes."""
    return TokenCodec(key).seal(plaintext, timestamp=timestamp, iv=iv)


def open_token(key: bytes, token: Buffer, *, timestamp: int | None = None) -> bytes:
    """Return the plaintext of a binary ``token`` under a ``key`` of 32 bytes. Raises Damaged."""
    return TokenCodec(key).open(token, timestamp=timestamp)
