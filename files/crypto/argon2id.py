"""Argon2id (RFC 9106): a key from something that people type.

Each derivation takes up to gigabytes for some tenths of a second, on purpose: a process that serves
many says with `bound_by` how many run at once.

`argon2-cffi` does it where it is installed, as in every server. `cryptography`'s own, which gives
the same keys, hangs for good when two threads use several lanes at once; it is for programs that
run alone (`python -m files.crypto`, the rescue), which have nothing else, and there never twice at
once.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from threading import Lock
from typing import Any, Final

from files.crypto.errors import TooBusy

argon2: Any = None
with suppress(ImportError):
    import argon2.low_level

_ALONE: Final = Lock()
Slot = Callable[[], AbstractContextManager[object]]
_slot: Slot = nullcontext


def bound_by(slot: Slot) -> None:
    """Let each derivation of this process run inside of what `slot` gives. It may raise TooBusy."""
    global _slot  # noqa: PLW0603  once, when the process starts
    _slot = slot


def derive(
    secret: bytes, *, salt: bytes, memory: int, passes: int, lanes: int, length: int = 32
) -> bytes:
    """`length` bytes from the secret; `memory` is in KiB. Raises TooBusy.

    The caller has checked the parameters: what is left to go wrong is a lack of memory or threads.
    """
    with _slot():
        if argon2 is None:
            try:
                return _by_cryptography(secret, salt, memory, passes, lanes, length)
            except MemoryError:
                raise TooBusy("there is no memory for it") from None
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
