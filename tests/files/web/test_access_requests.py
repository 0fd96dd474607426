"""The pages of requests for access: alike for what exists and what does not, on every byte."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from uuid import uuid4

import pytest
from django.contrib.auth.models import Permission
from django.db import connection, transaction
from django.test import Client
from django.utils import timezone

from accounts import limits
from accounts.limits import Limit
from accounts.models import User
from files.models import AccessRequest, FileRecord, Folder, Grant
from files.sharing import asking
from files.tree import placing
from tests.files.test_models import filed
from tests.files.test_urls import noting, told
from tests.mails import delivered

Give = Callable[..., Grant]
NOTHING = {"file": uuid4(), "folder": uuid4()}


@pytest.fixture
def case(alice: User) -> Folder:
    return placing.add_folder(placing.root_of(alice), "Case", added_by=alice)


@pytest.fixture(autouse=True)
def _alice_may_share(alice: User) -> None:
    alice.user_permissions.add(Permission.objects.get(codename="share_filerecord"))


def test_the_page_of_what_is_not_there_lets_one_ask(
    client: Client, bob: User, record: FileRecord, case: Folder
) -> None:
    def offered(path: str, **headers: str) -> bool:
        answer = client.get(path, headers=headers)
        assert answer.status_code in {302, 404}
        return "/asked/new/" in answer.content.decode()

    doors = [
        (f"/files/{one}/{rest}", True)
        for one in (record.pk, NOTHING["file"])
        for rest in ("", "view/", "download/")
    ]
    doors += [(f"/folders/{one}/", True) for one in (case.pk, NOTHING["folder"])]
    doors += [
        (f"/files/{one}/{rest}", False)
        for one in (record.pk, NOTHING["file"])
        for rest in ("history/", "grants/", "read-by/", "none/")
    ]
    assert not any(offered(path) for path, _ in doors), "nobody in particular asks"
    client.force_login(bob)
    assert [offered(path) for path, _ in doors] == [offers for _, offers in doors]
    assert not offered(f"/files/{record.pk}/", Accept="application/json")


def test_every_answer_is_that_for_what_does_not_exist(
    client: Client, alice: User, bob: User, record: FileRecord, case: Folder, give: Give
) -> None:
    gone = filed(alice)
    FileRecord.objects.filter(pk=gone.pk).update(trashed_at=timezone.now())
    ended = filed(alice)
    give(ended, bob, expires_at=timezone.now() - timedelta(days=1))
    client.force_login(bob)
    things = [("file", one.pk) for one in (record, gone, ended)] + [("folder", case.pk)]
    moment = timezone.now()

    def all_of_it(kind: str, wanted: object) -> list[object]:
        """What is answered on the whole way, and what the database was asked."""
        found: list[object] = []
        with transaction.atomic():
            for method, path, data in (
                ("get", f"/{kind}s/{wanted}/", {}),
                ("get", f"/asked/new/?{kind}={wanted}", {}),
                ("post", "/asked/new/", {kind: wanted, "reason": ""}),
                ("post", "/asked/new/", {kind: wanted, "reason": "why"}),
                ("get", "/asked/", {}),
                ("post", "/asked/new/", {kind: wanted, "reason": "again"}),
                ("get", "/asked/", {}),
            ):
                queries: list[str] = []
                with connection.execute_wrapper(noting(queries)):
                    answer = getattr(client, method)(path, data)
                AccessRequest.objects.update(asked_at=moment)
                found += [told(answer, wanted), queries]
            transaction.set_rollback(True)
        return found

    all_of_it("file", uuid4())
    for kind, wanted in things:
        assert all_of_it(kind, wanted) == all_of_it(kind, NOTHING[kind]), (kind, wanted)


def test_an_answer_but_yes_changes_nothing_for_who_asked(
    client: Client, alice: User, bob: User, record: FileRecord
) -> None:
    row = asking.ask(bob, "file", record.pk, "why")
    client.force_login(bob)
    before = told(client.get("/asked/"))
    boss = Client()
    boss.force_login(alice)
    assert boss.post(f"/asked/{row.pk}/", {"decline": "yes", "word": "no"}).status_code == 302
    assert told(client.get("/asked/")) == before
    assert "can open it" not in before[1]


def test_asking_and_being_let_in(
    client: Client, alice: User, bob: User, mallory: User, record: FileRecord
) -> None:
    client.force_login(bob)
    answer = client.post("/asked/new/", {"file": record.pk, "reason": "for <the> audit"})
    assert (answer.status_code, answer["Location"]) == (302, "/asked/")
    row = AccessRequest.objects.get()
    url = f"/asked/{row.pk}/"
    assert url not in client.get("/asked/").text
    assert client.get(url).status_code == 404, "not for who asked"
    boss = Client()
    boss.force_login(alice)
    assert url in boss.get("/asked/").text
    page = boss.get(url)
    assert "for &lt;the&gt; audit" in page.text
    assert record.name in page.text
    row.refresh_from_db()
    assert row.answer == "", "a GET decides nothing"
    assert boss.head(url).status_code == 200
    assert boss.post(url, {"level": "none", "until": "7"}).status_code == 400
    assert boss.post(url, {"level": "download", "until": "date", "day": ""}).status_code == 400
    assert boss.post(url, {}).status_code == 400
    assert boss.post(url, {"level": "download", "until": "7"}).status_code == 302
    given = Grant.objects.get(user=bob)
    assert given.expires_at is not None
    assert timedelta(days=6) < given.expires_at - timezone.now() < timedelta(days=8)
    assert f'href="/files/{record.pk}/"' in client.get("/asked/").text
    assert client.get(f"/asked/new/?file={record.pk}")["Location"] == f"/files/{record.pk}/"
    # Whoever comes later is told, and decides nothing.
    assert "shared it on" in boss.get(url).text
    assert boss.post(url, {"decline": "yes"}).status_code == 302
    row.refresh_from_db()
    assert row.answer == "granted"
    mallory.user_permissions.add(Permission.objects.get(codename="share_filerecord"))
    stranger = Client()
    stranger.force_login(mallory)
    for number in (row.pk, 999_999_999, 10**30):
        assert stranger.get(f"/asked/{number}/").status_code == 404
        assert stranger.post(f"/asked/{number}/", {"decline": "yes"}).status_code == 404
    delivered()


def test_only_so_often(
    client: Client, bob: User, record: FileRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "ACCESS_REQUESTS", Limit("asks", {"user": "1/h"}))
    client.force_login(bob)
    for wanted in (record.pk, uuid4()):
        AccessRequest.objects.all().delete()
        statuses = [
            client.post("/asked/new/", {"file": wanted, "reason": "why"}).status_code
            for _ in range(2)
        ]
        assert statuses[1] == 429
    for nonsense in ("", "?file=x", "?file=", "?link=1"):
        assert client.get(f"/asked/new/{nonsense}").status_code == 404
