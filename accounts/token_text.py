"""How a program's token is written, so that one that leaked is found by whoever looks for such.

    ssv_ + 30 random characters + 6 of checksum, all of 0-9A-Za-z

The checksum is the CRC-32 (IEEE 802.3, as of zlib) of the ASCII of everything before it, in base
62, the most significant digit first, with zeros in front. It tells a token from what only looks
like one without asking anybody; it is no secret, and protects nothing. Pure: no Django.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import zlib
from typing import Final

PREFIX: Final = "ssv_"
DIGITS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
RANDOM: Final = 30
"""Characters: 178 bits."""
CHECKSUM: Final = 6
LENGTH: Final = len(PREFIX) + RANDOM + CHECKSUM

_SHAPE = re.compile(rf"{PREFIX}[0-9A-Za-z]{{{RANDOM + CHECKSUM}}}", re.ASCII)


def generate() -> str:
    """A new token."""
    begin = PREFIX + "".join(secrets.choice(DIGITS) for _ in range(RANDOM))
    return begin + checksum_of(begin)


def checksum_of(text: str) -> str:
    """The last six characters of a token that begins so. Raises UnicodeEncodeError."""
    number, digits = zlib.crc32(text.encode("ascii")), ""
    for _ in range(CHECKSUM):
        number, digit = divmod(number, len(DIGITS))
        digits = DIGITS[digit] + digits
    return digits


def is_sound(text: str) -> bool:
    """Whether that is written as a token is, its checksum included."""
    return bool(_SHAPE.fullmatch(text)) and checksum_of(text[:-CHECKSUM]) == text[-CHECKSUM:]


def digest_of(text: str) -> str:
    """What the database keeps of a token: SHA-256, lower-case hex.

    It is random, so a plain hash cannot be searched.
    """
    return hashlib.sha256(text.encode()).hexdigest()
