"""Where this program keeps what it needs again: settings, tokens, and uploads that were cut off."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from .errors import CONFLICT, ClientError

if sys.platform != "win32":
    import fcntl


def config_folder() -> Path:
    """Settings and tokens."""
    if sys.platform == "win32":
        return Path(os.environ.get("APPDATA") or Path.home()) / "securestore"
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "securestore"


def state_folder() -> Path:
    """What may be deleted at any time."""
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home()) / "securestore"
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state") / "securestore"


def read_json(path: Path) -> dict[str, Any]:
    """A file of ours; empty where there is none that can be read."""
    with suppress(OSError, ValueError):
        found = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(found, dict):
            return found
    return {}


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write a file for this account alone, in the place of what was there, whole or not at all."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(content, file)
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


class Left:
    """What is remembered of one transfer while it lasts. One process at a time has it."""

    def __init__(self, *parts: str) -> None:
        name = hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]
        self._path = state_folder() / "uploads" / f"{name}.json"

    @contextmanager
    def held(self) -> Iterator[None]:
        """Have it, or raise ClientError where another process has."""
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with locked(self._path.with_suffix(".lock")):
            yield

    def read(self) -> dict[str, Any]:
        """What was noted; empty where nothing was."""
        return read_json(self._path)

    def note(self, **content: Any) -> None:
        """Remember this, and nothing else."""
        write_json(self._path, content)

    def forget(self) -> None:
        """It is over."""
        self._path.unlink(missing_ok=True)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock that ends with the process, however it ends. Raises ClientError."""
    while True:
        with path.open("ab") as file:
            if sys.platform != "win32":
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    raise ClientError(
                        f"Another process is at it already ({path}).", CONFLICT, "at_it_already"
                    ) from None
            if not _is(file, path):
                continue  # Who had it before has just removed it.
            try:
                yield
            finally:
                path.unlink(missing_ok=True)
            return


def _is(file: IO[bytes], path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False
