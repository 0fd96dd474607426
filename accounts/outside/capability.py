"""The secret in the URL of a link or a request: whoever has it has come to that door.

It is the one secret that may stand in a URL, since the URL is what is handed on. Kept is a digest,
by which the row is found. Pure: no Django.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from typing import Final

DIGITS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
LENGTH: Final = 30
"""Characters: 178 bits."""

_SHAPE = re.compile(rf"[0-9A-Za-z]{{{LENGTH}}}", re.ASCII)


def generate() -> str:
    """A new secret of a URL; it is shown once."""
    return "".join(secrets.choice(DIGITS) for _ in range(LENGTH))


def is_sound(text: str) -> bool:
    """Whether that is written as one is. Nothing follows from it: each is looked up alike."""
    return bool(_SHAPE.fullmatch(text))


def digest_of(text: str) -> str:
    """What the database keeps of it: SHA-256, lower-case hex. It is random: no hash finds it."""
    return hashlib.sha256(b"securestore/outside/1\0" + text.encode("utf-8", "replace")).hexdigest()
