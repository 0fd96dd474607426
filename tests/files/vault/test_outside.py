"""What comes through a request: where it comes to, what it counts in, and who sees it when."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import User
from files.access.principals import Person
from files.access.rule import folders_visible_to, visible_to, waiting_for
from files.errors import FileTooLarge, RequestFull, RequestOver, TooManyUploads, UploadLost
from files.models import FileRecord, FileRequest, Folder, Received, Sender, StoredObject
from files.sharing import requests, senders
from files.vault import continuing, outside, resumable, storing
from files.vault.destinations import Destination
from tests.files.asked import ask, folder_of, sender_of

pytestmark = pytest.mark.usefixtures("s3")


def send(sender: Sender, content: bytes = b"abc", name: str = "cv.pdf") -> FileRecord:
    maker = sender.request.maker
    assert maker is not None
    return storing.store(maker, [content], name=name, destination=Destination.through(sender))


def test_each_sender_has_a_folder_of_their_own(
    alice: User, events: Callable[..., list[dict[str, Any]]]
) -> None:
    request, _token = ask(alice)
    one, other = sender_of(request), sender_of(request)
    first, again, theirs = send(one), send(one), send(other)
    assert [r.name for r in (first, again, theirs)] == ["cv.pdf", "cv (2).pdf", "cv.pdf"]
    folders = [r.folder for r in (first, again, theirs) if r.folder is not None]
    assert [f.name for f in folders] == ["Ann", "Ann", "Ann (2)"]
    assert {f.parent_id for f in folders} == {request.folder_id}
    assert {r.owner_id for r in (first, theirs)} == {alice.pk}
    assert first.uploaded_by is None
    assert first.current.creator is None
    assert first.received.sender == one
    assert {first, again, theirs} == set(visible_to(Person(alice)))
    told = events("file_uploaded")[0]
    assert (told["actor"], told["file_request_id"], told["sender"]) == ("", request.pk, "Ann")


def test_a_folder_that_was_taken_away_is_made_anew(alice: User) -> None:
    request, _token = ask(alice)
    sender = sender_of(request)
    first = send(sender)
    assert first.folder is not None
    Folder.objects.filter(pk=first.folder.pk).update(trashed_at=timezone.now())
    sender = Sender.objects.select_related("request__folder__owner", "request__maker").get()
    assert send(sender).folder_id != first.folder_id


def test_the_smallest_bound_holds_and_the_owner_s_is_not_told(alice: User) -> None:
    request, _token = ask(alice, most_bytes=10, most_files=3)
    sender = sender_of(request)
    send(sender, b"12345")
    with pytest.raises(RequestFull, match="5 bytes are left"):
        send(sender, b"123456")
    alice.quota = 7
    alice.save()
    sender = sender_of(request, "Bea")
    with pytest.raises(RequestFull) as refused:
        send(sender, b"123")
    assert not any(one.isdigit() for one in str(refused.value))
    send(sender, b"1")
    send(sender, b"1")
    with pytest.raises(RequestFull):  # Three files.
        send(sender, b"")
    assert Received.objects.count() == 3
    assert not StoredObject.objects.filter(state=StoredObject.State.WRITING).exists()


def test_unfinished_uploads_count(alice: User, settings: Any) -> None:
    request, _token = ask(alice, most_bytes=10)
    sender = sender_of(request)
    maker, destination = request.maker, Destination.through(sender)
    assert maker is not None
    begun = [resumable.create(maker, name="a", length=4, destination=destination) for _ in range(2)]
    assert outside.left_of(request) == 2
    with pytest.raises(FileTooLarge):
        resumable.create(maker, name="a", length=4, destination=destination)
    settings.MAX_UNFINISHED_UPLOADS = 4
    with pytest.raises(TooManyUploads, match="You have 2 unfinished uploads, and may have 2"):
        resumable.create(maker, name="a", length=1, destination=destination)
    # Of those of others a sender is told nothing.
    settings.MAX_UNFINISHED_UPLOADS = 2
    other = Destination.through(sender_of(request, "Bea"))
    with pytest.raises(RequestFull, match="takes nothing more for now"):
        resumable.create(maker, name="a", length=1, destination=other)
    # They are not the maker's own.
    resumable.create(maker, name="a", length=4)
    with continuing.Continuation(begun[0], 0) as turn:
        turn.write(b"1234")
        record = turn.settle()
    assert record is not None
    assert record.received.sender == sender
    assert outside.left_of(request) == 2


def test_a_request_that_ends_refuses_what_is_on_its_way(alice: User) -> None:
    request, _token = ask(alice)
    sender = sender_of(request)
    maker = request.maker
    assert maker is not None
    upload = storing.Upload(maker, name="a", destination=Destination.through(sender))
    session = resumable.create(maker, name="b", length=8, destination=Destination.through(sender))
    upload.write(b"1234")
    with continuing.Continuation(session, 0) as turn:
        turn.write(b"1234")
        assert requests.end(request, actor=alice)
        turn.write(b"5678")
        with pytest.raises((UploadLost, RequestOver)):
            turn.settle()
    upload.finish()
    with pytest.raises((UploadLost, RequestOver)):
        storing.publish([upload])
    upload.abort()
    with pytest.raises(RequestOver):
        send(sender)
    assert not FileRecord.objects.exists()
    assert not Folder.objects.filter(parent=request.folder).exists()
    assert not StoredObject.objects.exclude(state=StoredObject.State.DOOMED).exists()


def test_it_sleeps_while_its_maker_could_not_make_it(
    alice: User, bob: User, give: Callable[..., Any], settings: Any
) -> None:
    folder = folder_of(alice)
    grant = give(folder, bob, level="manage")
    request, token = ask(bob, folder)
    sender = sender_of(request)

    def change(what: Any, field: str, value: Any) -> None:
        before = getattr(what, field)
        setattr(what, field, value)
        what.save(update_fields=[field])
        assert senders.open_by(token) is None
        with pytest.raises(RequestOver):
            send(sender)
        setattr(what, field, before)
        what.save(update_fields=[field])
        assert senders.open_by(token) == request

    now = timezone.now()
    change(grant, "level", "add")
    change(grant, "revoked_at", now)
    change(folder, "trashed_at", now)
    change(bob, "is_active", False)
    change(request, "expires_at", now)
    change(request, "ended_at", now)
    settings.REQUEST_ALLOWED = False
    assert senders.open_by(token) is None
    settings.REQUEST_ALLOWED = True
    bob.user_permissions.clear()
    assert senders.open_by(token) is None


def test_what_is_held_back_is_seen_by_the_requester_alone(
    alice: User, bob: User, mallory: User, give: Callable[..., Any]
) -> None:
    folder = folder_of(alice)
    give(folder, bob, level="manage")
    give(folder, mallory, level="manage")
    request, _token = ask(bob, folder, accept_first=True)
    sender = sender_of(request)
    one, two, three = (send(sender, name=name) for name in ("a", "a", "b"))
    people = (alice, bob, mallory)
    assert not any(visible_to(Person(user)).exists() for user in people)
    assert folders_visible_to(Person(mallory)).count() == 1
    assert [waiting_for(Person(user)).count() for user in people] == [3, 3, 0]
    assert requests.accept(request, [one.pk], by=Person(mallory), actor=mallory) == 0
    assert requests.accept(request, [one.pk, two.pk], by=Person(bob), actor=bob) == 2
    assert set(visible_to(Person(mallory)).values_list("name", flat=True)) == {"a", "a (2)"}
    assert requests.decline(request, [three.pk, one.pk], by=Person(bob), actor=bob) == 1
    three.refresh_from_db()
    assert three.trashed_at is not None
    assert three.folder_id == folder.pk
    assert not waiting_for(Person(bob)).exists()
    assert not Sender.objects.filter(waiting__isnull=False).exists()
    # And again, once the folder in which they waited is gone.
    later = send(Sender.objects.select_related("request__folder__owner", "request__maker").get())
    assert waiting_for(Person(bob)).get() == later


def test_what_waits_is_no_trash(alice: User, settings: Any) -> None:
    from files.access.rule import trashed_folders_of
    from files.upkeep.sweeping import sweep
    from files.vault.emptying import overdue_folders
    from files.vault.purging import Ending, may_purge

    request, _token = ask(alice, accept_first=True)
    record = send(sender_of(request))
    later = timezone.now() + timedelta(days=400)
    waiting = record.folder
    assert waiting is not None
    assert not trashed_folders_of(Person(alice)).exists()
    assert not overdue_folders(later)
    assert not may_purge(waiting, Ending.DELETED, by=Person(alice))
    assert not may_purge(waiting, Ending.EXPIRED, now=later)
    sweep(now=later)
    assert waiting_for(Person(alice)).get() == record
    assert FileRequest.objects.exists()


def test_parallel_uploads_never_share_the_last_of_it(alice: User) -> None:
    """As `test_quota.test_two_uploads_never_share_the_last_of_it`, of two senders and a request."""
    request, _token = ask(alice, most_bytes=100, most_files=2)
    maker = request.maker
    assert maker is not None
    uploads = [
        storing.Upload(maker, name="a", destination=Destination.through(sender_of(request, name)))
        for name in ("Ann", "Bea")
    ]
    # A third would be one file too many, whatever becomes of the two.
    with pytest.raises(RequestFull):
        storing.Upload(maker, name="a", destination=Destination.through(sender_of(request)))
    taken = 0
    for turn in range(20):
        try:
            uploads[turn % 2].write(b"x" * 10)
            taken += 10
        except RequestFull:
            pass
    assert taken <= 100
    for upload in uploads:
        upload.finish()
    storing.publish(uploads)
    assert sum(Received.objects.values_list("size", flat=True)) == taken
    assert outside.left_of(request) == 100 - taken


def test_what_came_is_told(alice: User) -> None:
    from notices.models import Notice

    request, _token = ask(alice)
    send(sender_of(request))
    notice = Notice.objects.get(kind="uploaded_to_request")
    assert notice.user_id == alice.pk
