"""Shares of a key export's secret: some number of them give it back, fewer say nothing.

The splitting itself is PyCryptodome's (`Crypto.Protocol.SecretSharing`), in the variant that the
`ssss` program reads too. Here is only how a share is written down: with the export that it belongs
to, its number, and a checksum, so that a slip of the pen is told before anything is tried.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, Self
from uuid import UUID

from files.crypto.errors import CryptoError, MalformedKey, WrongKey
from files.crypto.keyexport.header import SHARE_SECRET_LENGTH, Header

MOST_SHARES: Final = 100
_SCHEME: Final = re.compile(r"(\d{1,3})-of-(\d{1,3})")
_SHARE: Final = re.compile(
    r"share-([0-9a-f]{8})-(\d{1,3})-of-(\d{1,3})-(\d{1,3})-([0-9a-f]{32})-([0-9a-f]{8})"
)


class SharingMissing(CryptoError):
    """PyCryptodome is not installed. The message says what to do."""

    def __init__(self) -> None:
        super().__init__(
            "shares need the package pycryptodome: pip install pycryptodome. Or combine them "
            "with the program ssss (docs/operations.md, Shares)"
        )


def parse_scheme(text: str) -> tuple[int, int]:
    """`3-of-5` as (3, 5). Raises ValueError with what is allowed."""
    match = _SCHEME.fullmatch(text.strip())
    threshold, shares = (int(match[1]), int(match[2])) if match else (0, 0)
    if not 2 <= threshold <= shares <= MOST_SHARES:
        raise ValueError(
            f"write it like 3-of-5: at least 2 needed, at most {MOST_SHARES} made, and no fewer "
            "made than needed"
        )
    return threshold, shares


@dataclass(frozen=True, slots=True)
class Share:
    """One share, as it is written on paper."""

    export: str
    threshold: int
    shares: int
    number: int
    value: bytes = field(repr=False)

    def __str__(self) -> str:
        text = (
            f"share-{self.export}-{self.threshold}-of-{self.shares}-{self.number}-"
            f"{self.value.hex()}"
        )
        return f"{text}-{_checksum(text)}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a share; case and white space do not matter. Raises MalformedKey."""
        plain = re.sub(r"\s", "", text).lower()
        match = _SHARE.fullmatch(plain)
        if match is None:
            raise MalformedKey("this is not a share: it begins with share- and has seven parts")
        if _checksum(plain.rpartition("-")[0]) != match[6]:
            raise MalformedKey(f"share {match[4]} was copied wrongly: its last part does not fit")
        return cls(match[1], int(match[2]), int(match[3]), int(match[4]), bytes.fromhex(match[5]))


def _checksum(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def export_name(export_id: UUID) -> str:
    """What a share calls its export."""
    return export_id.hex[:8]


def split(secret: bytes, header: Header) -> list[Share]:
    """Split a secret of 16 random bytes as the header says. Raises SharingMissing."""
    try:
        from Crypto.Protocol.SecretSharing import Shamir
    except ImportError:
        raise SharingMissing from None
    if len(secret) != SHARE_SECRET_LENGTH:
        raise ValueError(f"a shared secret has {SHARE_SECRET_LENGTH} bytes, not {len(secret)}")
    return [
        Share(export_name(header.context.file_id), header.threshold, header.shares, number, value)
        for number, value in Shamir.split(header.threshold, header.shares, secret, ssss=True)
    ]


def combine(texts: Iterable[str], header: Header) -> bytes:
    """The secret of an export's shares; more than are needed do no harm.

    One text of 32 hexadecimal digits is the secret itself, as another program combined it.

    Raises MalformedKey, WrongKey for shares of another export or too few, SharingMissing.
    """
    given = [text.strip() for text in texts]
    if len(given) == 1 and re.fullmatch(r"[0-9A-Fa-f]{32}", given[0]):
        return bytes.fromhex(given[0])
    try:
        from Crypto.Protocol.SecretSharing import Shamir
    except ImportError:
        raise SharingMissing from None
    shares = {share.number: share for share in map(Share.parse, given)}
    own = export_name(header.context.file_id)
    for share in shares.values():
        if share.export != own:
            raise WrongKey(f"share {share.number} belongs to another export, {share.export}")
    if len(shares) < header.threshold:
        raise WrongKey(f"{header.threshold} different shares are needed, not {len(shares)}")
    needed = [(share.number, share.value) for share in shares.values()][: header.threshold]
    return Shamir.combine(needed, ssss=True)
