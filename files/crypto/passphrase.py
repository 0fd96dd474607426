"""A user's key from a passphrase: Argon2id (RFC 9106), with its parameters kept beside the record.

The parameters are those of RFC 9106, section 4, second recommended option: 64 MiB of memory, three
passes, four lanes, a salt of 16 random bytes, a tag of 32. The tag is the user's key, in the text
form of a generated one. Few run at once in a process (`runtime.slots`), so that people who
type passphrases cannot exhaust its memory. Also the least that is asked of one where no server
stands between who has the file and their guesses.

Never stores, logs or shows a passphrase or what comes of it.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
from dataclasses import dataclass
from typing import Final, Self

from files.crypto import argon2id, unicode14
from files.crypto.errors import CryptoError, Damaged
from files.crypto.tokens import KEY_LENGTH

MEMORY: Final = 64 * 1024
"""KiB of memory that one derivation takes."""
PASSES: Final = 3
LANES: Final = 4
SALT_LENGTH: Final = 16

MIN_LENGTH: Final = 16
"""Characters, where who has the file can guess for ever, and an export has all keys."""

MIN_DISTINCT: Final = 8

# What a record may ask for: whoever can alter the database must not choose our memory and time.
_MOST_MEMORY: Final = 4 * MEMORY
_MOST_PASSES: Final = 16
_MOST_LANES: Final = 16
_TEXT: Final = re.compile(
    r"argon2id\$v=19\$m=([0-9]{1,7}),t=([0-9]{1,2}),p=([0-9]{1,2})\$([A-Za-z0-9+/]{22})", re.ASCII
)


def normalise(passphrase: str) -> str:
    """The same text however it was typed: NFC, and no white space around it (as RFC 8265).

    And on any later Python: a key that is derived from it must come out the same for ever.
    """
    return unicode14.nfc(passphrase).strip()


class WeakPassphrase(CryptoError, ValueError):
    """The passphrase is too easy to guess. The message says what is asked for."""


def check_strength(passphrase: str) -> None:
    """The least that is asked of a passphrase. Raises WeakPassphrase."""
    if len(passphrase) < MIN_LENGTH or len(set(passphrase)) < MIN_DISTINCT:
        raise WeakPassphrase(
            f"The passphrase is too easy to guess: take {MIN_LENGTH} characters or more, with "
            f"{MIN_DISTINCT} different ones among them. Five or six random words are good."
        )


@dataclass(frozen=True, slots=True)
class Derivation:
    """How one user's key comes from its passphrase: the salt and the costs, none of it secret."""

    salt: bytes
    memory: int = MEMORY
    passes: int = PASSES
    lanes: int = LANES

    @classmethod
    def new(cls) -> Self:
        """A fresh salt, and the parameters of today."""
        return cls(os.urandom(SALT_LENGTH))

    def encode(self) -> str:
        """As text, in the form of a PHC string without its tag."""
        salt = base64.b64encode(self.salt).decode().rstrip("=")
        return f"argon2id$v=19$m={self.memory},t={self.passes},p={self.lanes}${salt}"

    @classmethod
    def decode(cls, text: str) -> Self:
        """Read what `encode` wrote. Raises Damaged, also for costs beyond what is sane."""
        match = _TEXT.fullmatch(text)
        if match is None:
            raise Damaged("a key derivation is not one of Argon2id")
        memory, passes, lanes = map(int, match.groups()[:3])
        if not (
            8 * lanes <= memory <= _MOST_MEMORY
            and 1 <= passes <= _MOST_PASSES
            and 1 <= lanes <= _MOST_LANES
        ):
            raise Damaged("a key derivation has impossible costs")
        try:
            salt = base64.b64decode(match[4] + "==", validate=True)
        except binascii.Error:
            raise Damaged("a key derivation has no salt") from None
        return cls(salt, memory, passes, lanes)

    def derive(self, passphrase: str) -> str:
        """The user's key as text: 44 characters, a Fernet key. Raises TooBusy.

        Takes `memory` KiB and some tenths of a second.
        """
        raw = argon2id.derive(
            normalise(passphrase).encode(),
            salt=self.salt,
            memory=self.memory,
            passes=self.passes,
            lanes=self.lanes,
            length=KEY_LENGTH,
        )
        return base64.urlsafe_b64encode(raw).decode()
