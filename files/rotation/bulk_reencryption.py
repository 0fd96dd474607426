"""Re-encrypting many files: which, in what order, by how many workers, and what became of each.

Any number of runs may work at once and any may be killed: what is done is done, each file is
claimed by the row of its new object, and a run only ever looks for files that still need it. It
never touches a held file, and goes on after a damaged one.
"""

from __future__ import annotations

import contextvars
import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Count, QuerySet, Sum

from files.crypto.errors import KeyServiceError
from files.errors import FileDamaged, VaultError
from files.keys import wrapping
from files.keys.master_keys import keyring
from files.models import Custody, FileRecord, KeptVersion, StoredObject
from files.rotation import reencryption, retirement
from files.storage import StoreError
from files.vault import versions

log = logging.getLogger(__name__)

PAGE = 500
"""Files looked up at once."""

PATIENCE = 3
"""Failures without a success between them, after which a run stops: it is no single file then."""


class Stopped(Exception):
    """The run was asked to stop."""


class TooManyFailures(VaultError):
    """Store, key service or database do not answer; `done` is what was achieved before."""

    def __init__(self, done: Done, reason: Exception) -> None:
        super().__init__(str(reason))
        self.done = done


class NoSuchFiles(VaultError):
    """Files were named that do not exist."""

    def __init__(self, missing: list[UUID]) -> None:
        super().__init__(f"No such file: {', '.join(map(str, missing))}.")


class PrimaryKeySelected(VaultError):
    """Files under the primary master key would come under it again."""

    def __init__(self, key_id: str) -> None:
        super().__init__(
            f"{key_id} is the primary master key: new encryptions would be under it again. Put a "
            "new key first, run rotate_master_key, then this."
        )


@dataclass(frozen=True)
class Selection:
    """Which files a run is for; every condition that is given must hold."""

    encrypted_before: datetime | None = None
    master_key_id: str | None = None
    files: tuple[UUID, ...] = ()

    def records(self) -> QuerySet[FileRecord]:
        """The files that need it at this moment, held and damaged ones too."""
        found = reencryption.select(
            encrypted_before=self.encrypted_before, master_key_id=self.master_key_id
        )
        return found.filter(pk__in=self.files) if self.files else found

    def former(self) -> QuerySet[KeptVersion]:
        """The former versions that need it at this moment, held and damaged ones too."""
        found = reencryption.select_former(
            encrypted_before=self.encrypted_before, master_key_id=self.master_key_id
        )
        return found.filter(file__in=self.files) if self.files else found

    def check(self) -> None:
        """Raises NoSuchFiles, PrimaryKeySelected, UnknownKey of `files.rotation.retirement`."""
        known = set(FileRecord.objects.filter(pk__in=self.files).values_list("pk", flat=True))
        missing = [file_id for file_id in self.files if file_id not in known]
        if missing:
            raise NoSuchFiles(missing)
        if self.master_key_id == keyring().primary_id:
            raise PrimaryKeySelected(keyring().primary_id)
        if self.master_key_id is not None:
            # After a leak, a typing error must not look like work that is done.
            retirement.check_known(self.master_key_id)


@dataclass(frozen=True)
class Work:
    """What a selection comes to: files and bytes to re-encrypt, and what will be left alone.

    A former version counts as a file.
    """

    files: int
    bytes: int
    held: int
    damaged: list[UUID]


@dataclass
class Done:
    """What a run did. `skipped` were changed, deleted or taken by another run meanwhile."""

    reencrypted: int = 0
    bytes: int = 0
    held: int = 0
    skipped: int = 0
    damaged: list[UUID] = field(default_factory=list)
    failed: list[UUID] = field(default_factory=list)


def survey(selection: Selection) -> Work:
    """Count what is to be done. Raises as `Selection.check`."""
    selection.check()
    found = selection.records().order_by()
    held = found.filter(custody=Custody.HELD).count()
    todo = _readable(found).aggregate(n=Count("pk"), size=Sum("size"))
    former = selection.former().order_by()
    also = _sound(former).aggregate(n=Count("pk"), size=Sum("size"))
    held += former.filter(custody=Custody.HELD).count()
    damaged = [*_damaged(found), *_damaged_former(former)]
    size = (todo["size"] or 0) + (also["size"] or 0)
    return Work(todo["n"] + also["n"], size, held, damaged)


def _sound(former: QuerySet[KeptVersion]) -> QuerySet[KeptVersion]:
    return former.filter(custody=Custody.MANAGED, object__state=StoredObject.State.KEPT)


def _damaged_former(former: QuerySet[KeptVersion]) -> QuerySet[KeptVersion, UUID]:
    spoilt = former.filter(custody=Custody.MANAGED, object__state__in=StoredObject.SPOILT)
    return spoilt.order_by("pk").values_list("file", flat=True)


def _readable(records: QuerySet[FileRecord]) -> QuerySet[FileRecord]:
    return records.filter(custody=Custody.MANAGED, current__state=StoredObject.State.LIVE)


def _damaged(records: QuerySet[FileRecord]) -> QuerySet[FileRecord, UUID]:
    damaged = records.filter(custody=Custody.MANAGED, current__state=StoredObject.State.DAMAGED)
    return damaged.order_by("pk").values_list("pk", flat=True)


def _paged(rows: Callable[[], QuerySet[Any]]) -> Iterator[Any]:
    """The keys of the rows as they are by then, a page at a time."""
    last: Any = None
    while True:
        page = rows() if last is None else rows().filter(pk__gt=last)
        ids = list(page.values_list("pk", flat=True)[:PAGE])
        if not ids:
            return
        yield from ids
        last = ids[-1]


class Run:
    """One run over a selection. `stop` may be called from anywhere; the run then ends soon."""

    def __init__(
        self, selection: Selection, *, progress: Callable[[float], object] | None = None
    ) -> None:
        """`progress` is told bytes, from any thread but never from two at once."""
        self._selection = selection
        self._progress = progress
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._failures = 0
        self._reason: Exception | None = None
        self.done = Done()

    def stop(self) -> None:
        """Let every worker give up the file that it is at."""
        self._stopping.set()

    def start(self, workers: int = 1) -> Done:
        """Re-encrypt everything selected. Raises TooManyFailures, KeysMissing, as survey too."""
        work = survey(self._selection)
        wrapping.check_keyring()
        reencryption.remove_dead()
        self.done = Done(held=work.held, damaged=work.damaged)
        pending = self._pending()
        if workers == 1:
            self._work(pending)
        else:
            self._work_together(pending, workers)
        if self._reason is not None:
            raise TooManyFailures(self.done, self._reason) from self._reason
        return self.done

    def _pending(self) -> Iterator[UUID | int]:
        """The ids of files, and then the numbers of former versions."""
        yield from _paged(lambda: _readable(self._selection.records()))
        yield from _paged(lambda: _sound(self._selection.former()))

    def _work_together(self, pending: Iterator[UUID | int], workers: int) -> None:
        def work() -> None:
            try:
                self._work(pending)
            finally:
                connection.close()

        with ThreadPoolExecutor(workers, thread_name_prefix="reencrypt") as pool:
            # Each in a context of its own, for the audit log to know whose command this is.
            tasks = [pool.submit(contextvars.copy_context().run, work) for _ in range(workers)]
            try:
                for task in tasks:
                    task.result()
            except BaseException:
                self.stop()
                raise

    def _work(self, pending: Iterator[UUID | int]) -> None:
        while not self._stopping.is_set():
            with self._lock:
                which = next(pending, None)
            if which is None:
                return
            try:
                self._one(which)
            except Stopped:
                return

    def _again(self, which: UUID | int) -> FileRecord | None:
        """The file, or the former version, where it still needs it: another run may be here."""
        if isinstance(which, UUID):
            return _readable(self._selection.records()).filter(pk=which).first()
        related = _sound(self._selection.former()).select_related(
            "file__owner", "object", "uploaded_by"
        )
        kept = related.filter(pk=which).first()
        return versions.as_it_was(kept) if kept is not None else None

    def _one(self, which: UUID | int) -> None:
        record = self._again(which)
        if record is None:
            with self._lock:
                self.done.skipped += 1
            return
        told = 0.0

        def tell(count: float) -> None:
            nonlocal told
            if self._stopping.is_set():
                raise Stopped
            told += count
            self._tell(count)

        try:
            reencryption.reencrypt(record, progress=tell)
        except (reencryption.AlreadyRunning, reencryption.FileChanged):
            with self._lock:
                self.done.skipped += 1
        except FileDamaged:
            with self._lock:
                self.done.damaged.append(record.pk)
        except (VaultError, StoreError, KeyServiceError) as error:
            self._failed(record.pk, error)
        else:
            with self._lock:
                self.done.reencrypted += 1
                self.done.bytes += record.size
                self._failures = 0
        # Whatever became of it: these bytes are not ahead of us any more.
        self._tell(record.size - told)

    def _failed(self, file_id: UUID, error: Exception) -> None:
        log.error("file %s was not re-encrypted: %s", file_id, error)
        with self._lock:
            self.done.failed.append(file_id)
            self._failures += 1
            if self._failures >= PATIENCE:
                self._reason = error
                self._stopping.set()

    def _tell(self, count: float) -> None:
        if self._progress is not None and count:
            with self._lock:
                self._progress(count)
