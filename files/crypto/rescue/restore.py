"""One object and its key become one file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from files.crypto.errors import Damaged, WrongKey
from files.crypto.output import new_file
from files.crypto.rescue.outcome import Outcome, Status
from files.crypto.salvage import (
    Coverage,
    Expected,
    WholeObject,
    frame_offset_of_payload,
    read_trailer,
    salvage,
)
from files.crypto.stream.keys import derive_keys

Progress = Callable[[int], object]


def _silent(_done: int) -> None:
    pass


def restore(
    source: BinaryIO,
    dek: bytes,
    output: Path,
    *,
    expected: Expected | None = None,
    partial: bool = False,
    progress: Progress = _silent,
) -> Outcome:
    """Write the file of an object to `output`, a name that is not taken.

    `expected` is what an export says of the object; the object must then be that one. `partial`
    allows a damaged object's intact parts. `progress` is told the bytes written since the last
    time. Raises OSError, FileExistsError; any other end is in the outcome.
    """
    name = str(getattr(source, "name", ""))
    try:
        size = _whole(source, dek, output, expected, progress)
        return Outcome(Status.RESTORED, name, str(output), size=size)
    except WrongKey:
        if not partial:
            return Outcome(Status.WRONG_KEY, name, reason=_WRONG_KEY)
    except Damaged as damaged:
        if not partial:
            reason = f"{damaged.reason}. Nothing was written; --partial saves what is intact"
            return Outcome(Status.DAMAGED, name, reason=reason)
    return _parts(source, dek, output, expected, name, progress)


_WRONG_KEY = "this is not the key of this object (nothing was written)"


def _whole(
    source: BinaryIO, dek: bytes, output: Path, expected: Expected | None, progress: Progress
) -> int:
    whole = WholeObject(source, dek, expected=expected)
    with new_file(output) as file:
        for chunk in whole.chunks():
            file.write(chunk)
            progress(len(chunk))
    return whole.size


class _NothingFound(Exception):
    """No frame authenticated."""


def _parts(
    source: BinaryIO,
    dek: bytes,
    output: Path,
    expected: Expected | None,
    name: str,
    progress: Progress,
) -> Outcome:
    """Write every frame that authenticates to its place, and zero bytes for the others."""
    try:
        known = expected or read_trailer(source)
    except Damaged as damaged:
        reason = (
            f"{damaged.reason}. Without its trailer only a key export can say what it is: "
            "give --export, and --entry if the object's name is not its own"
        )
        return Outcome(Status.DAMAGED, name, reason=reason)
    keys = derive_keys(dek, known.context)
    try:
        keys.check(known.commitment)
        proven = True
    except WrongKey:
        if expected is not None:
            return Outcome(Status.WRONG_KEY, name, reason=_WRONG_KEY)
        proven = False  # The trailer may be what is wrong: a frame that opens will tell.
    coverage = Coverage()
    try:
        with new_file(output) as file:
            for found in salvage(source, keys, known.context):
                file.seek(frame_offset_of_payload(found.index))
                file.write(found.payload)
                coverage.add(found)
                progress(len(found.payload))
            if not coverage.frames:
                raise _NothingFound
            size = coverage.size if expected is None else expected.size
            if size is not None:
                file.truncate(size)
    except _NothingFound:
        if not proven:
            return Outcome(Status.WRONG_KEY, name, reason=_WRONG_KEY)
        reason = "no part of it authenticates; nothing was written. Is it the right object?"
        return Outcome(Status.DAMAGED, name, reason=reason)
    missing = coverage.missing(size)
    lost = sum((span.end or span.start) - span.start for span in missing)
    reason = (
        f"{lost} bytes are missing and are zero bytes in the file"
        if missing
        else "every byte was found, though the object is damaged around them"
    )
    return Outcome(Status.PARTIAL, name, str(output), reason, size, missing)
