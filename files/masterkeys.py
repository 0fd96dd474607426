"""The process's keyring: the configured master keys, and their change while the process runs.

An operator adds a key by editing a file (`.env`, or what `MASTER_KEYS_FILE` names). Every process
notices the change at its next use of a key, so a rotation needs no restart. A file that cannot be
used is refused at start; when it breaks later, the keys in use stay in use and the log says so.
Never logs a key, and never falls back to anything but keys that were configured.
"""

from __future__ import annotations

import logging
import threading
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

from files.crypto.errors import MalformedKey
from files.crypto.keyring import Keyring
from securestore.configuration import master_keys_file, read_environment, secret

log = logging.getLogger(__name__)

_Stamp = tuple[int, int, int] | None


def read_keyring() -> Keyring:
    """The keyring as configured now. Raises ImproperlyConfigured with what to do."""
    text = secret(read_environment(), "MASTER_KEYS")
    try:
        return Keyring.from_text(text)
    except MalformedKey as error:
        raise ImproperlyConfigured(
            f"MASTER_KEYS: {error}. `manage.py generate_master_key` makes one."
        ) from None
    except ValueError as error:
        raise ImproperlyConfigured(f"MASTER_KEYS: {error}.") from None


def _stamp(path: Path | None) -> _Stamp:
    if path is None:
        return None
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


class WatchedKeyring:
    """A keyring that is read again when its file changes. Threads may share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._keyring: Keyring | None = None
        self._file: Path | None = None
        self._seen: _Stamp = None

    def get(self) -> Keyring:
        """The current keyring. Raises ImproperlyConfigured when there has never been a good one."""
        with self._lock:
            if self._keyring is None:
                self._file = master_keys_file(read_environment())
                self._seen = _stamp(self._file)
                self._keyring = read_keyring()
            else:
                self._refresh()
            return self._keyring

    def _refresh(self) -> None:
        now = _stamp(self._file)
        if now == self._seen:
            return
        self._seen = now
        try:
            changed = read_keyring()
        except ImproperlyConfigured as error:
            log.error("the changed master keys are not used: %s", error)
            return
        log.warning("master keys read again; the primary is %s", changed.primary_id)
        self._keyring = changed


_watched = WatchedKeyring()


def keyring() -> Keyring:
    """The process's keyring."""
    return _watched.get()
