"""Requests from outside: the door, a name or a code, what is sent by form or tus, the receipt."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from accounts.models import User
from audit.models import AuditEvent
from files.models import FileRecord, Folder, Received, Sender, StoredObject, UploadSession
from files.sharing import requests
from tests.files.asked import ask, folder_of
from tests.mails import delivered

pytestmark = pytest.mark.usefixtures("s3")

TUS = {"Tus-Resumable": "1.0.0"}
BYTES = "application/offset+octet-stream"


def enter(token: str, name: str = "Ann", client: Client | None = None) -> Client:
    client = client or Client()
    answer = client.post(f"/r/{token}/", {"name": name})
    assert answer.status_code == 302, answer.content.decode()
    return client


def form(client: Client, token: str, *files: tuple[str, bytes], **more: Any) -> Any:
    data = {"files": [SimpleUploadedFile(name, content) for name, content in files], **more}
    return client.post(f"/r/{token}/send/", data)


def begin(client: Client, token: str, length: int, name: str = "a.bin", **told: str) -> Any:
    metadata = {"filename": name, **told}
    text = ",".join(f"{k} {base64.b64encode(v.encode()).decode()}" for k, v in metadata.items())
    headers = {**TUS, "Upload-Length": str(length), "Upload-Metadata": text}
    return client.post(f"/r/{token}/uploads/", headers=headers)


def patch(client: Client, address: str, offset: int, content: bytes) -> Any:
    headers = {**TUS, "Upload-Offset": str(offset)}
    return client.patch(address, content, content_type=BYTES, headers=headers)


def test_the_form_and_the_receipt(alice: User) -> None:
    request, token = ask(alice, words="All pages, please.")
    client = Client()
    page = client.get(f"/r/{token}/").content.decode()
    assert "Your papers" in page
    assert "All pages, please." in page
    assert "alice" in page
    assert not Sender.objects.exists()  # A GET decides nothing.
    assert client.get(f"/r/{token}/receipt/").status_code == 302
    assert form(client, token, ("a", b"1")).status_code == 302
    assert not Received.objects.exists()
    enter(token, client=client)
    answer = form(
        client,
        token,
        ("cv.pdf", b"abc"),
        ("cv.pdf", b"defg"),
        folder="nonsense",
        conflict="version",
    )
    assert answer.status_code == 302
    assert answer["Location"] == f"/r/{token}/receipt/"
    names = FileRecord.objects.order_by("place").values_list("name", flat=True)
    assert list(names) == ["cv.pdf", "cv (2).pdf"]
    assert {one.owner for one in FileRecord.objects.all()} == {alice}
    for address in ("", "?as=text"):
        told = client.get(f"/r/{token}/receipt/{address}").content.decode()
        assert hashlib.sha256(b"abc").hexdigest() in told
        assert hashlib.sha256(b"defg").hexdigest() in told
        assert "cv (2)" not in told  # Under the names that they have there, nobody sees them.
    # Somebody else of that name, and the same sender in another browser, see nothing of it.
    other = enter(token)
    assert "cv.pdf" not in other.get(f"/r/{token}/receipt/").content.decode()
    assert "cv.pdf" not in other.get(f"/r/{token}/").content.decode()
    assert Folder.objects.filter(parent=request.folder).count() == 1


def test_every_other_token_has_one_page(alice: User, bob: User) -> None:
    request, token = ask(alice)
    pages: dict[Any, set[Any]] = {}
    queries: dict[Any, set[int]] = {}
    nobodys = "A" * len(token)

    def look(text: str) -> None:
        for method, address in (("get", ""), ("post", ""), ("get", "receipt/"), ("post", "send/")):
            with CaptureQueriesContext(connection) as asked:
                answer = getattr(Client(), method)(f"/r/{text}/{address}")
            queries.setdefault((method, address), set()).add(len(asked))
            body = answer.content.decode()
            body = re.sub(r'value="[^"]+"|nonce="[^"]+"', "", body)
            pages.setdefault((method, address), set()).add((answer.status_code, body))
        answer = begin(Client(), text, 1)
        pages.setdefault("tus", set()).add((answer.status_code, answer.content))

    look(nobodys)
    request.expires_at = timezone.now()
    request.save()
    look(token)
    request.expires_at = requests.usual_end()
    request.save()
    requests.end(request, actor=alice)
    look(token)
    request, token = ask(bob)
    bob.is_active = False
    bob.save()
    look(token)
    assert all(len(found) == 1 for found in pages.values())
    assert {status for found in pages.values() for status, _ in found} == {404}
    assert all(len(found) == 1 for found in queries.values()), queries


def test_tus_resumes_for_its_sender_alone(alice: User) -> None:
    _request, token = ask(alice)
    other_request, other_token = ask(alice, folder_of(alice, "Other"))
    client = enter(token)
    answer = begin(client, token, 6)
    assert answer.status_code == 201, answer.content
    address = answer["Location"].removeprefix("http://testserver")
    assert address.startswith(f"/r/{token}/uploads/")
    assert patch(client, address, 0, b"abc").status_code == 204
    for stranger in (Client(), enter(token), enter(other_token)):
        assert stranger.head(address, headers=TUS).status_code in {403, 404}
        assert patch(stranger, address, 3, b"xyz").status_code in {403, 404}
        assert stranger.delete(address, headers=TUS).status_code in {403, 404}
    # Nor at another request, nor for its maker.
    elsewhere = address.replace(token, other_token)
    assert client.head(elsewhere, headers=TUS).status_code == 403
    inside = Client()
    inside.force_login(alice)
    upload_id = address.rpartition("/")[2]
    assert inside.head(f"/uploads/{upload_id}", headers=TUS).status_code == 404
    assert inside.head(address, headers=TUS).status_code == 403
    assert client.head(address, headers=TUS)["Upload-Offset"] == "3"
    done = patch(client, address, 3, b"def")
    assert done.status_code == 204
    assert not {"Securestore-File", "Securestore-Name", "Securestore-Folder"} & set(done.headers)
    assert client.head(address, headers=TUS).status_code == 200
    told = client.get(f"/r/{token}/receipt/").content.decode()
    assert "a.bin" in told
    record = FileRecord.objects.get()
    assert record.received.sender.request_id != other_request.pk
    # What is not a sender's to choose.
    assert begin(client, token, 1, custody="held").status_code == 400
    assert begin(client, token, 1, folder=str(alice.pk)).status_code == 400
    assert begin(client, token, 1, path="a/b").status_code == 400


@pytest.mark.parametrize("times", [6, pytest.param(100, marks=pytest.mark.integration)])
def test_one_name_many_times(alice: User, times: int) -> None:
    _request, token = ask(alice)
    client = enter(token)
    for _ in range(2):
        assert form(client, token, *[("a.txt", b"x")] * (times // 2)).status_code == 302
    names = set(FileRecord.objects.values_list("name", flat=True))
    assert names == {"a.txt", *(f"a ({n}).txt" for n in range(2, times + 1))}
    assert FileRecord.objects.values("folder").distinct().count() == 1


def test_what_ends_meanwhile_is_refused_in_words(alice: User) -> None:
    request, token = ask(alice)
    client = enter(token)
    address = begin(client, token, 6)["Location"].removeprefix("http://testserver")
    assert patch(client, address, 0, b"abc").status_code == 204
    requests.end(request, actor=alice)
    answer = patch(client, address, 3, b"def")
    assert answer.status_code == 404
    assert b"has ended" in answer.content
    assert form(client, token, ("a", b"1")).status_code == 404
    assert not FileRecord.objects.exists()
    assert not StoredObject.objects.exclude(state=StoredObject.State.DOOMED).exists()


def test_full_is_told_to_who_has_the_token(alice: User) -> None:
    _request, token = ask(alice, most_bytes=5, most_files=2, most_senders=1)
    client = enter(token)
    answer = form(client, token, ("a", b"123456"))
    assert answer.status_code == 413
    assert "5 bytes are left" in answer.content.decode()
    assert begin(client, token, 6).status_code == 413
    assert form(client, token, ("a", b"1"), ("b", b"2"), ("c", b"3")).status_code == 413
    assert not FileRecord.objects.exists()
    assert not UploadSession.objects.exists()
    assert Client().post(f"/r/{token}/", {"name": "Bea"}).status_code == 400
    # Who is known already is asked nothing twice, and takes no other's place.
    enter(token, client=client)
    _request, token = ask(alice, folder_of(alice, "Other"))
    for name in ("", "a/b", "x" * 300, ".."):
        answer = Client().post(f"/r/{token}/", {"name": name})
        assert answer.status_code == 400
        # What was typed is not lost, and it is their own name that they are told of.
        page = answer.content.decode()
        assert f'value="{name}"' in page
        assert "folder" not in page
    assert not Sender.objects.filter(request=_request).exists()


def test_a_whole_domain_is_let_in_where_an_administrator_allows_it(
    alice: User, settings: Settings
) -> None:
    named = {"identify": "code", "addresses": ["@firm.example", "ann@example.org"]}
    folder = folder_of(alice)
    with pytest.raises(ValidationError, match=r"@firm\.example"):
        ask(alice, folder, **named)
    settings.REQUEST_MAIL_DOMAINS = ["firm.example"]
    _request, token = ask(alice, folder, **named)
    come = Client()

    def post(email: str, **more: str) -> int:
        return come.post(f"/r/{token}/", {"email": email, **more}).status_code

    assert [post("bob@firm.example"), post("eve@other.example")] == [200, 200]
    [sent] = delivered()
    assert sent.to == ["bob@firm.example"]
    found = re.search(r"\b(\d{8})\b", str(sent.body))
    assert found
    # Taken out of the list, a domain opens nothing any more: not by codes that are out, either.
    settings.REQUEST_MAIL_DOMAINS = []
    assert post("bob@firm.example", code=found[1]) == 400
    assert post("bob@firm.example") == 200
    assert delivered()[1:] == []


def test_a_code_proves_an_address(alice: User, mailoutbox: Any) -> None:
    _request, token = ask(alice, identify="code", addresses=["ann@example.org"])
    pages = []
    for address in ("Ann@Example.org", "eve@example.org"):
        answer = Client().post(f"/r/{token}/", {"email": address})
        assert answer.status_code == 200
        text = answer.content.decode().replace(address.lower(), "")
        pages.append(re.sub(r'value="[^"]*"|nonce="[^"]+"', "", text))
    assert pages[0] == pages[1]
    sent = delivered()
    assert [mail.to for mail in sent] == [["ann@example.org"]]
    found = re.search(r"\b\d{8}\b", str(sent[0].body))
    assert found is not None
    client = Client()
    wrong = {"email": "ann@example.org", "code": "12345678"}
    assert client.post(f"/r/{token}/", wrong).status_code == 400
    right = {"email": "ann@example.org", "code": found[0]}
    assert client.post(f"/r/{token}/", right).status_code == 302
    assert Client().post(f"/r/{token}/", right).status_code == 400  # Once.
    assert form(client, token, ("a", b"1")).status_code == 302
    sender = Sender.objects.get()
    assert (sender.email, sender.name) == ("ann@example.org", "ann@example.org")


def test_a_code_goes_to_one_address_and_no_text_beside_it(alice: User, settings: Settings) -> None:
    settings.REQUEST_MAIL_DOMAINS = ["example.org"]
    _request, token = ask(alice, identify="code", addresses=["@example.org"])
    longest = "eve@" + ".".join(["a" * 60] * 4) + ".evil"
    longest += "l" * (254 - len(longest))
    for text in (f"{longest} (@example.org", f"{longest}\r\nBcc: a@example.org", "a\0@example.org"):
        for form in ({"email": text}, {"email": text, "code": "12345678"}):
            answer = Client().post(f"/r/{token}/", form)
            assert answer.status_code == 400
            assert 'name="email" value="' in answer.content.decode()
    assert not delivered()
    assert not AuditEvent.objects.filter(event="sender_refused").exists()


def test_who_sends_without_a_pass_is_told_that_nothing_was_stored(alice: User) -> None:
    _request, token = ask(alice)
    client = Client()
    answer = form(client, token, ("a", b"1"))
    assert answer.status_code == 302
    assert "Nothing was stored" in client.get(answer["Location"]).content.decode()
    assert "Nothing was stored" not in client.get(f"/r/{token}/").content.decode()
    # Who is known by then is told nothing of it.
    enter(token, client=client)
    assert "Nothing was stored" not in client.get(answer["Location"]).content.decode()
    assert not FileRecord.objects.exists()


def test_a_name_that_is_cut_is_a_name_still(alice: User) -> None:
    _request, token = ask(alice)
    client = enter(token, name="x" * 79 + " yz")
    assert form(client, token, ("a", b"1")).status_code == 302
    assert Sender.objects.get().name == "x" * 79


def test_an_address_that_is_no_name_of_a_folder_gets_in(alice: User) -> None:
    _request, token = ask(alice, identify="code", addresses=["a/b@example.org"])
    client = Client()
    client.post(f"/r/{token}/", {"email": "a/b@example.org"})
    [mail] = delivered()
    found = re.search(r"\b\d{8}\b", str(mail.body))
    right = {"email": "a/b@example.org", "code": found[0] if found else ""}
    assert client.post(f"/r/{token}/", right).status_code == 302
    assert form(client, token, ("a", b"1")).status_code == 302
    assert Sender.objects.get().email == "a/b@example.org"


@pytest.mark.parametrize("identify", ["name"])
def test_the_token_of_the_form_is_asked_for(alice: User, identify: str) -> None:
    _request, token = ask(alice, identify=identify)
    client = Client(enforce_csrf_checks=True)
    page = client.get(f"/r/{token}/").content.decode()
    value = re.findall(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)[0]
    assert client.post(f"/r/{token}/", {"name": "Ann"}).status_code == 403
    enter_form = {"name": "Ann", "csrfmiddlewaretoken": value}
    assert client.post(f"/r/{token}/", enter_form).status_code == 302
    assert form(client, token, ("a", b"1")).status_code == 403
    assert not FileRecord.objects.exists()
    assert begin(client, token, 1).status_code == 403
    page = client.get(f"/r/{token}/").content.decode()
    value = re.findall(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)[0]
    assert form(client, token, ("a", b"1"), csrfmiddlewaretoken=value).status_code == 302


def test_the_log_says_through_what_and_by_whom(
    alice: User, events: Callable[..., list[dict[str, Any]]]
) -> None:
    request, token = ask(alice)
    client = enter(token)
    form(client, token, ("a", b"1"))
    for name in ("sender_admitted", "folder_created", "file_uploaded"):
        told = events(name)[-1]
        assert (told["actor"], told["file_request_id"]) == ("", request.pk), name
        assert told["sender"] == "Ann", name
