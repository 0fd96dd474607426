"""Structured fields of HTTP (RFC 9651): byte sequences alone, as digests travel (RFC 9530)."""

from __future__ import annotations

import base64
import binascii


def byte_sequence(data: bytes) -> str:
    """`data` as a header's value: base64 between colons (RFC 9651, 4.1.8)."""
    return f":{base64.b64encode(data).decode()}:"


def parse_byte_sequence(text: str) -> bytes | None:
    """What `byte_sequence` made (RFC 9651, 4.2.7); None for anything else."""
    text = text.strip(" ")
    if len(text) < 2 or text[0] != ":" or text[-1] != ":":
        return None
    try:
        return base64.b64decode(text[1:-1], validate=True)
    except (ValueError, binascii.Error):  # Not base64; or a header that is not even ASCII.
        return None
