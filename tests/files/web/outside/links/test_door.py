"""The door of a link: a password or a code first, and no word before."""

from __future__ import annotations

import re

from django.contrib.auth import hashers
from django.test import Client
from django.utils.html import escape
from pytest_django import Settings

from files.models import FileRecord, Link
from tests.files.web.outside.links.following import CONTENT, body, linked
from tests.mails import delivered


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
