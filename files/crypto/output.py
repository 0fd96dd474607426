"""Files that appear whole or not at all, readable by their owner only.

What is written goes to a temporary name beside the final one, which is overwritten only by whoever
asks for that. A killed process leaves at most the temporary file, `.<name>.<random>.part`.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final

_LONGEST_NAME: Final = 200


@contextmanager
def new_file(path: Path, *, mode: int = 0o600, replace: bool = False) -> Iterator[BinaryIO]:
    """Write a new file; it gets its name when the block ends, synced to disk, unless it raises.

    Raises FileExistsError when there is a file of that name, at the beginning or at the end,
    unless it is to `replace` that; and OSError as the file system does.
    """
    if not replace and os.path.lexists(path):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
    temporary = path.with_name(f".{path.name[:_LONGEST_NAME]}.{os.urandom(4).hex()}.part")
    descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(descriptor, "w+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if replace:
            temporary.replace(path)
        else:
            _give_name(temporary, path)
        sync_folder(path.parent)
    finally:
        with suppress(FileNotFoundError):
            temporary.unlink()


def _give_name(temporary: Path, path: Path) -> None:
    """Rename without overwriting: a link refuses where a rename would replace."""
    try:
        os.link(temporary, path)
    except FileExistsError:
        raise
    except OSError:
        # A file system without links (FAT, some network ones): the best that it offers.
        if os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path)) from None
        temporary.rename(path)


def sync_folder(folder: Path) -> None:
    """Let the names in a folder survive a power cut, where the system can do that."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
