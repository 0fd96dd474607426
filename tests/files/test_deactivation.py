"""A deactivated account: nothing that it began comes to anything any more, and its files stay.

That every page sends it away is in test_urls.py, that a running download ends in
test_downloads.py.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator

import pytest
from django.test import Client

from accounts.models import User
from files.errors import AccountClosed
from files.models import FileRecord, StoredObject, UploadSession
from files.vault import quota, storing
from files.web.transfers.tus import receiving
from tests.files.web.transfers.tus.clients import Tus


def deactivate(user: User) -> None:
    User.objects.filter(pk=user.pk).update(is_active=False)


def until_deactivated(user: User) -> Iterator[bytes]:
    yield b"x"
    deactivate(user)
    yield b"y"


def test_an_upload_publishes_nothing(alice: User, nothing_left: Callable[[], bool]) -> None:
    with pytest.raises(AccountClosed, match="no longer active"):
        storing.store(alice, until_deactivated(alice), name="a.txt")
    assert nothing_left()


def test_an_upload_is_stopped_on_its_way(
    alice: User, s3: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quota, "RECHECK", 2)
    upload = storing.Upload(alice, name="a.txt")
    upload.write(b"xx")
    deactivate(alice)
    with pytest.raises(AccountClosed):
        upload.write(b"yy")
    upload.abort()
    assert not StoredObject.objects.exists()


@pytest.mark.parametrize("recheck", [1, quota.RECHECK])
def test_a_resumable_upload_does_not_go_on(
    alice: User, s3: object, monkeypatch: pytest.MonkeyPatch, recheck: int
) -> None:
    monkeypatch.setattr(quota, "RECHECK", recheck)
    monkeypatch.setattr(receiving, "CHUNK", 1)
    read = receiving._read

    def read_and_deactivate(request: object, size: int) -> bytes:
        deactivate(alice)
        return read(request, size)  # type: ignore[arg-type]

    client = Tus(alice)
    address = client.begin(2)
    monkeypatch.setattr(receiving, "_read", read_and_deactivate)
    answer = client.patch(address, b"ab")
    assert answer.status_code == 410
    assert b"no longer active" in answer.content
    assert not FileRecord.objects.exists()
    assert client.patch(address, b"ab").status_code == 401
    session = UploadSession.objects.select_related("object").get()
    assert (session.object.state, session.object.lease) == ("writing", "")


def test_its_files_stay_for_those_who_were_granted_them(
    record: FileRecord, alice: User, bob: User, give: Callable[..., object]
) -> None:
    give(record, bob)
    deactivate(alice)
    guest = Client()
    guest.force_login(bob)
    answer = guest.get(f"/files/{record.pk}/download/")
    assert answer.status_code == 200
    assert FileRecord.objects.filter(owner=alice).exists()
    answer.close()


def test_the_form_says_so_and_leaves_nothing(
    alice: User,
    nothing_left: Callable[[], bool],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client = Client()
    client.force_login(alice)
    finish = storing.Upload.finish

    def finish_and_deactivate(upload: storing.Upload) -> None:
        finish(upload)
        deactivate(alice)

    monkeypatch.setattr(storing.Upload, "finish", finish_and_deactivate)
    body = io.BytesIO(b"content")
    body.name = "a.txt"
    answer = client.post("/files/upload/", {"files": body})
    assert answer.status_code == 409
    assert "no longer active" in answer.content.decode()
    assert nothing_left()
