"""The pages of former versions: for the owner and managers, and nobody else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django.fixtures import Settings

from accounts.models import User
from files.crypto.errors import Damaged
from files.keys.custody import UserKey
from files.models import Conflict, FileRecord, KeptVersion
from files.vault import opening, storing, versions
from files.vault.destinations import Destination
from tests.files.conftest import CONTENT, KEY, give

Events = Callable[[str], list[dict[str, Any]]]
VERSION = Destination(conflict=Conflict.VERSION)


@pytest.fixture
def two(record: FileRecord, alice: User) -> FileRecord:
    """`CONTENT`, and then b"second"."""
    return storing.store(alice, [b"second"], name="fox.txt", destination=VERSION)


@pytest.fixture
def former(two: FileRecord) -> FileRecord:
    return versions.as_it_was(versions.of(two)[0])


@pytest.fixture
def session(client: Client, alice: User, password: str) -> Client:
    """Alice, who has just signed in."""
    client.post("/accounts/login/", {"login": "alice", "password": password})
    return client


def as_member(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def page_of(record: FileRecord) -> str:
    return reverse("files:versions", args=[record.pk])


def bytes_of(former: FileRecord, what: str = "download") -> str:
    return reverse(f"files:version_{what}", args=[former.pk, former.version])


def body(answer: Any) -> bytes:
    return b"".join(answer.streaming_content)


def test_the_list_offers_what_may_be_done(session: Client, former: FileRecord) -> None:
    page = session.get(page_of(former)).content.decode()
    for words in (bytes_of(former), "Make it current again", "Delete this version", "840 bytes"):
        assert words in page


def test_a_former_version_is_downloaded_whole_and_in_part(
    session: Client, two: FileRecord, former: FileRecord, events: Events
) -> None:
    whole = session.get(bytes_of(former))
    assert body(whole) == CONTENT
    assert whole["ETag"] == f'"{former.version.hex}"' != f'"{two.version.hex}"'
    part = session.get(bytes_of(former), headers={"Range": "bytes=4-8"})
    assert (part.status_code, body(part)) == (206, CONTENT[4:9])
    assert (
        session.get(bytes_of(former), headers={"If-None-Match": whole["ETag"]}).status_code == 304
    )
    whole.close()
    part.close()
    assert {event.get("version") for event in events("file_downloaded")} == {str(former.version)}
    current = session.get(f"/files/{two.pk}/download/")
    assert body(current) == b"second"
    current.close()
    assert "version" not in events("file_downloaded")[-1]


@pytest.mark.parametrize("level", [None, "download"])
def test_who_does_not_manage_finds_no_version(
    bob: User, former: FileRecord, level: str | None
) -> None:
    if level:
        give(FileRecord.objects.get(pk=former.pk), bob, level=level)
    client = as_member(bob)
    assert client.get(page_of(former)).status_code == 404
    assert client.get(bytes_of(former)).status_code == 404
    assert client.post(bytes_of(former, "unlock"), {"key": KEY}).status_code == 404
    for what in ("restore", "delete"):
        answer = client.post(page_of(former), {what: str(former.version), "sure": "yes"})
        assert answer.status_code == 404
    assert FileRecord.objects.get().versions.count() == 1


def test_a_manager_reads_and_restores_and_does_not_delete(
    bob: User, two: FileRecord, former: FileRecord, password: str
) -> None:
    give(FileRecord.objects.get(pk=two.pk), bob, level="manage")
    client = Client()
    client.post("/accounts/login/", {"login": "bob", "password": password})
    assert body(client.get(bytes_of(former))) == CONTENT
    assert "Delete this version" not in client.get(page_of(two)).content.decode()
    gone = client.post(page_of(two), {"delete": str(former.version), "sure": "yes"})
    assert gone.status_code == 404
    assert client.post(page_of(two), {"restore": str(former.version)}).status_code == 302
    assert FileRecord.objects.get().version == former.version


def test_the_owner_deletes_one_for_good_with_a_tick(
    session: Client, two: FileRecord, former: FileRecord
) -> None:
    unticked = session.post(page_of(two), {"delete": str(former.version)})
    assert unticked.status_code == 400
    assert "Tick the box" in unticked.content.decode()
    assert (
        session.post(page_of(two), {"delete": str(former.version), "sure": "yes"}).status_code
        == 302
    )
    assert not FileRecord.objects.get().versions.exists()


def test_who_signed_in_long_ago_confirms_who_they_are_first(
    alice: User, two: FileRecord, former: FileRecord, settings: Settings
) -> None:
    settings.ACCOUNT_REAUTHENTICATION_TIMEOUT = 0
    answer = as_member(alice).post(page_of(two), {"delete": str(former.version), "sure": "yes"})
    assert "/accounts/reauthenticate/" in answer["Location"]
    assert FileRecord.objects.get().versions.exists()


def test_a_damaged_version_is_said_to_be_so(
    session: Client, two: FileRecord, former: FileRecord
) -> None:
    opening.mark_damaged(former.current, Damaged("it is"))
    assert session.get(bytes_of(former)).status_code == 502
    assert session.post(page_of(two), {"restore": str(former.version)}).status_code == 502
    assert "damaged" in session.get(page_of(two)).content.decode()


def test_a_held_version_is_unlocked_by_its_own_key_for_itself_alone(
    session: Client, held_record: FileRecord, alice: User
) -> None:
    other = "b3RoZXIta2V5LW9mLXRoZS10ZXN0cy0wMTIzNDU2Nzg="
    storing.store(alice, [b"second"], name="secret.txt", destination=VERSION, key=UserKey(other))
    current = FileRecord.objects.get()
    former = versions.as_it_was(versions.of(current)[0])
    assert (
        "It takes the key that it was made with" in session.get(page_of(current)).content.decode()
    )
    locked = session.get(bytes_of(former))
    assert locked.status_code == 403
    assert bytes_of(former, "unlock") in locked.content.decode()
    assert session.post(bytes_of(former, "unlock"), {"key": other}).status_code == 403
    right = session.post(bytes_of(former, "unlock"), {"key": KEY})
    assert (right.status_code, right["Location"]) == (302, bytes_of(former))
    assert body(session.get(bytes_of(former))) == CONTENT
    # The current version's lock is another.
    assert session.get(f"/files/{current.pk}/download/").status_code == 403
    session.post(f"/files/{current.pk}/unlock/", {"key": other})
    assert body(session.get(f"/files/{current.pk}/download/")) == b"second"
    assert body(session.get(bytes_of(former))) == CONTENT


def test_a_former_version_is_viewed_by_the_bytes_that_it_had(
    session: Client, two: FileRecord, former: FileRecord, events: Events
) -> None:
    assert bytes_of(former, "view") in session.get(page_of(two)).text
    page = session.get(bytes_of(former, "view"))
    assert page.status_code == 200
    for text in (
        f'data-address="{bytes_of(former)}"',
        f'data-etag="&quot;{former.version.hex}&quot;"',
        f'data-size="{len(CONTENT)}"',
        f'href="{page_of(two)}"',
        "A former version",
    ):
        assert text in page.text
    assert f"/files/{two.pk}/download/" not in page.text
    assert "frame-src http://testserver/files/viewer/" in page["Content-Security-Policy"]
    assert not events("file_downloaded")
    unknown = reverse("files:version_view", args=[two.pk, two.version])
    assert session.get(unknown).status_code == 404


@pytest.mark.parametrize("level", [None, "download"])
def test_who_does_not_manage_views_no_version(
    bob: User, two: FileRecord, former: FileRecord, level: str | None
) -> None:
    if level:
        give(FileRecord.objects.get(pk=former.pk), bob, level=level)
    assert as_member(bob).get(bytes_of(former, "view")).status_code == 404


def test_what_is_not_shown_is_offered_with_its_own_bytes(
    session: Client, two: FileRecord, former: FileRecord
) -> None:
    KeptVersion.objects.update(content_type="image/svg+xml")
    page = session.get(bytes_of(former, "view"))
    assert f'href="{bytes_of(former)}"' in page.text
    assert "data-viewer" not in page.text
    assert bytes_of(former, "view") not in session.get(page_of(two)).text


def test_a_damaged_version_is_not_viewed(
    session: Client, two: FileRecord, former: FileRecord
) -> None:
    opening.mark_damaged(former.current, Damaged("it is"))
    assert session.get(bytes_of(former, "view")).status_code == 502
    assert bytes_of(former, "view") not in session.get(page_of(two)).text


def test_a_held_version_is_viewed_once_its_own_key_was_entered(
    session: Client, held_record: FileRecord, alice: User
) -> None:
    other = "b3RoZXIta2V5LW9mLXRoZS10ZXN0cy0wMTIzNDU2Nzg="
    storing.store(alice, [b"second"], name="secret.txt", destination=VERSION, key=UserKey(other))
    KeptVersion.objects.update(content_type="text/plain")
    former = versions.as_it_was(versions.of(FileRecord.objects.get())[0])
    asked = session.get(bytes_of(former, "view"))
    assert asked.status_code == 403
    assert '<input type="hidden" name="then" value="view">' in asked.text
    wrong = session.post(bytes_of(former, "unlock"), {"key": other, "then": "view"})
    assert (wrong.status_code, 'value="view"' in wrong.text) == (403, True)
    right = session.post(bytes_of(former, "unlock"), {"key": KEY, "then": "view"})
    assert (right.status_code, right["Location"]) == (302, bytes_of(former, "view"))
    assert "data-viewer" in session.get(bytes_of(former, "view")).text


def test_a_page_takes_no_other_method(session: Client, two: FileRecord, former: FileRecord) -> None:
    assert session.put(page_of(two)).status_code == 405
    assert session.post(bytes_of(former)).status_code == 405
    assert session.get(bytes_of(former, "unlock")).status_code == 405
    assert session.post(bytes_of(former, "view")).status_code == 405
