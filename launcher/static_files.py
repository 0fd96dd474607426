"""Collecting what browsers get, where it is not there already.

To read, compress and name them takes seconds of a processor, and most starts find what the start
before has left. It must never be left out where anything differs: a source, a file that was
collected, or what collects.
"""

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders

MOST = 200
"""Bytes of a note, at most: it is a version and a digest."""


def collect(note: Path, run: Callable[[], None]) -> None:
    """Call `run`, which collects, unless `note` tells that nothing has changed since it last did.

    `note` is a file of the installation's own. Raises what `run` raises; then `note` is not there.
    """
    if _noted(note) == _state():
        return
    note.unlink(missing_ok=True)
    run()
    note.write_text(_state(), encoding="ascii")


def _noted(note: Path) -> str | None:
    try:
        with note.open(encoding="ascii") as file:
            return file.read(MOST)
    except (OSError, UnicodeDecodeError):
        return None


def _state() -> str:
    """A digest of the sources' and the collected files' names, sizes and times, and of settings."""
    digest = hashlib.sha256(repr((settings.STATIC_URL, settings.STORAGES["staticfiles"])).encode())
    for name, path in [*_sources(), *_collected()]:
        status = path.stat()
        digest.update(repr((name, status.st_size, status.st_mtime_ns)).encode())
    return digest.hexdigest()


def _sources() -> Iterator[tuple[str, Path]]:
    for finder in get_finders():
        found = [(name, storage.path(name)) for name, storage in finder.list(None)]
        yield from ((path, Path(path)) for _, path in sorted(found))


def _collected() -> Iterator[tuple[str, Path]]:
    root = Path(settings.STATIC_ROOT)
    for path in sorted(root.rglob("*")):
        if path.is_file():
            yield str(path.relative_to(root)), path
