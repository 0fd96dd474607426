"""A link, from outside: who is let in where, what is sent, and how often."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings as site
from django.contrib.auth import hashers
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django.utils.html import escape
from pytest_django import Settings

from accounts.models import User
from accounts.outside import capability
from audit.models import AuditEvent
from files.models import FileRecord, Folder, Link, LinkDownload
from files.sharing import links
from files.sharing.links import Terms
from files.tree import placing
from files.vault import storing
from files.vault.destinations import Destination
from tests.files.conftest import KEY
from tests.files.doors import OUTSIDERS
from tests.files.sharing.test_links import may_link
from tests.mails import delivered

CONTENT = bytes(range(256)) * 16


@pytest.fixture
def maker(alice: User) -> User:
    return may_link(alice)


@pytest.fixture
def case(maker: User) -> Folder:
    above = placing.add_folder(placing.root_of(maker), "Above", added_by=maker)
    return placing.add_folder(above, "Case", added_by=maker)


@pytest.fixture
def record(s3: object, maker: User, case: Folder) -> FileRecord:
    return storing.store(maker, [CONTENT], name="a.bin", destination=Destination(case))


def linked(item: FileRecord | Folder, **terms: Any) -> tuple[str, Link]:
    """The path of a new link of its owner's, and its row."""
    owner = User.objects.get(pk=item.owner_id)
    made = links.make(item, Terms(**terms), actor=owner)
    return links.path_of(made.text), made.link


def body(response: Any) -> bytes:
    found = b"".join(response.streaming_content) if response.streaming else response.content
    response.close()
    return found


ENDINGS: dict[str, Callable[[Link], object]] = {
    "ended": lambda link: Link.objects.filter(pk=link.pk).update(expires_at=timezone.now()),
    "revoked": lambda link: links.revoke(link, actor=link.maker),
    "exhausted": lambda link: Link.objects.filter(pk=link.pk).update(most=1, used=1),
    "asleep": lambda link: link.maker.user_permissions.clear(),
    "put away": lambda link: Folder.objects.exclude(parent=None).update(trashed_at=timezone.now()),
}


def test_who_is_let_in_where(
    record: FileRecord, case: Folder, maker: User, settings: Settings
) -> None:
    """The table of doors, from outside; and what is not there is alike, in content and in work."""
    above = case.parent
    assert above is not None
    beside = storing.store(maker, [b"beside"], name="b.bin", destination=Destination(above))
    ids = {"file": record.pk, "folder": case.pk, "above": above.pk, "beside": beside.pk}
    alike: dict[str, Any] = {}
    for kind, doors in OUTSIDERS.items():
        item: Any = {"link to its folder": case, "link to the file beside": beside}.get(
            kind, record
        )
        path, link = linked(item, password="long enough" if kind == "with a password" else "")
        if kind == "unknown":
            path = links.path_of(capability.generate())
        settings.LINKS = kind != "off"
        if kind in ENDINGS:
            ENDINGS[kind](link)
        for below, status in doors.items():
            for method in ("GET", "HEAD"):
                with CaptureQueriesContext(connection) as queries:
                    answer = Client().generic(method, path + below.format(**ids))
                content = body(answer)
                assert answer.status_code == status, (kind, below, method)
                assert answer["Referrer-Policy"] == "no-referrer"
                if status == 404 and set(doors.values()) == {404}:
                    told = (content, sorted(set(answer.headers) - {"X-Request-ID"}))
                    asked = [query["sql"].split(" WHERE ")[0] for query in queries]
                    first = alike.setdefault(f"{method} {below}", (told, len(asked)))
                    assert (told, len(asked)) == first, (kind, below)
        settings.LINKS = True
        may_link(maker)
        Folder.objects.exclude(parent=None).update(trashed_at=None)
    assert len(alike) == 8


def test_a_file_comes_whole_in_ranges_and_again(record: FileRecord, client: Client) -> None:
    path, link = linked(record)
    page = client.get(path, headers={"Accept-Language": "de"})
    assert b'<html lang="de">' in page.content
    assert b"a.bin" in page.content
    assert b"alice" in page.content
    assert not page.cookies
    whole = client.get(f"{path}download/")
    assert body(whole) == CONTENT
    assert whole["Content-Disposition"].startswith("attachment")
    assert "no-store" in whole["Cache-Control"]
    etag = whole["ETag"]
    part = client.get(f"{path}download/", headers={"Range": "bytes=100-199", "If-Range": etag})
    assert (part.status_code, body(part)) == (206, CONTENT[100:200])
    changed = client.get(f"{path}download/", headers={"Range": "bytes=1-2", "If-Range": '"x"'})
    assert (changed.status_code, body(changed)) == (200, CONTENT)
    same = client.get(f"{path}download/", headers={"If-None-Match": etag})
    assert same.status_code == 304
    head = client.head(f"{path}download/")
    assert head["Content-Length"] == str(len(CONTENT))
    part_of_page = client.get(f"{path}download/", headers={"Sec-Fetch-Dest": "image"})
    assert part_of_page.status_code == 403
    event = AuditEvent.objects.filter(event="file_downloaded").order_by("id")[0]
    assert (event.actor_id, event.actor_name) == (None, "")
    assert event.file_id == record.pk
    assert event.data["link_id"] == link.pk
    link.refresh_from_db()
    assert (link.opened, link.used) == (1, 2)


def test_no_password_no_word(record: FileRecord) -> None:
    path, link = linked(record, password="open sesame")
    visitor = Client(enforce_csrf_checks=True)
    page = visitor.get(path)
    for word in (b"a.bin", b"alice", str(len(CONTENT)).encode()):
        assert word not in page.content
    mask = re.findall(rb'name="csrfmiddlewaretoken" value="(\w+)"', page.content)[0].decode()
    wrong = visitor.post(path, {"password": "shut", "csrfmiddlewaretoken": mask})
    assert wrong.status_code == 403
    assert b"a.bin" not in wrong.content
    right = visitor.post(path, {"password": "open sesame", "csrfmiddlewaretoken": mask})
    assert (right.status_code, right["Location"]) == (302, path)
    assert b"a.bin" in visitor.get(path).content
    assert body(visitor.get(f"{path}download/")) == CONTENT
    # It is this browser's, and of no other link; and not of this one with another password.
    assert b"a.bin" not in Client().get(path).content
    other, _ = linked(record, password="open sesame")
    assert b"a.bin" not in visitor.get(other).content
    Link.objects.filter(pk=link.pk).update(password=hashers.make_password("another"))
    assert b"a.bin" not in visitor.get(path).content
    link.refresh_from_db()
    assert (link.attempts, link.opened) == (1, 1)
    for _ in range(4):
        assert Client().post(path, {"password": "shut"}).status_code == 403
    slowed = Client().post(path, {"password": "open sesame"})
    assert slowed.status_code == 429
    assert int(slowed["Retry-After"]) > 0


def test_a_try_costs_one_hash_whatever_there_is(
    record: FileRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    hasher = type(hashers.get_hasher("default"))
    encode = hasher.encode
    hashed: list[str] = []

    def counted(self: Any, password: str, *rest: Any, **more: Any) -> Any:
        hashed.append(password)
        return encode(self, password, *rest, **more)

    found = {}
    for kind, over in {"unknown": None, **ENDINGS}.items():
        if kind == "put away":
            continue
        path, link = linked(record, password="open sesame")
        if over is None:
            path = links.path_of(capability.generate())
        else:
            over(link)
        monkeypatch.setattr(hasher, "encode", counted)
        with CaptureQueriesContext(connection) as queries:
            answer = Client().post(path, {"password": "open sesame"})
        found[kind] = (answer.status_code, answer.content, len(queries), len(hashed))
        monkeypatch.setattr(hasher, "encode", encode)
        hashed.clear()
        may_link(record.owner)
    assert len(set(found.values())) == 1, {kind: one[2:] for kind, one in found.items()}
    assert found["unknown"][0] == 404
    assert found["unknown"][3] == 1


def test_a_code_lets_in_who_was_named(record: FileRecord) -> None:
    path, _ = linked(record, addresses="ann@example.org", password="open sesame")
    visitor = Client()
    visitor.post(path, {"password": "open sesame"})
    assert b"a.bin" not in visitor.get(path).content
    answers = [
        visitor.post(path, {"address": address}).content.replace(address.encode(), b"#")
        for address in ("eve@example.org", "ann@example.org")
    ]
    plain = [re.sub(rb'value="\w{64}"', b"", one) for one in answers]
    assert plain[0] == plain[1]
    [mail] = delivered()
    assert mail.to == ["ann@example.org"]
    code = re.findall(r"\d{4} \d{4}", str(mail.body))[0]
    given = {"address": "ann@example.org", "code": "0000 0000"}
    assert visitor.post(path, given).status_code == 403
    assert visitor.post(path, {**given, "code": code}).status_code == 302
    assert b"a.bin" in visitor.get(path).content


def test_a_code_goes_to_one_address_and_no_text_beside_it(
    record: FileRecord, settings: Settings
) -> None:
    settings.LINK_MAIL_DOMAINS = ["firm.example"]
    path, _link = linked(record, addresses="@firm.example")
    for text in ("eve@evil.example (@firm.example", "ann <eve@evil.example> (@firm.example"):
        answer = Client().post(path, {"address": text})
        assert answer.status_code == 400
        # What was typed is there to be mended.
        assert f'value="{escape(text)}"' in answer.content.decode()
    assert Client().post(path, {"address": "ann@firm.example"}).status_code == 200
    assert [mail.to for mail in delivered()] == [["ann@firm.example"]]


def test_a_folder_is_seen_as_zip_and_file_by_file(
    record: FileRecord, case: Folder, maker: User, held_record: FileRecord
) -> None:
    held = held_record
    inner = placing.add_folder(case, "Inner", added_by=maker)
    storing.store(maker, [b"deep"], name="deep.txt", destination=Destination(inner))
    placing.leave(held)
    FileRecord.objects.filter(pk=held.pk).update(folder=case)
    placing.enter(FileRecord.objects.get(pk=held.pk), case)
    path, link = linked(case, most=2)
    visitor = Client()
    page = visitor.get(path).content
    assert b"a.bin" in page
    assert b"Inner" in page
    assert b"deep.txt" in visitor.get(f"{path}folders/{inner.pk}/").content
    assert b"NOT INCLUDED.txt" in visitor.get(f"{path}zip/").content
    packed = visitor.post(f"{path}zip/")
    archive = zipfile.ZipFile(io.BytesIO(body(packed)))
    assert sorted(archive.namelist()) == ["Inner/", "Inner/deep.txt", "NOT INCLUDED.txt", "a.bin"]
    link.refresh_from_db()
    assert link.used == 1
    # A locked file takes its key, as inside.
    of_held = f"{path}files/{held.pk}/"
    locked = visitor.get(f"{of_held}download/")
    assert locked.status_code == 403
    assert b'name="key"' in locked.content
    assert visitor.post(of_held, {"key": KEY[:-3] + "aa="}).status_code == 403
    opened = visitor.post(of_held, {"key": KEY})
    assert opened.status_code == 302
    assert len(body(visitor.get(opened["Location"]))) == held.size
    link.refresh_from_db()
    assert link.used == 2
    assert visitor.get(path).status_code == 404


# --- Counting -----------------------------------------------------------------------------------


def start(path: str, **headers: str) -> Any:
    """A download that has begun, of a client of its own."""
    answer: Any = Client().get(f"{path}download/", headers=headers)
    if answer.streaming:
        next(iter(answer.streaming_content))
    return answer


def test_as_many_as_there_are_and_no_more(
    record: FileRecord, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, link = linked(record, most=3)
    begun = [start(path) for _ in range(20)]
    assert sorted(one.status_code for one in begun) == [200] * 3 + [429] * 17
    for one in begun[3:]:
        assert 0 < int(one["Retry-After"]) <= site.DOWNLOAD_IDLE.total_seconds() + 1
    # HEAD and pages go on, and use none up.
    assert Client().head(f"{path}download/").status_code == 200
    assert Client().get(path).status_code == 200
    # One that ends without its last byte gives its download back.
    begun[0].close()
    again = start(path)
    assert again.status_code == 200
    for one in (begun[1], begun[2], again):
        body(one)
    link.refresh_from_db()
    assert (link.used, link.state) == (3, "exhausted")
    assert [Client().get(path + below).status_code for below in ("", "download/")] == [404, 404]
    assert AuditEvent.objects.filter(event="link_exhausted").count() == 1


def test_a_range_is_none_and_all_of_them_are_one(record: FileRecord) -> None:
    path, link = linked(record, most=1)
    half = len(CONTENT) // 2

    def part(which: str) -> int:
        answer = Client().get(f"{path}download/", headers={"Range": f"bytes={which}"})
        body(answer)
        return int(answer.status_code)

    assert part("0-0") == 206
    assert part(f"0-{half}") == 206
    link.refresh_from_db()
    assert link.used == 0
    assert part(f"{half + 1}-") == 206
    link.refresh_from_db()
    assert link.used == 1
    assert part("0-0") == 404


def test_who_never_takes_the_last_byte_gains_nothing(record: FileRecord) -> None:
    """However it is cut: (count + 1) times the file, and no byte more."""
    path, link = linked(record, most=1)
    size, sent = len(CONTENT), 0
    for number in range(50):
        cut = {"Range": f"bytes=0-{size - 2 - number}", "User-Agent": f"client {number}"}
        sent += len(body(Client().get(f"{path}download/", headers=cut)) if number < 3 else b"")
        tail = {"Range": "bytes=1-700", "User-Agent": f"other {number}"}
        answer = Client().get(f"{path}download/", headers=tail)
        got = body(answer)
        sent += len(got) if answer.status_code == 206 else 0
    link.refresh_from_db()
    assert size < sent <= 2 * size + 4000  # Of which refusals' pages are some.
    assert link.charged <= 2 * size


def test_what_was_killed_is_free_after_the_idle_time(
    record: FileRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, link = linked(record, most=1)
    begun = start(path)
    assert start(path).status_code == 429
    # Of a killed process nothing more is heard.
    long_ago = timezone.now() - site.DOWNLOAD_IDLE - timedelta(seconds=1)
    LinkDownload.objects.update(seen_at=long_ago)
    again = start(path)
    assert again.status_code == 200
    body(again)
    link.refresh_from_db()
    assert link.used == 1
    begun.close()
    link.refresh_from_db()
    assert link.used == 1
