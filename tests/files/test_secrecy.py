"""No key and no passphrase in a log, a URL, the database, the store, a session or a debug page.

One walk through everything that is done with keys, with every logger at its loudest; then every
place where something could have been left is searched, in every spelling that is likely.
"""

from __future__ import annotations

import base64
import html
import logging
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus

import pytest
from django.apps import apps
from django.core.cache import cache
from django.db import connection
from django.test import Client
from pytest_django import Settings

from accounts.models import User
from files.crypto.fernetkey import generate_master_key
from files.keys import custody
from files.models import FileRecord
from files.vault import opening, storing
from files.web.transfers import unlocking
from tests.files.conftest import CONTENT, KEY, PASSPHRASE
from tests.files.multipart import CONTENT_TYPE, body, field, file

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

LOUD = ("django.db.backends", "django.request", "botocore", "boto3", "urllib3", "s3transfer")
_KEY = re.compile(r"[A-Za-z0-9_-]{43}=")


@pytest.fixture
def everything_logged(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """All records of all loggers, SQL with its parameters included."""
    quiet = [logging.getLogger(name) for name in {*logging.root.manager.loggerDict, *LOUD}]
    before = [(logger, logger.level, logger.disabled, logger.propagate) for logger in quiet]
    for logger in quiet:
        logger.setLevel(logging.DEBUG)
        logger.disabled, logger.propagate = False, True
    connection.force_debug_cursor = True
    with caplog.at_level(logging.DEBUG):
        yield caplog
    connection.force_debug_cursor = False
    for logger, level, disabled, propagate in before:
        logger.setLevel(level)
        logger.disabled, logger.propagate = disabled, propagate


def spellings(secret: str) -> set[bytes]:
    """The text, what it stands for, and both as they are written elsewhere."""
    text = secret.encode()
    raw = base64.urlsafe_b64decode(text) if _KEY.fullmatch(secret) else text
    found = {text, raw, quote_plus(secret).encode(), html.escape(secret).encode()}
    for one in (text, raw):
        found |= {one.hex().encode(), base64.b64encode(one).rstrip(b"="), repr(one)[2:-1].encode()}
    return found


def database() -> bytes:
    """Every value of every row of every table, the cache's and the sessions' too."""
    dumped: list[bytes] = []
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            quoted = connection.ops.quote_name(table)
            cursor.execute(f"SELECT * FROM {quoted}")  # noqa: S608
            for row in cursor.fetchall():
                for value in row:
                    raw = isinstance(value, bytes | memoryview)
                    dumped.append(bytes(value) if raw else str(value).encode())
    assert len(dumped) > 500
    return b"\n".join(dumped)


def objects(s3: S3Client, bucket: str) -> bytes:
    """Every object, with its name and its metadata."""
    found = b""
    for entry in s3.list_objects_v2(Bucket=bucket)["Contents"]:
        answer = s3.get_object(Bucket=bucket, Key=entry["Key"])
        found += entry["Key"].encode() + repr(answer["ResponseMetadata"]).encode()
        found += answer["Body"].read()
    return found


def session_of(walk: Walk) -> bytes:
    """What the session holds, for who has its cookie."""
    found = dict(walk.client.session)
    assert found
    return repr(found).encode()


class Walk:
    """A browser that remembers the addresses that it was at, and was sent to."""

    def __init__(self, user: User) -> None:
        self.client = Client()
        self.client.force_login(user)
        self.addresses: list[str] = []

    def ask(self, method: str, *args: Any, **kwargs: Any) -> Any:
        answer = getattr(self.client, method)(*args, **kwargs)
        asked = answer.request
        self.addresses += [asked["PATH_INFO"], asked["QUERY_STRING"], answer.get("Location", "")]
        return answer

    def form(self, *parts: Any) -> Any:
        sent = body(field("custody", "held"), *parts, file("secret.txt", CONTENT))
        return self.ask("generic", "POST", "/files/upload/", sent, CONTENT_TYPE)


def test_no_secret_is_left_anywhere(
    alice: User, s3: S3Client, settings: Settings, everything_logged: pytest.LogCaptureFixture
) -> None:
    walk = Walk(alice)
    # By the form: a key; then a passphrase.
    [first] = _KEY.findall(re.sub(r'value="[^"]*"', "", walk.form().text))
    one = FileRecord.objects.select_related("current").get()
    typed = [field("passphrase", PASSPHRASE), field("passphrase_again", PASSPHRASE)]
    assert walk.form(*typed).status_code == 302
    two = FileRecord.objects.exclude(pk=one.pk).select_related("current__held_key").get()
    derived = custody.typed_key(two, PASSPHRASE)
    # By tus.
    metadata = "filename YQ==,custody " + base64.b64encode(b"held").decode()
    headers = {"Tus-Resumable": "1.0.0", "Upload-Length": "5", "Upload-Metadata": metadata}
    answer = walk.ask(
        "generic", "POST", "/uploads/", b"12345", "application/offset+octet-stream", headers=headers
    )
    second = answer["Securestore-Key"]
    three = FileRecord.objects.get(pk=answer["Securestore-File"])

    wrong = generate_master_key()
    base = f"/files/{one.pk}/"
    assert walk.ask("post", f"{base}unlock/", {"key": wrong}).status_code == 403
    assert walk.ask("post", f"{base}unlock/", {"key": "nonsense, but mine"}).status_code == 400
    assert first in walk.ask("get", f"{base}key/").text
    assert walk.ask("post", f"{base}key/file/").status_code == 200
    offered = database()
    assert walk.ask("post", f"{base}unlock/", {"key": first}).status_code == 302
    cookie = walk.client.cookies[unlocking.COOKIE].value
    assert b"".join(walk.ask("get", f"{base}download/").streaming_content) == CONTENT
    assert walk.ask("post", f"{base}reencrypt/", {"key": first}).status_code == 302
    passphrases = {"passphrase": "another violet tractor", "passphrase_again": "no such thing"}
    assert walk.ask("post", "/files/passphrase/", passphrases).status_code == 400
    passphrases["passphrase_again"] = passphrases["passphrase"]
    for path in ("/files/passphrase/", f"/files/{three.pk}/key/passphrase/"):
        assert walk.ask("post", path, passphrases).status_code == 204
    assert walk.ask("post", f"/files/{two.pk}/unlock/", {"key": PASSPHRASE}).status_code == 302
    for file_id in (one.pk, two.pk, three.pk):
        sent = {"file": file_id, "saved": "yes"}
        assert walk.ask("post", "/files/keys/saved/", sent).status_code == 302

    records = everything_logged.records
    logged = "\n".join(f"{one.getMessage()} {one.args!r} {one.exc_text}" for one in records)
    heard = {one.name.split(".")[0] for one in records if one.levelno == logging.DEBUG}
    assert {"django", "botocore"} <= heard
    assert "INSERT INTO" in logged
    places = {
        "an address": "\n".join(walk.addresses).encode(),
        "the log": logged.encode(),
        "the database while a key is offered": offered,
        "the database": database(),
        "the cache": repr(getattr(cache, "_cache", {})).encode(),
        "the store": objects(s3, settings.S3_BUCKET),
        "a session": session_of(walk),
    }
    secrets = [first, second, wrong, PASSPHRASE, derived, passphrases["passphrase"], cookie]
    for place, content in places.items():
        for secret in secrets:
            for written in spellings(secret):
                assert written not in content, (place, secret)
    assert apps.get_model("files", "HeldKey").objects.filter(offered=None).count() == 4


# --- Debug pages --------------------------------------------------------------------------------


def fails(*args: Any, **kwargs: Any) -> Any:
    raise RuntimeError("a fault of ours")


@pytest.fixture
def debugged(settings: Settings, alice: User, monkeypatch: pytest.MonkeyPatch) -> Client:
    settings.DEBUG = True
    monkeypatch.setattr(opening, "open_file", fails)
    monkeypatch.setattr(storing, "publish", fails)
    monkeypatch.setattr(custody, "offered_key", fails)
    client = Client(raise_request_exception=False)
    client.force_login(alice)
    return client


def assert_shows_nothing(answer: Any, *secrets: str) -> None:
    assert "a fault of ours" in answer.text or "TooManyFieldsSent" in answer.text
    assert "Traceback" in answer.text
    for secret in secrets:
        for written in spellings(secret):
            assert written not in answer.content, secret


@pytest.mark.parametrize("accept", ["text/html", "text/plain"])
@pytest.mark.parametrize("steps", ["unlock", "reencrypt"])
def test_a_debug_page_shows_no_key(
    held_record: FileRecord, debugged: Client, accept: str, steps: str
) -> None:
    for key in (KEY, f" {KEY} "):
        answer = debugged.post(
            f"/files/{held_record.pk}/{steps}/", {"key": key}, headers={"Accept": accept}
        )
        assert answer.status_code == 500
        assert_shows_nothing(answer, KEY)


def test_a_debug_page_shows_no_cookie(held_record: FileRecord, alice: User, settings: Any) -> None:
    client = Client(raise_request_exception=False)
    client.force_login(alice)
    client.post(f"/files/{held_record.pk}/unlock/", {"key": KEY})
    cookie = client.cookies[unlocking.COOKIE].value
    settings.DEBUG = True
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(opening, "open_file", fails)
        answer = client.get(f"/files/{held_record.pk}/download/")
    assert answer.status_code == 500
    assert_shows_nothing(answer, KEY, cookie)


def test_a_debug_page_shows_no_passphrase(held_record: FileRecord, debugged: Client) -> None:
    typed = [field("passphrase", PASSPHRASE), field("passphrase_again", PASSPHRASE)]
    sent = body(field("custody", "held"), *typed, file("a", b"1"))
    answer = debugged.generic("POST", "/files/upload/", sent, CONTENT_TYPE)
    assert answer.status_code == 500
    assert_shows_nothing(answer, PASSPHRASE)
    fields = {"passphrase": PASSPHRASE, "passphrase_again": PASSPHRASE}
    answer = debugged.post(f"/files/{held_record.pk}/key/passphrase/", fields)
    assert answer.status_code == 500
    assert_shows_nothing(answer, PASSPHRASE)


def test_a_form_that_cannot_be_read_is_reported_without_its_key(
    held_record: FileRecord, alice: User, settings: Settings
) -> None:
    settings.DEBUG = True
    # Where the token is checked, the form is read before any view.
    client = Client(enforce_csrf_checks=True, raise_request_exception=False)
    client.force_login(alice)
    client.cookies[settings.CSRF_COOKIE_NAME] = "x" * 32
    fields = {"key": KEY, **{f"x{number}": "" for number in range(2000)}}
    address = f"/files/{held_record.pk}/unlock/"
    answer = client.post(
        address,
        "&".join(f"{k}={quote_plus(v)}" for k, v in fields.items()),
        "application/x-www-form-urlencoded",
    )
    assert answer.status_code == 400
    assert_shows_nothing(answer, KEY)
