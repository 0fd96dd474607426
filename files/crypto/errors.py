"""What can go wrong in the cryptography, as a small hierarchy.

A wrong key and damaged data are different errors: the first is for the person who typed the key,
the second for the operator. No message here may ever contain a key, a plaintext or a part of one.
"""

# The names say what happened; an "Error" at the end of each would say nothing more.

from __future__ import annotations


class CryptoError(Exception):
    """Anything that this package refuses to do."""


class WrongKey(CryptoError):
    """The key is well formed, but it is not the key of this data."""

    def __init__(self, message: str = "the key is not the one that this data was encrypted with"):
        super().__init__(message)


class Damaged(CryptoError):
    """The data is not what was written: altered, cut, extended, moved or replaced.

    ``reason`` is for logs only; users learn that the data is damaged and no more.
    ``another_length``: it is shorter or longer than it was, and nothing else is known of it.
    """

    def __init__(self, reason: str, *, another_length: bool = False):
        super().__init__(f"damaged: {reason}")
        self.reason = reason
        self.another_length = another_length


class MalformedKey(CryptoError, ValueError):
    """The text is not a key at all. The message says what a key looks like."""


class UnknownMasterKey(CryptoError):
    """Data was wrapped by a master key that the keyring does not hold."""

    def __init__(self, key_id: str):
        super().__init__(f"no master key with the id {key_id} is configured")
        self.key_id = key_id


class StreamTooLong(CryptoError, ValueError):
    """More plaintext than one stream can hold: 2**32 frames, which is 1 PiB."""


class TooBusy(CryptoError):
    """No slot, or no memory, for a password or passphrase. Nothing is known of what was typed."""

    def __init__(self, reason: str = "too many are being checked at once") -> None:
        super().__init__(f"a password or passphrase could not be checked: {reason}")


class KeyServiceError(Exception):
    """A key management service did not do what it was asked; no data is known to be wrong.

    Not a CryptoError on purpose: an outage is never taken for damage, nor for a wrong key.
    """


class KeyServiceUnavailable(KeyServiceError):
    """It could not be reached, or is too busy. Trying again may succeed."""


class KeyServiceRefused(KeyServiceError):
    """It said no: the key, the credentials, their permissions or a clock are not as they should.

    `remedy` is what to do, in a sentence; empty where the answer did not tell enough.
    """

    def __init__(self, said: str = "", remedy: str = "") -> None:
        super().__init__(said)
        self.remedy = remedy
