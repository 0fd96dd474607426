"""One file from the site into its place here, in one request or in ranges.

A large file is fetched in ranges, several at once, each bound to the version that was found at the
beginning. What has arrived is noted as it is written, so that the same command goes on after a
kill.
"""

from __future__ import annotations

import os
from contextlib import suppress
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Final

from ..api import Api, Content
from ..at_once import AtOnce
from ..errors import CONFLICT, ClientError
from ..left import locked
from ..progress import Progress
from .answers import Answers, Changed
from .pieces import Pieces, note_of
from .ranges import Range
from .stream import Stream

SMALL: Final = 8 * 1024 * 1024
"""Bytes up to which a file is fetched in one request, and anew after a kill."""

STREAMS: Final = 4
"""Ranges of one file at once."""

TRIES: Final = 3


class Getter:
    """Gets files from the site, each from any thread."""

    def __init__(self, api: Api, progress: Progress, key: str | None = None) -> None:
        self._api = api
        self._progress = progress
        self._key = key
        self._answers = Answers(api.server, progress, key)

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
            with Pieces(beside, known, at_once=STREAMS) as pieces:
                self._ranges(path, pieces)
        with beside.open("r+b") as file:
            os.fsync(file.fileno())
        _set_time(beside, known)
        beside.replace(local)
        note_of(beside).unlink(missing_ok=True)
        return known

    def _whole(self, path: str, beside: Path) -> Content:
        note_of(beside).unlink(missing_ok=True)
        descriptor = os.open(beside, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o666)
        with os.fdopen(descriptor, "wb", buffering=0) as file:
            return Stream(self._answers).write(path, file)

    def _ranges(self, path: str, pieces: Pieces) -> None:
        self._progress.expect(pieces.known.size)
        self._progress.moved(pieces.known.size - pieces.missing)
        with AtOnce(STREAMS) as at_once:
            for start, end in pieces.to_fetch():
                at_once.do(Range(self._answers, path, pieces, start, end).fetch)
        pieces.compare()


def _set_time(path: Path, known: Content) -> None:
    with suppress(TypeError, ValueError, OverflowError, OSError):
        moment = parsedate_to_datetime(known.modified_at).timestamp()
        os.utime(path, (moment, moment))
