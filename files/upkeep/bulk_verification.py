"""Verifying many objects: which, in what order, by how many workers, and what became of each.

Any number of runs may work at once, on one host or many: each claims a page of objects, the least
recently verified first, and leaves to the others what they have claimed. What is verified is noted
page by page, so that a run which is killed goes on when it is started again. Memory does not grow
with the number of objects; of what is wrong, the first `LISTED` are named.

Nothing is marked while not one object of the vault was found: then it is the bucket that is wrong.
"""

from __future__ import annotations

import contextvars
import math
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from django.db import connection
from django.db.models import QuerySet

import audit
from audit import Event
from files.errors import VaultError
from files.models import StoredObject, VerificationRun
from files.storage import StoreError
from files.upkeep import verification
from files.upkeep.verification import DAMAGE, WELL, Finding, Outcome
from files.upkeep.verification_queue import Drawn, Page, Queue, not_since, somebody_is_at_it
from files.vault import stored_objects
from runtime import clock

PATIENCE = 3
"""Failures without a success between them, after which a run stops: it is no single file then."""

LISTED = 10_000
"""Findings that a run keeps, to name them."""

NONE_THERE = 10
"""Objects that may be missing while none is there, before it is the bucket that is in doubt."""

RESUMED_WITHIN = timedelta(days=30)
"""An interrupted run older than this is begun anew."""

_WAIT = 1.0


class Stopped(Exception):
    """The run was asked to stop."""


class NoSuchFiles(VaultError):
    """Files were named that do not exist."""

    def __init__(self, missing: list[UUID]) -> None:
        super().__init__(f"No such file: {', '.join(map(str, missing))}.")


@dataclass(frozen=True)
class Selection:
    """Which objects a run is for; every condition that is given must hold.

    `name` is what an interrupted run is known by, to go on with it; without one it is not kept.
    `sample` is a share (a float up to 1) or a number (an int) of the objects, taken by chance.
    """

    name: str = ""
    files: tuple[UUID, ...] = ()
    written_since: datetime | None = None
    not_verified_since: datetime | None = None
    sample: float | int | None = None

    def objects(self) -> QuerySet[StoredObject]:
        """What a run is for, whenever it was verified."""
        found = StoredObject.objects.filter(state__in=StoredObject.LIVING)
        if self.files:
            found = found.filter(file_id__in=self.files)
        if self.written_since is not None:
            found = found.filter(created_at__gte=self.written_since)
        return found

    def check(self) -> None:
        """Raises NoSuchFiles."""
        known = set(self.objects().values_list("file_id", flat=True)) if self.files else set()
        missing = [file_id for file_id in self.files if file_id not in known]
        if missing:
            raise NoSuchFiles(missing)


@dataclass
class Done:
    """What a run did: plaintext bytes authenticated, and how many objects had which outcome."""

    since: datetime
    """Whatever was verified after this, by this run or before it was interrupted, is done."""

    resumed: bool = False
    """It goes on with a run that began then and has not come to its end."""

    beside: bool = False
    """That run is under way, here or on another host: they share the work."""

    bytes: int = 0
    counts: Counter[Outcome] = field(default_factory=Counter)
    bad: list[Finding] = field(default_factory=list)
    unmarked: list[Finding] = field(default_factory=list)
    unlisted: int = 0
    wrong_bucket: bool = False
    """Many are missing and none is there: nothing was marked."""

    stopped: str = ""
    """Why the run did not come to its end; empty when it did."""

    @property
    def all_well(self) -> bool:
        """Whether every object that was to be verified is as it was written."""
        return not self.stopped and not any(self.counts[each] for each in set(Outcome) - WELL)

    @property
    def only_unreachable(self) -> bool:
        """Whether nothing is known to be wrong, and not everything could be looked at."""
        wrong = set(Outcome) - WELL - {Outcome.UNREACHABLE}
        return not self.all_well and not any(self.counts[each] for each in wrong)

    def add(self, finding: Finding) -> None:
        """Count a finding, and keep it if somebody wants to read of it."""
        self.counts[finding.outcome] += 1
        for kept, wanted in (
            (self.bad, finding.outcome not in WELL),
            (self.unmarked, finding.unmarked),
        ):
            if wanted and len(kept) < LISTED:
                kept.append(finding)
            elif wanted:
                self.unlisted += 1


class Run:
    """One run over a selection. `stop` may be called from anywhere; the run then ends soon."""

    def __init__(
        self,
        selection: Selection,
        *,
        restart: bool = False,
        unmark: bool = False,
        progress: Callable[[int], object] = lambda count: None,
    ) -> None:
        """`progress` is told plaintext bytes, from any thread but never from two at once.

        With `restart`, an interrupted run is not gone on with. Raises NoSuchFiles.
        """
        selection.check()
        self._selection = selection
        self._progress = progress
        self._unmark: frozenset[Outcome] = frozenset({Outcome.OK} if unmark else ())
        if unmark and selection.files:
            # Named one by one: then what shows from outside is enough for the held ones.
            self._unmark |= {Outcome.HELD, Outcome.REPLACED}
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._failures = 0
        self._again: list[tuple[int, int]] = []
        self._last_try = False
        self._any_there = False
        self._missing: list[tuple[StoredObject, Finding]] = []
        self.done = self._begin(restart)
        self._source = self._draw() or Queue(selection.objects(), self.done.since)

    @property
    def total(self) -> int:
        """Plaintext bytes that are still to be read."""
        return self._source.total

    def stop(self) -> None:
        """Let every worker give up the object that it is at."""
        self._stopping.set()

    def start(self, workers: int = 1) -> Done:
        """Verify everything selected. Raises DatabaseError; all else is in what it returns."""
        try:
            stored_objects.check_store()
        except StoreError as error:
            self._give_up(str(error))
        if workers == 1:
            self._work()
        else:
            self._work_together(workers)
        self._try_again()
        self._settle_missing()
        done = self.done
        through = not done.stopped and not self._stopping.is_set()
        if through or not (done.resumed or done.counts):
            # It came to its end, or did not even begin: nothing to go on with.
            unfinished = VerificationRun.objects.filter(started_at=done.since)
            unfinished.filter(pk=self._selection.name).delete()
        known = WELL | DAMAGE | {Outcome.UNREACHABLE}
        audit.record(
            Event.FILES_VERIFIED,
            bytes=done.bytes,
            complete=not done.stopped,
            well=sum(done.counts[each] for each in WELL),
            damaged=sum(done.counts[each] for each in DAMAGE),
            unreachable=done.counts[Outcome.UNREACHABLE],
            other=done.counts.total() - sum(done.counts[each] for each in known),
        )
        return done

    def _begin(self, restart: bool) -> Done:
        now = clock.now()
        if self._selection.not_verified_since is not None:
            return Done(self._selection.not_verified_since)
        if not self._selection.name:
            return Done(now)
        unfinished = VerificationRun.objects.filter(pk=self._selection.name)
        if not restart:
            unfinished = unfinished.filter(started_at__lt=now - RESUMED_WITHIN)
        unfinished.delete()
        run, begun = VerificationRun.objects.get_or_create(
            pk=self._selection.name, defaults={"started_at": now}
        )
        return Done(run.started_at, resumed=not begun, beside=not begun and somebody_is_at_it())

    def _draw(self) -> Drawn | None:
        share = self._selection.sample
        if share is None and not self._selection.files:
            return None
        objects = self._selection.objects()
        if self._selection.not_verified_since is not None:
            objects = objects.filter(not_since(self._selection.not_verified_since))
        drawn = objects.order_by("?").values_list("pk", "size")
        if share is None:
            return Drawn(list(drawn))
        number = share if isinstance(share, int) else math.ceil(objects.count() * share)
        return Drawn(list(drawn[:number]))

    def _work_together(self, workers: int) -> None:
        def work() -> None:
            try:
                self._work()
            finally:
                connection.close()

        with ThreadPoolExecutor(workers, thread_name_prefix="verify") as pool:
            # Each in a context of its own, for the audit log to know whose command this is.
            tasks = [pool.submit(contextvars.copy_context().run, work) for _ in range(workers)]
            try:
                for task in as_completed(tasks):
                    task.result()
            except BaseException:
                self.stop()
                raise

    def _work(self) -> None:
        while not self._stopping.is_set():
            with self._lock:
                page = self._source.take()
            if page is None:
                return
            if not page.rows:
                self._stopping.wait(_WAIT)
            try:
                for row in page.rows:
                    self._one(row, page)
            except Stopped:
                return
            finally:
                page.settle()

    def _one(self, row: StoredObject, page: Page) -> None:
        told = 0

        def each(count: int) -> None:
            nonlocal told
            if self._stopping.is_set():
                raise Stopped
            page.beat()
            told += count
            with self._lock:
                self.done.bytes += count
                self._progress(count)

        each(0)
        finding = verification.verify(row, unmark=self._unmark, each=each)
        if finding.outcome in WELL:
            page.well.append(row.pk)
        self._note(row, finding)
        # Whatever became of it: these bytes are not ahead of us any more.
        with self._lock:
            self._progress(row.size - told)

    def _note(self, row: StoredObject, finding: Finding) -> None:
        if finding.outcome == Outcome.UNREACHABLE:
            self._unreachable(row, finding)
            return
        if finding.outcome not in (Outcome.WRONG_KEY, Outcome.GONE):
            self._failures = 0
        if finding.outcome == Outcome.MISSING:
            with self._lock:
                if not self._any_there:
                    self._missing.append((row, finding))
                    if len(self._missing) == LISTED:
                        self._give_up("not one object is there")
                    return
        elif finding.outcome not in (Outcome.WRONG_KEY, Outcome.GONE):
            self._some_are_there()
        finding = verification.mark(row, finding)
        with self._lock:
            self.done.add(finding)

    def _unreachable(self, row: StoredObject, finding: Finding) -> None:
        with self._lock:
            if self._last_try or len(self._again) == LISTED:
                self.done.add(finding)
            else:
                self._again.append((row.pk, 0))
            self._failures += 1
            if self._failures >= PATIENCE:
                self._give_up(finding.reason)

    def _give_up(self, reason: str) -> None:
        self.done.stopped = reason
        self._stopping.set()

    def _try_again(self) -> None:
        """Once more what the store did not answer for: by now it may."""
        if not self._again:
            return
        if self._stopping.is_set():
            self.done.counts[Outcome.UNREACHABLE] += len(self._again)
        else:
            self._last_try = True
            self._source = Drawn(self._again)
            self._work()

    def _some_are_there(self) -> None:
        """It is no wrong bucket: mark what is missing, from now on at once."""
        with self._lock:
            self._any_there = True
            missing, self._missing = self._missing, []
        for row, finding in missing:
            marked = verification.mark(row, finding)
            with self._lock:
                self.done.add(marked)

    def _settle_missing(self) -> None:
        if not self._missing:
            return
        few = len(self._missing) <= NONE_THERE and not self.done.stopped
        if few or _is_there(row.pk for row, _finding in self._missing):
            self._some_are_there()
            return
        self.done.wrong_bucket = True
        for _row, finding in self._missing:
            self.done.add(finding)


def _is_there(missing: Iterable[int]) -> bool:
    """Whether the store has any object at all of those that were last known to be well."""
    known = StoredObject.objects.filter(state__in=StoredObject.SOUND).exclude(verified_at=None)
    lost = set(missing)
    for row in known.order_by("-verified_at")[: NONE_THERE + len(lost)].iterator():
        if row.pk in lost:
            continue
        try:
            stored_objects.storage().object_size(row.object_name)
        except StoreError:
            continue
        return True
    return False
