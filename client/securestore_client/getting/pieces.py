"""A file that comes in pieces: what of it is here is noted, so that a kill costs little of it."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from ..api import Content
from ..digests import EMPTY, SLICE, link
from ..errors import Different
from .answers import Changed
from .compared import compare
from .stream import unwritable

PIECE_LEAST: Final = 8 * 1024 * 1024
PIECE_MOST: Final = 256 * 1024 * 1024
"""Each piece is a request, whose rights the site looks at and which it notes."""


class Pieces:
    """A file that comes in pieces, what of it is there, and the digests of its slices."""

    def __init__(self, beside: Path, known: Content, *, at_once: int) -> None:
        self.known = known
        self._at_once = at_once
        self._path = beside
        self._lock = threading.Lock()
        self._count = -(-known.size // SLICE)
        self._joined, self._chain = 0, EMPTY
        self._slices: dict[int, bytes] = {}
        self._open: dict[int, tuple[hashlib._Hash, int]] = {}
        self._there = _noted(beside, known)
        self._resumed = bool(self._there)

    def __enter__(self) -> Pieces:
        flags = os.O_RDWR | os.O_CREAT | (0 if self._there else os.O_TRUNC)
        self._file = os.open(self._path, flags, 0o666)
        note = note_of(self._path)
        if not self._there:
            about = {"etag": self.known.etag, "size": self.known.size}
            note.write_text(json.dumps(about) + "\n", encoding="ascii")
        self._note = note.open("a", encoding="ascii")
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        os.close(self._file)
        self._note.close()

    @property
    def missing(self) -> int:
        """Bytes that are yet to come."""
        return self.known.size - sum(end - start for start, end in self._there)

    def to_fetch(self) -> Iterator[tuple[int, int]]:
        """The ranges to ask for, in order; each begins with a slice."""
        share = self.known.size // (2 * self._at_once)
        piece = max(PIECE_LEAST, min(PIECE_MOST, share)) // SLICE * SLICE
        at = 0
        for start, end in [*self._there, (self.known.size, self.known.size)]:
            while at < start:
                yield at, min(start, at + piece)
                at = min(start, at + piece)
            at = max(at, end)

    def write(self, offset: int, block: memoryview) -> None:
        """Put bytes into their place, and digest them. One thread for each piece, in order."""
        done = 0
        try:
            while done < len(block):
                done += os.pwrite(self._file, block[done:], offset + done)
        except OSError as error:
            raise unwritable(error) from error
        while block:
            number, filled = divmod(offset, SLICE)
            taken = block[: SLICE - filled]
            digest, have = self._open.get(number, (hashlib.sha256(), 0))
            if have == filled:
                digest.update(taken)
                self._open[number] = (digest, filled + len(taken))
                if filled + len(taken) == min(SLICE, self.known.size - number * SLICE):
                    self._slices[number] = digest.digest()
                    del self._open[number]
            offset += len(taken)
            block = block[len(taken) :]

    def note(self, start: int, end: int) -> None:
        """Remember that these bytes are there."""
        with self._lock:
            self._note.write(f"{start} {end}\n")
            self._note.flush()
            self._join()

    def _join(self) -> None:
        """Join the digests of what is there from the beginning on; what lay here is read for it."""
        while self._joined < self._count:
            digest = self._slices.pop(self._joined, None)
            if digest is None:
                if not self._lay_here(self._joined * SLICE):
                    return
                data = os.pread(self._file, SLICE, self._joined * SLICE)
                digest = hashlib.sha256(data).digest()
            self._chain = link(self._chain, digest)
            self._joined += 1

    def _lay_here(self, offset: int) -> bool:
        return any(start <= offset < end for start, end in self._there)

    def compare(self) -> None:
        """Hold what is there against what the site has. Raises Different."""
        with self._lock:
            self._join()
        if self._joined < self._count:
            raise Different("A piece is missing. Nothing was kept.")
        try:
            compare(self.known, self._whole, self._chain)
        except Different:
            note_of(self._path).unlink(missing_ok=True)
            if self._resumed:
                # What lay here from before may not be what was noted, after a power cut.
                raise Changed from None
            raise

    def _whole(self) -> bytes:
        digest = hashlib.sha256()
        for number in range(self._count):
            digest.update(os.pread(self._file, SLICE, number * SLICE))
        return digest.digest()


def note_of(beside: Path) -> Path:
    """Where it is noted what of a file has come."""
    return beside.with_name(f"{beside.name}-note")


def _noted(beside: Path, known: Content) -> list[tuple[int, int]]:
    """What lies here of this very version: ranges of whole slices, in order and apart."""
    try:
        size = beside.stat().st_size
        lines = note_of(beside).read_text(encoding="ascii").splitlines()
        about = json.loads(lines[0])
    except (OSError, ValueError, IndexError):
        return []
    if about != {"etag": known.etag, "size": known.size}:
        return []
    found = []
    for line in lines[1:]:
        with suppress(ValueError):
            start, end = map(int, line.split())
            if 0 <= start < end <= min(size, known.size):
                found.append((start, end))
    return list(_joined(sorted(found), known.size))


def _joined(ranges: list[tuple[int, int]], size: int) -> Iterator[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for start, end in ranges:
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    for start, end in merged:
        first = -(-start // SLICE) * SLICE
        last = end if end == size else end // SLICE * SLICE
        if first < last:
            yield first, last
