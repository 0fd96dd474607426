"""What comes from outside, through a request: what it may take, and where it comes to.

The bytes go the way of all others. What is different stands here: it counts in the request as well
as in the quota of the folder's owner, in two bounds of which the smaller one holds; it comes to a
folder of its sender's own, never as a version, and nowhere else; and where the request holds back,
that folder sleeps until somebody accepts. Must never tell a sender anything of the owner's quota.
"""

from __future__ import annotations

import sys
from typing import Any

from django.conf import settings
from django.db.models import Count, Q, QuerySet, Sum

import audit
from accounts.models import User
from audit import Event
from files.access.principals import Request
from files.access.rule import addable_by
from files.errors import NoSuchFolder, RequestFull, RequestOver, TooManyUploads
from files.models import FileRecord, FileRequest, Folder, Received, Sender, StoredObject
from files.tree import placing
from files.vault.quota import Allowance, held
from notices import Kind, notify
from runtime import clock

NO_QUOTA = sys.maxsize
"""Stands for a quota that the owner does not have: the request's own holds."""


class OutsideAllowance(Allowance):
    """What an upload of a sender's may take: of the owner's quota and of the request's room."""

    def __init__(self, owner: User, *, uploader: User, sender: Sender) -> None:
        super().__init__(owner, uploader=uploader)
        self._sender = sender
        self._quota = NO_QUOTA if self._quota is None else self._quota
        self._told: int | None = None

    def _lock(self, people: set[int]) -> None:
        super()._lock(people)
        # After the people, always: one reservation of a request at a time.
        found = FileRequest.objects.select_for_update(no_key=True).filter(
            pk=self._sender.request_id
        )
        if not found.exists():
            raise RequestOver

    def _require_welcome(self) -> None:
        super()._require_welcome()
        require_open(self._sender.request)

    def _check_number(self, more: int = 1) -> None:
        limit: int = settings.MAX_UNFINISHED_UPLOADS
        unfinished = self._unfinished().filter(sender__request=self._sender.request_id)
        own = Count("pk", filter=Q(sender=self._sender.pk))
        found = unfinished.aggregate(of_all=Count("pk"), own=own)
        # Nobody takes all the places of a request from its other senders.
        most = max(limit // 2, 1)
        if found["own"] + more > most:
            raise TooManyUploads(most)
        if found["of_all"] + more > limit:
            # Those of others: of how many they are a sender learns nothing.
            raise RequestFull
        self._check_files(found["of_all"] + more)

    def admit_complete(self, size: int, row: StoredObject | None = None) -> None:
        super().admit_complete(size, row)
        self._check_files(1)

    def _check_files(self, more: int) -> None:
        most = self._sender.request.most_files
        if most is not None and received_through(self._sender.request).count() + more > most:
            raise RequestFull

    def _left(self, quota: int, *, beside: StoredObject | None) -> tuple[int, int]:
        left, pending = super()._left(quota, beside=beside)
        of_request = left_of(self._sender.request, beside=beside)
        # Of the owner's quota a sender learns nothing, not even how much is left.
        self._told = of_request if of_request <= left else None
        return min(left, of_request), pending

    def _require(self, size: int, left: int, pending: int) -> None:
        if size > left:
            raise RequestFull(self._told)


def received_through(request: FileRequest) -> QuerySet[Received, Received]:
    """What has come through a request, and counts in it: what was declined or deleted, too."""
    return Received.objects.filter(sender__request=request.pk)


def left_of(request: FileRequest, *, beside: StoredObject | None = None) -> int:
    """Bytes that a request still takes, uploads under way but that one counted. Two queries."""
    writing = StoredObject.objects.filter(
        state=StoredObject.State.WRITING, sender__request=request.pk
    )
    if beside is not None:
        writing = writing.exclude(pk=beside.pk)
    pending = writing.aggregate(n=Sum(held()))["n"] or 0
    stored = received_through(request).aggregate(n=Sum("size"))["n"] or 0
    return max(request.most_bytes - stored - pending, 0)


def files_left_of(request: FileRequest) -> int | None:
    """Files that a request still takes; None where that has no bound."""
    if request.most_files is None:
        return None
    return max(request.most_files - received_through(request).count(), 0)


def allowance_of(owner: User, uploader: User, sender: Sender | None) -> Allowance:
    """What an upload may take that counts in the owner's quota, from inside or from outside."""
    if sender is None:
        return Allowance(owner, uploader=uploader)
    return OutsideAllowance(owner, uploader=uploader, sender=sender)


def free_rest(row: StoredObject, size: int) -> None:
    """Let others have what a complete upload has reserved and not needed.

    A request is small, and a form may bring a hundred files, each of which reserves ahead.
    """
    StoredObject.objects.filter(pk=row.pk, reserved__gt=size).update(reserved=size)
    row.reserved = min(row.reserved, size)


def require_open(request: FileRequest) -> None:
    """Raise RequestOver unless the request may be sent through, as the rows are now."""
    if not is_open(request):
        raise RequestOver


def giver(request: FileRequest) -> Request | None:
    """Who asks that came with this request; None where its maker is gone."""
    if request.maker is None:
        return None
    return Request(request.maker, request.pk, request.expires_at, request.folder_id)


def is_open(request: FileRequest) -> bool:
    """Whether the request may be sent through, as the rows are now. Two queries."""
    who = giver(request)
    lasting = FileRequest.objects.lasting().filter(pk=request.pk)
    lasts = lasting.exists()
    found = addable_by(who).filter(pk=request.folder_id) if who is not None else None
    if found is None or found.query.is_empty():
        # Nobody could be let in: as much is asked all the same, so that the time tells nothing.
        lasting.exists()
        return False
    may = found.exists()
    return settings.REQUEST_ALLOWED and lasts and may


def lock_place(row: StoredObject, sender: Sender, uploader: User, size: int) -> Folder:
    """The sender's own folder, made where it is missing; all is locked until the transaction ends.

    Raises RequestOver, RequestFull.
    """
    try:
        below = placing.lock_folder(sender.request.folder)
    except NoSuchFolder:
        raise RequestOver from None
    require_open(sender.request)
    OutsideAllowance(below.owner, uploader=uploader, sender=sender).admit_complete(size, row)
    # As it is now that the request is locked: another file of theirs may just have made it.
    sender.refresh_from_db(fields=["folder", "waiting"])
    waits = sender.request.accept_first
    folder = waiting_folder(sender, below) if waits else own_folder(sender, below)
    folder.owner = below.owner
    return folder


def own_folder(sender: Sender, below: Folder) -> Folder:
    """The folder of what a sender gave, below the request's. For who has locked its tree."""
    folder = sender.folder
    if folder is not None and _is_there(folder, below):
        return folder
    name = placing.free_name(below, sender.name)
    folder = placing.add_folder(below, name, added_by=None)
    audit.record(
        Event.FOLDER_CREATED,
        folder_id=str(folder.pk),
        parent_id=str(below.pk),
        owner_id=below.owner_id,
        **told(sender),
    )
    sender.folder = folder
    sender.save(update_fields=["folder"])
    return folder


def _is_there(folder: Folder, below: Folder) -> bool:
    """Whether it still is where senders put things: not put away, nor moved elsewhere."""
    return placing.is_within(folder, below) and not placing.is_asleep(folder)


def waiting_folder(sender: Sender, below: Folder) -> Folder:
    """The folder that what a sender gave waits in: it has no name among others, and sleeps."""
    if sender.waiting is not None:
        return sender.waiting
    folder = placing.add_folder(below, sender.name, added_by=None, asleep_since=clock.now())
    sender.waiting = folder
    sender.save(update_fields=["waiting"])
    return folder


def note_received(record: FileRecord, sender: Sender, name: str) -> None:
    """Remember that a file came from outside; for the transaction that makes it one."""
    waits = sender.request.accept_first
    Received.objects.create(
        sender=sender,
        file=record,
        name=name,
        size=record.size,
        accepted_at=None if waits else clock.now(),
    )
    request = sender.request
    if request.maker_id is not None:
        notify(
            Kind.UPLOADED_TO_REQUEST,
            [request.maker_id],
            folder_id=request.folder_id,
            path=f"/folders/{request.folder_id}/requests/{request.pk}/",
            details={"files": 1},
        )


def told(sender: Sender | None) -> dict[str, Any]:
    """What an event says of who sent it, where that was somebody outside."""
    if sender is None:
        return {}
    return {"file_request_id": sender.request_id, "sender": sender.name}
