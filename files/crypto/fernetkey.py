"""A Fernet key as text, as a master key is configured and a user's key is handed out.

Never shows the text that it refuses.
"""

from __future__ import annotations

import base64
import os
import re

from files.crypto.errors import MalformedKey
from files.crypto.tokens import KEY_LENGTH


def generate_master_key() -> str:
    """A new Fernet key as text: 44 characters of URL-safe base64. Also a user's key."""
    return base64.urlsafe_b64encode(os.urandom(KEY_LENGTH)).decode()


def check_user_key(text: str) -> str:
    """A user's key as it was typed, without the white space around it. Raises MalformedKey."""
    parse_key(text, "this")
    return text.strip()


def parse_key(text: str, what: str) -> bytes:
    """The 32 bytes of a Fernet key. Raises MalformedKey, which never shows the text."""
    text = text.strip()
    if not re.fullmatch(r"[A-Za-z0-9_-]{43}=", text):
        raise MalformedKey(
            f"{what} is not a Fernet key: expected 44 characters of URL-safe base64, "
            f"the last of them '=', and got {len(text)} characters"
        )
    return base64.urlsafe_b64decode(text)
