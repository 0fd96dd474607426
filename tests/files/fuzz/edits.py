"""Edits of bytes as a bad disk, a bad store or an attacker would make them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from hypothesis import strategies as st

Edit = Callable[[bytes], bytes]

_KINDS: Final = ["flip", "set", "cut", "drop", "repeat", "insert", "swap", "zero"]


def _place(length: int, share: float, marks: Sequence[int], near: int) -> int:
    """A place in `length` bytes: anywhere, or within two bytes of a place that matters."""
    if near >= 0 and marks:
        return max(0, min(length, marks[near % len(marks)] + (0, 0, 0, -2, -1, 1, 2)[near % 7]))
    return int(share * length)


@st.composite
def edits(draw: st.DrawFn, marks: Sequence[int] = ()) -> Edit:
    """One edit. `marks` are offsets at which something begins or ends: they are hit often."""
    kind = draw(st.sampled_from(_KINDS))
    shares = [draw(st.floats(0, 1, exclude_max=True)) for _ in range(2)]
    near = [draw(st.integers(-1, 1000)) for _ in range(2)]
    value = draw(st.integers(0, 255))
    extra = draw(st.binary(min_size=1, max_size=100)) if kind == "insert" else b""

    def edit(data: bytes) -> bytes:
        places = zip(shares, near, strict=True)
        begin, end = sorted(_place(len(data), share, marks, mark) for share, mark in places)
        if kind == "insert":
            return data[:begin] + extra + data[begin:]
        if kind == "cut":
            return data[:begin]
        if kind == "drop":
            return data[:begin] + data[end:]
        if kind == "repeat":
            return data[:end] + data[begin:]
        if kind == "swap":
            middle = (begin + end) // 2
            return data[:begin] + data[middle:end] + data[begin:middle] + data[end:]
        if kind == "zero":
            return data[:begin] + bytes(end - begin) + data[end:]
        if begin >= len(data):
            return data
        changed = data[begin] ^ (1 << value % 8) if kind == "flip" else value
        return data[:begin] + bytes([changed]) + data[begin + 1 :]

    return edit


def apply(data: bytes, changes: Sequence[Edit]) -> bytes:
    """All edits, one after the other."""
    for change in changes:
        data = change(data)
    return data
