"""Argon2id (RFC 9106): a key from something that people type. One at a time in a slot.

`argon2-cffi` does it where it is installed, as in every server. `cryptography`'s own, which gives
the same keys, hangs for good when two threads use several lanes at once; it is for programs that
run alone (`python -m files.crypto`, the rescue), which have nothing else, and there never twice at
once.
"""

from __future__ import annotations

from contextlib import suppress
from threading import Lock
from typing import Any, Final

from runtime.slots import DERIVATIONS, TooBusy

argon2: Any = None
with suppress(ImportError):
    import argon2.low_level

_ALONE: Final = Lock()


def derive(
    secret: bytes, *, salt: bytes, memory: int, passes: int, lanes: int, length: int = 32
) -> bytes:
    """`length` bytes from the secret; `memory` is in KiB. Raises TooBusy.

    The caller has checked the parameters: what is left to go wrong is a lack of memory or threads.
    """
    with DERIVATIONS.taken():
        if argon2 is None:
            return _by_cryptography(secret, salt, memory, passes, lanes, length)
        try:
            derived: bytes = argon2.low_level.hash_secret_raw(
                secret,
                salt,
                time_cost=passes,
                memory_cost=memory,
                parallelism=lanes,
                hash_len=length,
                type=argon2.low_level.Type.ID,
            )
        except argon2.exceptions.HashingError as error:
            raise TooBusy(str(error)) from None
        return derived


def _by_cryptography(
    secret: bytes, salt: bytes, memory: int, passes: int, lanes: int, length: int
) -> bytes:
    from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

    with _ALONE:
        return Argon2id(
            salt=salt, length=length, iterations=passes, lanes=lanes, memory_cost=memory
        ).derive(secret)
