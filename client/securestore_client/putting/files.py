"""One file to the site: is it there already, may it take the name, and which way does it go."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO, Final

from ..api import Api, Entry
from ..digests import chain_of
from ..errors import CONFLICT, NOT_FOUND, ClientError, Different
from ..progress import Progress
from .in_one import InOne
from .resumable import Resumable
from .source import Shape
from .stored import Stored, Target
from .stream import Stream

SMALL: Final = 8 * 1024 * 1024
"""Bytes up to which a file goes in one request: what a cut costs is sent again whole."""


class Putter:
    """Puts files to the site, each from any thread."""

    def __init__(self, api: Api, progress: Progress, conflict: str = "version") -> None:
        self._api = api
        self._progress = progress
        self._conflict = conflict
        self._in_one = InOne(api, progress, conflict)
        self._resumable = Resumable(api.server, progress, conflict)
        self._stream = Stream(self._in_one, api.server, progress, conflict)

    def put(self, local: Path, target: Target, there: Entry | None) -> Stored:
        """Put one file; `there` is what has its name already. Raises ClientError."""
        try:
            with local.open("rb", buffering=0) as file:
                shape = Shape.of(file)
                self._progress.expect(shape.size)
                if there is not None and (same := self._same(file, shape.size, there)):
                    self._progress.moved(shape.size)
                    return same
                if there is not None:
                    self._require_replaceable(target, there)
                # One request has no way to ask for a number.
                in_one = shape.size <= SMALL and self._conflict != "rename"
                send = self._in_one.put if in_one else self._resumable.put
                stored = send(file, shape, local, target)
                if Shape.of(file) != shape:
                    raise Different(
                        f"{local} was changed while it was sent. What is there now is what was "
                        "read; send it again."
                    )
                return stored
        except OSError as error:
            raise ClientError(
                f"{local}: {error.strerror or error}", _code_of(error), "unreadable"
            ) from error

    def put_stream(self, stream: BinaryIO, target: Target) -> Stored:
        """Put what comes, of whatever length. Raises ClientError."""
        return self._stream.put(stream, target)

    def _same(self, file: BinaryIO, size: int, there: Entry) -> Stored | None:
        """What is there, where it has the same bytes."""
        if there.is_folder or there.is_locked or there.size != size:
            return None
        known = self._api.digests([there.id]).get(there.id)
        if known is None or known.chain is None:
            return None
        file.seek(0)
        chain = chain_of(file, size)
        if chain != known.chain:
            return None
        return Stored(there.id, there.name, size, False, chain)

    def _require_replaceable(self, target: Target, there: Entry) -> None:
        """Raise ClientError where what has the name cannot give way, or must not."""
        if there.is_folder:
            raise ClientError(f"{target.place} is a folder.", CONFLICT, "is_a_folder")
        if there.is_locked and self._conflict == "version":
            raise ClientError(
                f"{target.place} is locked, and a version sent like this would not be. "
                "Upload it on the page, or say --conflict rename.",
                CONFLICT,
                "locked",
            )
        if self._conflict == "refuse":
            raise ClientError(
                f"{target.place} is there, and has other bytes.", CONFLICT, "name_taken"
            )


def _code_of(error: OSError) -> int:
    return NOT_FOUND if isinstance(error, FileNotFoundError) else 1
