"""Under which keys things lie in the cache, which by default is a table of the database.

Keys are made of what people typed: a code that was used, an address that mail was asked for. So
each is an HMAC under `SECRET_KEY`, which is in no database: who reads the cache can neither use
what it was made of, nor try what it may have been.
"""

from __future__ import annotations

from django.utils.crypto import salted_hmac


def make_key(key: object, key_prefix: str, version: int) -> str:
    """Django's `KEY_FUNCTION`: 64 hexadecimal digits, of prefix, version and key."""
    text = f"{key_prefix}:{version}:{key}"
    return salted_hmac("securestore.cache", text, algorithm="sha256").hexdigest()
