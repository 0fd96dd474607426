"""How passwords are hashed: as Django does it, and never more at once than memory allows.

Every hash takes one of the slots that passphrases take, too (`runtime.slots`): a hundred
people who sign in at the same moment cost as much memory as two. Who waits too long is told that it
is too busy. A lack of memory is never taken for a wrong password.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import argon2
from argon2.exceptions import HashingError, VerificationError
from argon2.low_level import error_to_str
from argon2.low_level import lib as codes  # type: ignore[attr-defined]
from django.contrib.auth import hashers

from runtime.connections import release
from runtime.slots import DERIVATIONS, TooBusy

_EXHAUSTED = frozenset(
    error_to_str(code) for code in (codes.ARGON2_MEMORY_ALLOCATION_ERROR, codes.ARGON2_THREAD_FAIL)
)


class Argon2PasswordHasher(hashers.Argon2PasswordHasher):
    """100 MiB for each hash (Django's own parameters), in a slot."""

    def encode(self, password: str, salt: str) -> str:
        """Raises TooBusy."""
        with _slot():
            try:
                return super().encode(password, salt)
            except HashingError as error:
                raise _meaning_of(error) from None

    def verify(self, password: str, encoded: str) -> bool:
        """Raises TooBusy."""
        _algorithm, rest = encoded.split("$", 1)
        with _slot():
            try:
                return bool(argon2.PasswordHasher().verify("$" + rest, password))
            except VerificationError as error:
                # Django takes every one of them for a wrong password.
                if str(error) in _EXHAUSTED:
                    raise _meaning_of(error) from None
                return False


class PBKDF2PasswordHasher(hashers.PBKDF2PasswordHasher):
    """For hashes that came from elsewhere; it verifies and hardens by encoding, so this is all."""

    def encode(self, password: str, salt: str, iterations: int | None = None) -> str:
        """Raises TooBusy."""
        with _slot():
            return super().encode(password, salt, iterations)


@contextmanager
def _slot() -> Iterator[None]:
    release()  # Nobody needs a connection while waiting for a slot, and for a hash.
    with DERIVATIONS.taken():
        yield


def _meaning_of(error: Exception) -> Exception:
    return TooBusy(str(error)) if str(error) in _EXHAUSTED else error
