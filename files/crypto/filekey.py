"""The key of one file, as text in a key file: 32 bytes in hexadecimal or base64.

Also where a file's key comes from for `python -m files.crypto`: such a text, or a passphrase.
"""

from __future__ import annotations

import binascii
import re

from files.crypto.errors import MalformedKey
from files.crypto.stream.keys import DEK_LENGTH, Context


def parse_data_key(text: str) -> bytes:
    """A data key in hexadecimal or base64. Raises MalformedKey, which never shows the text."""
    text = text.strip()
    if re.fullmatch(r"[0-9A-Fa-f]{64}", text):
        return bytes.fromhex(text)
    if re.fullmatch(r"[A-Za-z0-9+/_-]{43}=?", text):
        standard = text.rstrip("=").replace("-", "+").replace("_", "/") + "="
        try:
            key = binascii.a2b_base64(standard, strict_mode=True)
        except binascii.Error:
            key = b""
        if len(key) == DEK_LENGTH:
            return key
    raise MalformedKey(
        f"this is not the key of a file: expected 64 hexadecimal digits or 44 characters of "
        f"base64, and got {len(text)} characters"
    )


def from_passphrase(passphrase: str, context: Context) -> bytes:
    """The data key of a file that a passphrase protects: docs/stream-format.md, "Passphrase".

    The file's own random id is the salt, so that each file has a key of its own and needs nothing
    but the passphrase. Takes 64 MiB and some tenths of a second.
    """
    # Here: whoever has a key file need not wait for what this takes to import.
    from files.crypto.passphrase import Derivation

    return parse_data_key(Derivation(context.file_id.bytes).derive(passphrase))
