"""What a terminal is sent: whatever people see, and nothing that moves its cursor."""

from __future__ import annotations

import pytest

from client.securestore_client.output import shown

SEEN = {
    "an emoji younger than the interpreter": "\U0001fa77.txt",
    "an ideograph that nobody has assigned yet": "\U00033479.txt",
    "people at work, joined": "\U0001f9d1\u200d\U0001f4bb",
    "Persian": "\u0645\u06cc\u200c\u0634\u0648\u062f",
    "an ideographic space": "\u6771\u3000\u4eac",
    "columns": "a\tb",
}
MARKED = {
    "an escape": ("\x1b[2J", "�[2J"),
    "another one": ("\x9b31m", "�31m"),
    "a line": ("a\nb\u2028c", "a�b�c"),
    "what turns it around": ("x\u202egpj.exe", "x�gpj.exe"),
    "no character": ("a\ud800\ufffe", "a��"),
}


@pytest.mark.parametrize("text", SEEN.values(), ids=SEEN)
def test_what_people_see_is_shown(text: str) -> None:
    assert shown(text) == text


@pytest.mark.parametrize(("text", "mark"), MARKED.values(), ids=MARKED)
def test_what_moves_a_terminal_is_a_mark(text: str, mark: str) -> None:
    assert shown(text) == mark
