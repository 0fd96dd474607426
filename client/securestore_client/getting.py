"""Downloads: written beside, compared by digest, and only then renamed.

A large file is fetched in ranges, several at once, each bound to the version that was found at the
beginning. What has arrived is noted as it is written, so that the same command goes on after a
kill. Nothing under the file's own name is ever half a file.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import BinaryIO, Final

from .api import Api, Content, content_of, key_header
from .at_once import AtOnce
from .digests import EMPTY, SLICE, ContentChain, link
from .errors import (
    CONFLICT,
    ClientError,
    Different,
    Refused,
    Unreachable,
)
from .left import locked
from .progress import Progress
from .transport import AGAIN, BLOCK, BROKEN, Answer, Trying, refusal

SMALL: Final = 8 * 1024 * 1024
"""Bytes up to which a file is fetched in one request, and anew after a kill."""

STREAMS: Final = 4
"""Ranges of one file at once."""

PIECE_LEAST: Final = 8 * 1024 * 1024
PIECE_MOST: Final = 256 * 1024 * 1024
"""Each piece is a request, whose rights the site looks at and which it notes."""

NOTED_EVERY: Final = 4 * 1024 * 1024
"""Bytes after which it is noted how far a range is: what a kill costs, for each of them."""

TRIES: Final = 3


class Changed(Exception):
    """The file at the site is another version than at the beginning."""


class Getter:
    """Gets files from the site, each from any thread."""

    def __init__(self, api: Api, progress: Progress, key: str | None = None) -> None:
        self._api = api
        self._server = api.server
        self._progress = progress
        self._key = key

    def get(self, path: str, local: Path, size: int | None = None) -> Content:
        """Fetch what is at a path of the API into a file. Raises ClientError.

        Where its size is known and small, nothing is asked for before it is fetched.
        """
        small = size is not None and size <= SMALL
        beside = local.with_name(f".{local.name}.securestore")
        try:
            with locked(local.with_name(f".{local.name}.securestore-lock")):
                for _ in range(TRIES):
                    with suppress(Changed):
                        return self._once(path, local, beside, small=small)
        except OSError as error:
            raise ClientError(f"{local}: {error.strerror or error}", code="unwritable") from error
        raise ClientError(f"{local.name} is changed there again and again.", CONFLICT, "changed")

    def _once(self, path: str, local: Path, beside: Path, *, small: bool) -> Content:
        known = None if small else self._api.content(path, self._key)
        if known is None or known.size <= SMALL:
            known = self._whole(path, beside)
        else:
            with _Pieces(beside, known) as pieces:
                self._ranges(path, pieces)
        with beside.open("r+b") as file:
            os.fsync(file.fileno())
        _set_time(beside, known)
        beside.replace(local)
        _note_of(beside).unlink(missing_ok=True)
        return known

    # --- In one request ---------------------------------------------------------------------------

    def _whole(self, path: str, beside: Path) -> Content:
        _note_of(beside).unlink(missing_ok=True)
        descriptor = os.open(beside, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o666)
        with os.fdopen(descriptor, "wb", buffering=0) as file:
            return self.stream(path, file)

    def stream(self, path: str, out: BinaryIO) -> Content:
        """Write the bytes at a path, in order, going on after cuts. Raises Different at the end."""
        trying = Trying(self._server.patience)
        whole, chain, offset = hashlib.sha256(), ContentChain(), 0
        known: Content | None = None
        while known is None or offset < known.size:
            said = key_header(self._key)
            if known is not None:
                said |= {"Range": f"bytes={offset}-", "If-Match": known.etag}
            try:
                with self._asked(path, said, offset if known else None) as answer:
                    known = known or answer.content
                    for block in answer.blocks():
                        write_all(out, block)
                        whole.update(block)
                        chain.update(block)
                        offset += len(block)
                        self._progress.moved(len(block))
                        trying.got_on()
                if offset < known.size:
                    raise Unreachable("The connection ended before the file did.")
            except (*BROKEN, Unreachable) as error:
                trying.again(error, self._server)
            except Refused as refused:
                if refused.status not in AGAIN:
                    raise
                trying.again(refused, self._server)
        _compare(known, whole.digest, chain.value)
        return known

    # --- In ranges --------------------------------------------------------------------------------

    def _ranges(self, path: str, pieces: _Pieces) -> None:
        self._progress.expect(pieces.known.size)
        self._progress.moved(pieces.known.size - pieces.missing)
        with AtOnce(STREAMS) as at_once:
            for start, end in pieces.to_fetch():
                at_once.do(_Range(self, path, pieces, start, end).fetch)
        pieces.compare()

    def _asked(self, path: str, said: dict[str, str], offset: int | None) -> _Bytes:
        """A GET whose answer is yet to be read; from `offset` on, where it goes on."""
        response = self._server.send("GET", path, said)
        if response.status in {200, 206}:
            found = response.headers.get("Content-Range", "")
            if offset is None and response.status == 200:
                return _Bytes(self, response)
            if response.status == 206 and found.startswith(f"bytes {offset}-"):
                return _Bytes(self, response)
            if offset == 0 and response.status == 200:
                return _Bytes(self, response)
            self._server.drop()
            raise Changed
        refused = refusal(Answer(response.status, response.headers, response.read()))
        if response.status == 412:
            raise Changed
        if response.status == 502:
            raise Different(f"It is damaged there: {refused}")
        raise refused


class _Bytes:
    """An answer with bytes, block by block. What is not read of it costs the connection."""

    def __init__(self, getter: Getter, response: object) -> None:
        self._getter = getter
        self._response = response
        self._buffer = memoryview(bytearray(BLOCK))
        self.content = content_of(response)  # type: ignore[arg-type]

    def __enter__(self) -> _Bytes:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if kind is not None or not self._response.isclosed():  # type: ignore[attr-defined]
            self._getter._server.drop()

    def blocks(self) -> Iterator[memoryview]:
        """What comes, until it ends: where the connection broke, too early."""
        while count := self._response.readinto(self._buffer):  # type: ignore[attr-defined]
            yield self._buffer[:count]


class _Range:
    """One range on its way into its place."""

    def __init__(self, getter: Getter, path: str, pieces: _Pieces, start: int, end: int) -> None:
        self._getter = getter
        self._path = path
        self._pieces = pieces
        self._at, self._noted, self._end = start, start, end

    def fetch(self) -> None:
        """Fetch all of it, going on after cuts."""
        getter, trying = self._getter, Trying(self._getter._server.patience)
        while self._at < self._end:
            said = {
                "Range": f"bytes={self._at}-{self._end - 1}",
                "If-Match": self._pieces.known.etag,
            } | key_header(getter._key)
            before = self._at
            try:
                with getter._asked(self._path, said, self._at) as answer:
                    for block in answer.blocks():
                        self._take(block)
                if self._at < self._end:
                    raise Unreachable("The connection ended before the file did.")
            except (*BROKEN, Unreachable) as error:
                if self._at > before:
                    trying.got_on()
                trying.again(error, getter._server)
            except Refused as refused:
                if refused.status not in AGAIN:
                    raise
                trying.again(refused, getter._server)
        self._pieces.note(self._noted, self._end)

    def _take(self, block: memoryview) -> None:
        self._pieces.write(self._at, block)
        self._at += len(block)
        self._getter._progress.moved(len(block))
        if self._at - self._noted >= NOTED_EVERY:
            self._pieces.note(self._noted, self._at)
            self._noted = self._at


class _Pieces:
    """A file that comes in pieces, what of it is there, and the digests of its slices."""

    def __init__(self, beside: Path, known: Content) -> None:
        self.known = known
        self._path = beside
        self._lock = threading.Lock()
        self._count = -(-known.size // SLICE)
        self._joined, self._chain = 0, EMPTY
        self._slices: dict[int, bytes] = {}
        self._open: dict[int, tuple[hashlib._Hash, int]] = {}
        self._there = _noted(beside, known)
        self._resumed = bool(self._there)

    def __enter__(self) -> _Pieces:
        flags = os.O_RDWR | os.O_CREAT | (0 if self._there else os.O_TRUNC)
        self._file = os.open(self._path, flags, 0o666)
        note = _note_of(self._path)
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
        share = self.known.size // (2 * STREAMS)
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
            _compare(self.known, self._whole, self._chain)
        except Different:
            _note_of(self._path).unlink(missing_ok=True)
            if self._resumed:
                # What lay here from before may not be what was noted, after a power cut.
                raise Changed from None
            raise

    def _whole(self) -> bytes:
        digest = hashlib.sha256()
        for number in range(self._count):
            digest.update(os.pread(self._file, SLICE, number * SLICE))
        return digest.digest()


def _note_of(beside: Path) -> Path:
    return beside.with_name(f"{beside.name}-note")


def _noted(beside: Path, known: Content) -> list[tuple[int, int]]:
    """What lies here of this very version: ranges of whole slices, in order and apart."""
    try:
        size = beside.stat().st_size
        lines = _note_of(beside).read_text(encoding="ascii").splitlines()
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


def _compare(known: Content, sha256: Callable[[], bytes], chain: bytes) -> None:
    if known.chain is not None:
        same = chain == known.chain
    elif known.sha256 is not None:
        same = sha256() == known.sha256
    else:
        return  # A locked file's digests are not known to the site: each frame was authenticated.
    if not same:
        raise Different("What arrived is not what the site has. Nothing was kept.")


def _set_time(path: Path, known: Content) -> None:
    with suppress(TypeError, ValueError, OverflowError, OSError):
        moment = parsedate_to_datetime(known.modified_at).timestamp()
        os.utime(path, (moment, moment))


def write_all(out: BinaryIO, block: memoryview) -> None:
    """Write all of a block. Raises ClientError, so that nobody takes it for a broken connection."""
    try:
        while block:
            block = block[out.write(block) :]
    except OSError as error:
        raise unwritable(error) from error


def unwritable(error: OSError) -> ClientError:
    """What the file system said."""
    return ClientError(f"It cannot be written here: {error.strerror or error}", code="unwritable")
