"""The Range header of HTTP (RFC 9110, section 14), for a representation of known size.

Single ranges only. What is malformed, of another unit, or several ranges at once is ignored, as
the RFC allows, and the whole file is sent. Pure arithmetic: no request, no response.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_RANGE = re.compile(r"bytes[ \t]*=[ \t]*([0-9]*)-([0-9]*)[ \t]*", re.IGNORECASE | re.ASCII)

_LONGEST = 4096
"""Characters of a header that is looked at: Python reads no number of more digits, for a reason."""


class Unsatisfiable(ValueError):
    """The range is well formed and selects no byte: 416."""


@dataclass(frozen=True, slots=True)
class ByteRange:
    """The bytes `[start, stop)` of a file; never empty."""

    start: int
    stop: int

    @property
    def length(self) -> int:
        """How many bytes."""
        return self.stop - self.start

    def content_range(self, size: int) -> str:
        """The Content-Range header of a 206 answer."""
        return f"bytes {self.start}-{self.stop - 1}/{size}"


def parse_range(header: str, size: int) -> ByteRange | None:
    """The range that `header` asks for, or None where the whole file is the answer.

    So it is for an empty file: it has no range to answer with, and some clients ask for one always.
    Raises Unsatisfiable.
    """
    found = _RANGE.fullmatch(header) if len(header) <= _LONGEST else None
    if found is None:
        return None
    first, last = found.groups()
    if not first:
        if not last:
            return None
        suffix = int(last)
        if suffix == 0:
            raise Unsatisfiable
        if size == 0:
            return None
        return ByteRange(max(size - suffix, 0), size)
    start = int(first)
    if last and int(last) < start:
        return None
    if start == size == 0:
        return None
    if start >= size:
        raise Unsatisfiable
    return ByteRange(start, min(int(last) + 1, size) if last else size)
