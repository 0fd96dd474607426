"""What makes a secret no secret: printed somewhere, made up by hand, or too regular.

Judges text alone and must never repeat it: a reason names what is wrong, not what was seen.
"""

from __future__ import annotations

import base64
import binascii
import re

# What people write where a secret belongs, until they have one. Long enough that random text
# contains none of them: about one key in a hundred million does.
_PLACEHOLDER = re.compile(
    r"django-insecure|change[-_ ]?(me|this|it)|replace[-_ ]?(me|this|with)|example|placeholder"
    r"|insecure|your[-_ ](secret|key|audit|master|password)|to-?do[-_: ]|default[-_ ]?(key|secret)"
    r"|secret[-_ ]?key|audit[-_ ]?key|master[-_ ]?key|password|not[-_ ]?(a[-_ ])?secret|lorem ipsum"
    r"|<[^>]+>|\.\.\.|xxxxx",
    re.IGNORECASE,
)
_TESTS = re.compile(r"tests?[-_ ]only|for[-_ ]tests?|testing", re.IGNORECASE)
# The keys of the Fernet specification and of its test vectors.
_PUBLISHED = frozenset({"cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4="})
_MINIMUM_DISTINCT = 8
_LONGEST_UNIT = 8
"""A text that repeats so few characters was typed, not drawn."""


def weakness(secret: str, *, strict: bool = True) -> str | None:
    """Why the text is no secret, in words that follow its name; None where nothing is seen.

    Not `strict` is for a site that nobody else reaches: it may use what the test suite uses, and
    what was typed by hand.
    """
    for text in (secret, _decoded(secret)):
        if _TESTS.search(text):
            return "is one of the test suite's, which everybody can read" if strict else None
        if text in _PUBLISHED:
            return "is printed in a public document"
        if _PLACEHOLDER.search(text):
            return "is a placeholder or an example"
    if strict and (len(set(secret)) < _MINIMUM_DISTINCT or _repeats(secret)):
        return "is too regular to be random"
    return None


def is_placeholder(secret: str) -> bool:
    """Whether the text only stands where a secret belongs; says nothing of how good one is."""
    return bool(re.search(r"change[-_ ]?me|EXAMPLE|\.\.\.|<[^>]+>", secret))


def _decoded(text: str) -> str:
    """What base64 hides in plain sight; empty where it hides no text."""
    try:
        return base64.b64decode(text, altchars=b"-_", validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        return ""


def _repeats(text: str) -> bool:
    return any(
        text == (text[:unit] * (len(text) // unit + 1))[: len(text)]
        for unit in range(1, min(_LONGEST_UNIT, len(text) // 2) + 1)
    )
