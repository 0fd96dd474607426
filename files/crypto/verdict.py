"""What happened to a file that does not open: which words a person gets for it.

Only after it was refused: nothing here decides whether a byte may be used. What is said rests on
what the key proves, as far as there is anything to prove it by.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from enum import StrEnum
from typing import BinaryIO, Final

from files.crypto.errors import Damaged, WrongKey
from files.crypto.salvage import Trailer, find, read_trailer
from files.crypto.stream.keys import Context, derive_keys
from files.crypto.stream.layout import CONTEXT_LENGTH, FRAME_LENGTH, FRAME_PAYLOAD, TRAILER_LENGTH
from files.crypto.tokens import TokenCodec

_MOST_ENDS: Final = 4
"""Ends that are looked at; each may cost the derivation of a key from a passphrase."""

DataKey = Callable[[Context], bytes]
"""The data key of a file, from what its end says of it."""


class Kind(StrEnum):
    """The word that a message begins with."""

    DAMAGED = "Damaged"
    TRUNCATED = "Truncated"
    LENGTHENED = "Lengthened"
    FOREIGN = "Not an encrypted file"


def verdict(source: BinaryIO, data_key: DataKey, damaged: Damaged) -> tuple[Kind, str]:
    """The kind of damage and a reason, for a seekable source that was refused as `damaged`.

    Raises WrongKey when that is what it was, after all.
    """
    length = source.seek(0, os.SEEK_END)
    if not length:
        return Kind.TRUNCATED, "it is empty"
    end, other_key = _end(source, data_key, length)
    if end is not None:
        rest = length - end
        return (
            Kind.LENGTHENED,
            f"{rest} bytes follow its end" if rest > 1 else "a byte follows its end",
        )
    try:
        trailer = read_trailer(source)
    except Damaged:
        if other_key:
            raise WrongKey from None
        source.seek(0)
        # A frame begins with its version, and its time: 80 00 for some billion years to come.
        if source.read(2) == b"\x80\0":
            return Kind.TRUNCATED, "its end is missing"
        return Kind.FOREIGN, "neither this command nor Securestore wrote it"
    if _stops_early(source, data_key, trailer, length):
        return Kind.TRUNCATED, "frames before its end are missing"
    return Kind.DAMAGED, damaged.reason


def _end(source: BinaryIO, data_key: DataKey, length: int) -> tuple[int | None, bool]:
    """Where the file ends by its own word, when that is before its last byte.

    Also whether there was such a word, but of another key.
    """
    magic, other_key, position = Context.magic(), False, 0
    for _ in range(_MOST_ENDS):
        found = find(source, magic, position)
        if found is None or found + TRAILER_LENGTH >= length:
            break
        position = found + 1
        source.seek(found)
        data = source.read(TRAILER_LENGTH)
        try:
            context = Context.decode(data[:CONTEXT_LENGTH])
            derive_keys(data_key(context), context).check(data[CONTEXT_LENGTH:])
        except Damaged:
            continue
        except WrongKey:
            other_key = True
            continue
        return found + TRAILER_LENGTH, other_key
    return None, other_key


def _stops_early(source: BinaryIO, data_key: DataKey, trailer: Trailer, length: int) -> bool:
    """Whether the frame before the trailer is a sound one that others have followed."""
    before = length - TRAILER_LENGTH
    if before % FRAME_LENGTH:
        return False
    source.seek(before - FRAME_LENGTH)
    keys = derive_keys(data_key(trailer.context), trailer.context)
    try:
        plaintext = TokenCodec(keys.frame_key).open(source.read(FRAME_LENGTH))
    except Damaged:
        return False
    return len(plaintext) > FRAME_PAYLOAD and plaintext[6] == 0
