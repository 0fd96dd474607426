"""Which characters never go to a terminal.

They stand here as ranges that never change, and not in Python's tables: in those, a character that
is younger than the interpreter is not assigned, and an emoji of this year would be a mark. Sources:
Unicode 16.0.0, PropList.txt (Bidi_Control, Noncharacter_Code_Point), ISO 6429 (controls).
"""

from __future__ import annotations

import re
from typing import Final

_MOVING: Final = re.compile(
    "["
    "\x00-\x1f\x7f-\x9f"  # Controls: they move the cursor, and more.
    "\u2028\u2029"  # Ends of lines and paragraphs.
    "\xad\u200b\u2060-\u2065\ufeff\ufff0-\ufffb"  # What shows nothing.
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u206f"  # What turns the reading direction.
    "\ud800-\udfff\ue000-\uf8ff\U000f0000-\U0010ffff"  # Surrogates, private use.
    "\ufdd0-\ufdef\ufffe\uffff"
    "]"
)


def marked(text: str, mark: str, *, keeping: str = "") -> str:
    """The text of one line, with `mark` for each character that a terminal must not be sent."""
    return _MOVING.sub(lambda found: found[0] if found[0] in keeping else mark, text)
