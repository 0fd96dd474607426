"""The bytes of a file go out: with its key, within the limits, as one download of the log."""

from __future__ import annotations

from typing import Any

import pytest

from accounts.models import User
from audit.models import AuditEvent
from client.securestore_client.api import key_header
from files.keys.custody import UserKey
from tests.files.conftest import CONTENT, Store
from tests.files.web.api.callers import Caller, digest, problem, whole

pytestmark = pytest.mark.usefixtures("s3")


def test_a_held_file_shows_its_key_once_and_takes_it(caller: Caller) -> None:
    stored = caller.put("/content/secret.txt?custody=held", b"secret")
    key = stored.json()["key"]
    assert stored["Securestore-Key"] == key
    assert "Repr-Digest" not in stored
    assert problem(caller.get("/content/secret.txt")) == (403, "key_needed")
    wrong = caller.get("/content/secret.txt", Securestore_Key="A" * 43 + "=")
    assert problem(wrong) == (403, "wrong_key")
    assert problem(caller.get("/content/secret.txt", Securestore_Key="x")) == (400, "not_a_key")
    for _ in range(2):
        assert whole(caller.get("/content/secret.txt", Securestore_Key=key)) == b"secret"
    assert AuditEvent.objects.filter(event="file_unlocked").count() == 1
    file_id = stored.json()["file"]["id"]
    assert problem(caller.get(f"/files/{file_id}/digest")) == (403, "key_needed")
    told = caller.get(f"/files/{file_id}/digest", Securestore_Key=key).json()
    assert told["repr_digest"] == digest(b"secret")


@pytest.mark.parametrize(
    "passphrase",
    ["correct horse battery", "Grüße an \U0001fa77 łódź", " 50% blank at the ends ", "UTF-8''x"],
)
def test_a_passphrase_of_any_characters_opens_a_file(
    caller: Caller, alice: User, store: Store, passphrase: str
) -> None:
    """As the command writes it, too: a header is ASCII, and loses blanks at its ends."""
    record = store(alice, key=UserKey.from_passphrase(passphrase))
    sent = key_header(passphrase)["Securestore-Key"]
    assert sent.isascii()
    assert sent.strip() == sent
    path = f"/files/{record.pk}/content"
    assert whole(caller.get(path, Securestore_Key=sent)) == CONTENT
    assert problem(caller.get(path, Securestore_Key="UTF-8''%FF")) == (400, "not_a_key")


def test_wrong_keys_are_limited_as_on_pages(caller: Caller) -> None:
    caller.put("/content/secret.txt?custody=held", b"secret")
    codes = [
        problem(caller.get("/content/secret.txt", Securestore_Key="A" * 43 + "=")) for _ in range(6)
    ]
    assert codes[:5] == [(403, "wrong_key")] * 5
    assert codes[5] == (429, "too_many_attempts")


def test_transfers_of_a_person_are_limited_as_on_pages(
    caller: Caller, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("securestore.transfer_limits.PATIENCE", 0.01)
    caller.put("/content/a", b"1")
    settings.TRANSFERS_PER_PERSON = 1
    first = caller.get("/content/a")
    refused = caller.get("/content/a")
    assert problem(refused) == (429, "too_many_transfers")
    assert refused["Retry-After"]
    first.close()


def test_a_download_names_the_token_and_its_requests_are_one(caller: Caller) -> None:
    caller.put("/content/a", CONTENT)
    for part in ("bytes=0-3", "bytes=4-"):
        whole(caller.get("/content/a", Range=part))
    [event] = AuditEvent.objects.filter(event="file_downloaded")
    assert (event.data["outcome"], event.data["ranges"]) == ("complete", 2)
    assert event.data["by_token_id"] == caller.made.token.pk
