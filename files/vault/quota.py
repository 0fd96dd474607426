"""How much a person may store: the size limit of one file, and the quota of all of theirs.

What somebody puts into another's folder is given to its owner, and counts in the owner's quota;
how many uploads may be unfinished is counted for who uploads.

Bytes count as they are received. An upload reserves room ahead of its bytes, on its row and with
its owner locked, so that two uploads at once never share the last of it. The size of a finished
file takes the place of its reservation in the transaction that publishes it.

What is only announced counts as well, for as long as its upload moves: or a hundred could begin in
the place of one. One that stands still keeps what it has received, and no more; the rest is asked
for anew when it goes on. How many may be unfinished has a bound of its own, whatever they come by.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import Case, Count, Exists, F, OuterRef, Q, QuerySet, Subquery, Sum, When
from django.db.models.functions import Coalesce, Greatest

from accounts.models import User
from files.errors import AccountClosed, FileTooLarge, QuotaExceeded, TooManyUploads, UploadLost
from files.models import Ancestry, FileRecord, StoredObject, Usage
from runtime import clock
from runtime.statements import MOMENT, NUMBER, NUMBERS, statement

STEP = 8 * 1024 * 1024
"""Bytes that an upload reserves ahead, at most."""


RECHECK = 64 * 1024 * 1024
"""Bytes after which a running upload asks again whether its owner's account is active."""


STILL = timedelta(hours=1)
"""An upload that nothing was heard of for so long stands still."""


def standing_still(since: timedelta, *, now: datetime | None = None) -> Q:
    """Rows of resumable uploads without a byte that nothing was heard of for so long."""
    return _without_a_byte((now or clock.now()) - since)


def _without_a_byte(before: Any) -> Q:
    # Nobody loses anything with them: the client begins anew.
    return Q(
        state_changed_at__lte=before,
        offset=0,
        session__isnull=False,
        session__completed_at=None,
    )


def held() -> Case:
    """Bytes that an upload holds of a quota: those announced as well, while it moves."""
    moves = Q(state_changed_at__gt=clock.now() - STILL)
    announced = Greatest(F("reserved"), Coalesce(F("session__length"), 0))
    return Case(When(moves, then=announced), default=F("reserved"))


def require_active(owner: User) -> None:
    """Raise AccountClosed when the account was deactivated, as it stands in the database now."""
    if not _active(person=owner.pk):
        raise AccountClosed


@statement(person=NUMBER)
def _active(person: Any) -> QuerySet[Any, int]:
    people = User.objects.order_by().filter(pk=person, is_active=True)
    return people.values_list("pk", flat=True)[:1]


@statement(people=NUMBERS)
def _locked(people: Any) -> QuerySet[Any, int]:
    locked = User.objects.select_for_update(no_key=True).filter(pk__in=people)
    return locked.order_by("pk").values_list("pk", flat=True)


def _writing() -> QuerySet[StoredObject]:
    return StoredObject.objects.filter(state=StoredObject.State.WRITING)


def _unfinished(over: Any, still: Any) -> QuerySet[StoredObject]:
    """Uploads that are not complete, and that may still be.

    Over are those that nothing was heard of since `over` or, without a byte, since `still`.
    """
    gone = Q(state_changed_at__lte=over) | _without_a_byte(still)
    return _writing().filter(reencrypts=False).exclude(gone)


@statement(creator=NUMBER, over=MOMENT, still=MOMENT)
def _number_of(creator: Any, over: Any, still: Any) -> QuerySet[Any, int]:
    mine = _unfinished(over, still).order_by().filter(creator=creator)
    return mine.values("creator").annotate(n=Count("pk")).values_list("n", flat=True)


def _bounds() -> dict[str, datetime]:
    """Until when nothing was heard of what is over by now."""
    now = clock.now()
    return {
        "over": now - settings.UPLOAD_EXPIRY,
        "still": now - settings.EMPTY_UPLOAD_EXPIRY,
    }


class Allowance:
    """What one upload of one person may take.

    `owner` is whose quota it counts in, `uploader` who sends it, where that is somebody else.
    """

    def __init__(self, owner: User, *, uploader: User | None = None) -> None:
        self._owner = owner
        self._uploader = uploader or owner
        self._quota: int | None = settings.USER_QUOTA if owner.quota is None else owner.quota
        self._largest: int = settings.MAX_UPLOAD_SIZE
        self._asked_at = 0

    def check(self, size: int, *, row: StoredObject | None = None) -> None:
        """Raise FileTooLarge or QuotaExceeded when `size` bytes would not fit now.

        `row` is that of the upload in question, where it has one already.
        """
        if size > self._largest:
            raise FileTooLarge(self._largest)
        self.check_quota(size, row=row)

    def admit(self, size: int) -> None:
        """Let the owner begin another upload, of that many bytes. For the transaction that does.

        Raises FileTooLarge, QuotaExceeded, TooManyUploads.
        """
        self._lock({self._owner.pk, self._uploader.pk})
        self._check_number()
        self.check(size)

    def admit_all(self, sizes: Sequence[int]) -> None:
        """The same of several uploads at once, of so many bytes each."""
        self._lock({self._owner.pk, self._uploader.pk})
        self._check_number(len(sizes))
        for size in sizes:
            if size > self._largest:
                raise FileTooLarge(self._largest)
        self.check_quota(sum(sizes))

    def _check_number(self, more: int = 1) -> None:
        """Raise TooManyUploads when so many more would be too many."""
        limit: int = settings.MAX_UNFINISHED_UPLOADS
        unfinished = _number_of.first(creator=self._uploader.pk, **_bounds()) or 0
        if unfinished + more > limit:
            raise TooManyUploads(limit)

    @staticmethod
    def _unfinished() -> QuerySet[StoredObject]:
        """Everybody's uploads that are not complete, and that may still be."""
        return _unfinished(**_bounds())

    def admit_complete(self, size: int, row: StoredObject | None = None) -> None:
        """Let what is complete come to another owner: an upload, or what is moved.

        `row` is the upload's. For the transaction. Raises QuotaExceeded.
        """
        self._lock({self._owner.pk})
        self.check_quota(size, row=row)

    def check_quota(self, size: int, *, row: StoredObject | None = None) -> None:
        """Raise QuotaExceeded when `size` bytes, of whatever number of files, would not fit."""
        if self._quota is not None:
            self._require(size, *self._left(self._quota, beside=row))

    def cover(self, row: StoredObject, size: int) -> None:
        """Reserve room so that the upload of `row` may have `size` bytes in all.

        Raises FileTooLarge, QuotaExceeded, AccountClosed, and UploadLost when the upload is no
        longer writing.
        """
        if size > self._largest:
            raise FileTooLarge(self._largest)
        if size - self._asked_at >= RECHECK:
            self._asked_at = size
            self._require_welcome()
        if self._quota is None or size <= row.reserved:
            return
        with transaction.atomic():
            # One reservation of a person at a time.
            self._lock({self._owner.pk})
            left, pending = self._left(self._quota, beside=row)
            self._require(size, left, pending)
            # A part of what is left, no more: other uploads of the same person want some, too.
            reserved = size + min(STEP, (left - size) // 4)
            writing = StoredObject.objects.filter(pk=row.pk, state=StoredObject.State.WRITING)
            if not writing.update(reserved=reserved):
                raise UploadLost
        row.reserved = reserved

    def _require_welcome(self) -> None:
        """Raise AccountClosed where nothing may come from its uploader any more."""
        require_active(self._uploader)

    def _lock(self, people: set[int]) -> None:
        """Lock these people's rows until the transaction ends, always in the same order."""
        _locked(people=sorted(people))

    def _left(self, quota: int, *, beside: StoredObject | None) -> tuple[int, int]:
        """Bytes that are left, and those of the quota that unfinished uploads hold."""
        others = _writing()
        if beside is not None:
            others = others.exclude(pk=beside.pk)
        # Code of the release before says of no upload whose quota it counts in: its uploader's.
        charged = others.filter(charged_to=OuterRef("pk"))
        own = others.filter(charged_to=None, creator=OuterRef("pk"))
        summed = [
            rows.order_by().values(whose).annotate(n=Sum(held())).values("n")
            for rows, whose in ((charged, "charged_to"), (own, "creator"))
        ]
        # One statement, so that an upload that is published meanwhile counts once in it. What is
        # stored is known, and what is reserved has an index: neither takes longer with more files.
        taken = get_user_model().objects.annotate(
            stored=Subquery(Usage.objects.filter(pk=OuterRef("pk")).values("bytes")),
            charged=Subquery(summed[0]),
            own=Subquery(summed[1]),
        )
        found = taken.filter(pk=self._owner.pk).values_list("stored", "charged", "own").first()
        stored, charged_bytes, own_bytes = (number or 0 for number in found or (0, 0, 0))
        pending = charged_bytes + own_bytes
        return max(quota - stored - pending, 0), pending

    def _require(self, size: int, left: int, pending: int) -> None:
        if size <= left:
            return
        if self._uploader.pk != self._owner.pk:
            # What else the owner of the folder has is nobody else's business.
            raise QuotaExceeded(left, of_another=True)
        raise QuotaExceeded(left, pending, trash_bytes(self._owner))


@dataclass(frozen=True)
class Taken:
    """Bytes that somebody's files take, with former versions and the trash, and their quota."""

    bytes: int
    quota: int | None


def taken_by(owner: User) -> Taken:
    """What somebody's files take by now. One query."""
    stored = Usage.objects.filter(pk=owner.pk).values_list("bytes", flat=True).first()
    return Taken(stored or 0, settings.USER_QUOTA if owner.quota is None else owner.quota)


def trash_bytes(owner: User) -> int:
    """Bytes of what somebody has put away, with former versions; they count in the quota."""
    asleep = Ancestry.objects.filter(
        descendant=OuterRef("folder"),
        ancestor__trashed_at__isnull=False,
        # What waits to be accepted sleeps as well, and is no trash.
        ancestor__waits_for=None,
    )
    mine = FileRecord.objects.filter(owner=owner).order_by()
    found = mine.filter(Q(trashed_at__isnull=False) | Q(Exists(asleep)))
    return found.aggregate(n=Sum(F("size") + F("kept_bytes")))["n"] or 0
