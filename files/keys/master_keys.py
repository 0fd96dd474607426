"""The process's keyring: the configured master keys, and their change while the process runs.

An operator adds a key by editing a file (`.env`, or what `MASTER_KEYS_FILE` names). Every process
notices the change at its next use of a key, so a rotation needs no restart. A file that cannot be
used is refused at start; when it breaks later, the keys in use stay in use and the log says so.
Never logs a key, and never falls back to anything but keys that were configured.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import environ
from django.core.exceptions import ImproperlyConfigured

from files.crypto.errors import KeyServiceError, MalformedKey
from files.crypto.keyring import Keyring
from files.crypto.masterkey import local_keys
from files.keys import kms
from runtime.configuration import master_keys_files, optional_secret, read_environment, secret

log = logging.getLogger(__name__)

_Stamp = tuple[int, int, int] | None

TRY_AGAIN = 15.0
"""Seconds after which a change is tried again that a key service did not let happen."""


def read_keyring() -> Keyring:
    """The keyring as configured now: `KMS_KEY_ID` first, then `MASTER_KEYS`, each in its order.

    `PRIMARY_MASTER_KEY=local` turns the two round, for the way back from KMS.

    Raises ImproperlyConfigured with what to do; KeyServiceError where an alias must be looked up.
    """
    env = read_environment()
    remote = kms.configured_keys(env)
    text = optional_secret(env, "MASTER_KEYS") if remote else secret(env, "MASTER_KEYS")
    try:
        local = local_keys(text) if text else []
        return Keyring([*local, *remote] if _local_first(env, local, remote) else [*remote, *local])
    except MalformedKey as error:
        raise ImproperlyConfigured(
            f"MASTER_KEYS: {error}. `manage.py generate_master_key` makes one."
        ) from None
    except ValueError as error:
        raise ImproperlyConfigured(
            f"{'KMS_KEY_ID, ' if remote else ''}MASTER_KEYS: {error}."
        ) from None


def _local_first(env: environ.Env, local: Sequence[object], remote: Sequence[object]) -> bool:
    wanted: str = env.str("PRIMARY_MASTER_KEY", default="kms" if remote else "local").strip()
    if wanted not in {"kms", "local"}:
        raise ImproperlyConfigured("PRIMARY_MASTER_KEY is neither kms nor local.")
    if not (local if wanted == "local" else remote):
        names = {"local": "MASTER_KEYS", "kms": "KMS_KEY_ID"}
        raise ImproperlyConfigured(f"PRIMARY_MASTER_KEY is {wanted}: set {names[wanted]} as well.")
    return wanted == "local"


def _stamp(path: Path) -> _Stamp:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


class WatchedKeyring:
    """A keyring that is read again when a file that it comes from changes. Threads may share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._keyring: Keyring | None = None
        self._files: list[Path] = []
        self._seen: list[_Stamp] = []
        self._not_before = 0.0

    def get(self) -> Keyring:
        """The current keyring.

        Raises ImproperlyConfigured or KeyServiceError when there has never been a good one.
        """
        with self._lock:
            if self._keyring is None:
                self._files = master_keys_files(read_environment())
                self._seen = [_stamp(path) for path in self._files]
                self._keyring = read_keyring()
            else:
                self._refresh()
            return self._keyring

    def _refresh(self) -> None:
        now = [_stamp(path) for path in self._files]
        if now == self._seen or time.monotonic() < self._not_before:
            return
        try:
            changed = read_keyring()
        except KeyServiceError as error:
            self._not_before = time.monotonic() + TRY_AGAIN
            log.error("the changed master keys are not used yet: %s", error)
            return
        except ImproperlyConfigured as error:
            self._seen = now
            log.error("the changed master keys are not used: %s", error)
            return
        self._seen = now
        log.warning("master keys read again; the primary is %s", changed.primary_id)
        self._keyring = changed


_watched = WatchedKeyring()


def keyring() -> Keyring:
    """The process's keyring."""
    return _watched.get()
