"""The pages about a held file's key: enter it, see it once more, confirm, encrypt anew."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from datetime import timedelta
from io import BytesIO
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from accounts import reauthentication
from accounts.limits import KEY_ENTRY
from accounts.models import User
from files.crypto.fernetkey import generate_master_key
from files.errors import KeyNeeded
from files.keys import custody
from files.keys.custody import UserKey
from files.models import FileRecord, Grant, HeldKey, StoredObject
from files.tree import placing
from files.vault import opening, storing
from files.vault.destinations import Destination
from files.web.transfers import unlocking
from tests.files.conftest import CONTENT, KEY, PASSPHRASE, Store

Give = Callable[..., Grant]
WRONG = KEY[::-1][1:] + "="
Events = Callable[[str], list[dict[str, Any]]]


@pytest.fixture
def owner(client: Client, alice: User) -> Client:
    client.force_login(alice)
    return client


def page(record: FileRecord, *steps: str) -> str:
    return "/".join(["/files", str(record.pk), *steps, ""])


def unlock(client: Client, record: FileRecord, key: str = KEY) -> Any:
    return client.post(page(record, "unlock"), {"key": key})


def downloaded(client: Client, record: FileRecord, **headers: str) -> Any:
    return client.get(page(record, "download"), headers=headers)


def body(answer: Any) -> bytes:
    return b"".join(answer.streaming_content)


# --- Unlock -------------------------------------------------------------------------------------


def test_the_right_key_opens_the_file_in_this_browser(
    owner: Client, held_record: FileRecord, events: Events
) -> None:
    assert 'name="key"' in owner.get(page(held_record)).text
    answer = unlock(owner, held_record)
    assert (answer.status_code, answer["Location"]) == (302, page(held_record))
    assert body(downloaded(owner, held_record)) == CONTENT
    assert "Unlocked in this browser" in owner.get(page(held_record)).text
    assert [event["actor"] for event in events("file_unlocked")] == ["alice"]


def test_a_grant_holder_unlocks_it_too(
    client: Client, held_record: FileRecord, bob: User, give: Give
) -> None:
    give(held_record, bob)
    client.force_login(bob)
    assert downloaded(client, held_record).status_code == 403
    assert unlock(client, held_record).status_code == 302
    assert body(downloaded(client, held_record)) == CONTENT
    # Only the owner's own knowledge of it says that it was saved.
    assert HeldKey.objects.get().saved_at is None


def test_white_space_around_a_key_does_no_harm(owner: Client, held_record: FileRecord) -> None:
    assert unlock(owner, held_record, f" {KEY}\r\n").status_code == 302


def test_a_wrong_key_is_called_wrong_and_nothing_else(
    owner: Client, held_record: FileRecord, events: Events
) -> None:
    wrong = generate_master_key()
    answer = unlock(owner, held_record, wrong)
    assert answer.status_code == 403
    assert "Wrong key" in answer.text
    assert "damaged" not in answer.text
    assert wrong not in answer.text
    assert unlocking.COOKIE not in answer.cookies
    assert events("wrong_key") == [{"file_id": held_record.pk, "actor": "alice"}]
    assert StoredObject.objects.get().state == "live"


@pytest.mark.parametrize("typed", ["", "nonsense", KEY[:-1], KEY + "A", "k\u00e9y", KEY * 9])
def test_what_is_no_key_is_told_what_one_looks_like(
    owner: Client, held_record: FileRecord, typed: str
) -> None:
    answer = unlock(owner, held_record, typed)
    assert answer.status_code == 400
    assert "44 characters" in answer.text
    if typed:
        assert typed not in answer.text


def test_a_form_without_the_field_is_400(owner: Client, held_record: FileRecord) -> None:
    assert owner.post(page(held_record, "unlock")).status_code == 400


@pytest.mark.parametrize("method", ["get", "head", "put", "patch", "delete"])
def test_keys_are_posted(owner: Client, held_record: FileRecord, method: str) -> None:
    assert getattr(owner, method)(page(held_record, "unlock")).status_code == 405


def test_a_stranger_gets_the_answer_of_a_file_that_is_not_there(
    client: Client, held_record: FileRecord, mallory: User
) -> None:
    client.force_login(mallory)
    there = unlock(client, held_record)
    nowhere = client.post(f"/files/{uuid.uuid4()}/unlock/", {"key": KEY})
    assert there.status_code == nowhere.status_code == 404
    strip = re.compile(rf"{held_record.pk}|[0-9a-f]{{32}}|value=\"\w{{64}}\"")
    assert strip.sub("", there.text) == strip.sub("", nowhere.text)


def test_who_may_not_download_may_not_try_keys(
    owner: Client, held_record: FileRecord, alice: User
) -> None:
    alice.groups.clear()
    assert unlock(owner, held_record).status_code == 403
    assert not owner.cookies.get(unlocking.COOKIE)


def test_a_managed_file_needs_no_key(owner: Client, record: FileRecord) -> None:
    answer = unlock(owner, record)
    assert (answer.status_code, answer["Location"]) == (302, page(record))
    assert unlocking.COOKIE not in answer.cookies
    assert "needs no key" in owner.get(page(record)).text


def test_a_passphrase_is_asked_for_where_there_is_one(
    owner: Client, store: Store, alice: User
) -> None:
    record = store(alice, key=UserKey.from_passphrase(PASSPHRASE))
    assert "Passphrase of this file" in owner.get(page(record)).text
    wrong = unlock(owner, record, "another passphrase")
    assert wrong.status_code == 403
    assert "Wrong key: what you typed is not the passphrase of this file." in wrong.text
    assert unlock(owner, record, PASSPHRASE).status_code == 302
    assert body(downloaded(owner, record)) == CONTENT


def test_a_damaged_file_is_not_unlocked(owner: Client, held_record: FileRecord) -> None:
    StoredObject.objects.update(state="damaged")
    assert unlock(owner, held_record).status_code == 502


def test_without_a_csrf_token_nothing_is_unlocked(held_record: FileRecord, alice: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(alice)
    assert unlock(client, held_record).status_code == 403
    assert unlocking.COOKIE not in client.cookies


# --- Limits -------------------------------------------------------------------------------------


def test_wrong_keys_are_limited_and_the_right_one_waits_too(
    owner: Client, held_record: FileRecord, events: Events
) -> None:
    for _ in range(5):
        assert unlock(owner, held_record, generate_master_key()).status_code == 403
    for _ in range(2):
        answer = unlock(owner, held_record)
        assert answer.status_code == 429
        assert "Wait 5 minutes" in answer.text
        assert 295 < int(answer["Retry-After"]) <= 300
    assert len(events("wrong_key")) == 5
    assert len(events("locked_out")) == 1


def test_right_keys_and_typing_errors_are_not_counted(
    owner: Client, held_record: FileRecord
) -> None:
    for _ in range(4):
        assert unlock(owner, held_record, generate_master_key()).status_code == 403
    for _ in range(4):
        assert unlock(owner, held_record).status_code == 302
        assert unlock(owner, held_record, "no key").status_code == 400
    assert unlock(owner, held_record, generate_master_key()).status_code == 403
    assert unlock(owner, held_record).status_code == 429


@pytest.mark.parametrize("scope", ["file", "user", "address"])
def test_wrong_keys_count_for_the_file_the_person_and_the_address(
    owner: Client, store: Store, alice: User, scope: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(KEY_ENTRY.rates, scope, "2/h")
    records = [store(alice, key=UserKey(KEY)) for _ in range(2)]
    first = records[0]
    for _ in range(2):
        assert unlock(owner, first, generate_master_key()).status_code == 403
    assert unlock(owner, first).status_code == 429
    assert unlock(owner, records[1]).status_code == (302 if scope == "file" else 429)
    cache.clear()
    assert unlock(owner, first).status_code == 302


@pytest.mark.parametrize("scope", ["file", "address"])
def test_wrong_keys_of_others_never_keep_the_owner_out(
    owner: Client,
    held_record: FileRecord,
    bob: User,
    mallory: User,
    give: Give,
    scope: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(KEY_ENTRY.rates, scope, "3/h")
    others = [Client(), Client()]
    for client, person in zip(others, (bob, mallory), strict=True):
        give(held_record, person)
        client.force_login(person)
    for _ in range(3):
        assert unlock(others[0], held_record, generate_master_key()).status_code == 403
    # Guesses at one file, and from one address, have one bound for all others together.
    assert unlock(others[1], held_record).status_code == 429
    assert unlock(owner, held_record, generate_master_key()).status_code == 403
    assert unlock(owner, held_record).status_code == 302
    answer = owner.post(page(held_record, "reencrypt"), {"key": KEY})
    assert answer.status_code == 302


# --- Every way out asks -------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["get", "head"])
@pytest.mark.parametrize(
    "headers", [{}, {"Range": "bytes=0-9"}, {"If-None-Match": "*"}, {"If-Range": '"x"'}]
)
def test_a_locked_file_gives_no_byte_and_asks_for_its_key(
    owner: Client, held_record: FileRecord, method: str, headers: dict[str, str]
) -> None:
    answer = getattr(owner, method)(page(held_record, "download"), headers=headers)
    assert answer.status_code == 403
    assert not answer.streaming
    for name in ("ETag", "Accept-Ranges", "Content-Range", "Content-Disposition"):
        assert name not in answer
    assert CONTENT[:20].decode() not in answer.text
    assert answer["Cache-Control"] == "private, no-store"
    if method == "get":
        assert 'name="key"' in answer.text


def test_ranges_heads_and_conditions_work_once_it_is_unlocked(
    owner: Client, held_record: FileRecord
) -> None:
    unlock(owner, held_record)
    part = downloaded(owner, held_record, Range="bytes=5-9")
    assert (part.status_code, body(part)) == (206, CONTENT[5:10])
    rest = downloaded(owner, held_record, Range="bytes=100-", **{"If-Range": part["ETag"]})
    assert (rest.status_code, body(rest)) == (206, CONTENT[100:])
    same = downloaded(owner, held_record, **{"If-None-Match": part["ETag"]})
    assert same.status_code == 304
    head = owner.head(page(held_record, "download"))
    assert (head.status_code, head["Content-Length"]) == (200, str(len(CONTENT)))


def test_a_zip_refuses_held_files_by_name(
    owner: Client, held_record: FileRecord, record: FileRecord
) -> None:
    unlock(owner, held_record)
    answer = owner.post("/files/download/", {"file": [held_record.pk, record.pk]})
    assert answer.status_code == 403
    assert not answer.streaming
    assert "secret.txt" in answer.text
    assert "fox.txt" not in answer.text


def test_the_list_leads_to_the_key(owner: Client, held_record: FileRecord) -> None:
    text = owner.get("/files/").text
    assert "locked" in text
    assert "Enter key" in text
    assert f"/files/{held_record.pk}/download/" not in text


# --- The key once more, and the confirmation ----------------------------------------------------


def test_the_owner_is_shown_the_key_until_it_is_confirmed(
    owner: Client, held_record: FileRecord, events: Events
) -> None:
    assert "Nobody has confirmed" in owner.get(page(held_record)).text
    answer = owner.get(page(held_record, "key"))
    assert f">{KEY}</code>" in answer.text
    assert answer["Cache-Control"] == "private, no-store, no-transform"
    answer = owner.post("/files/keys/saved/", {"file": held_record.pk, "saved": "yes"})
    assert (answer.status_code, answer["Location"]) == (302, page(held_record))
    text = owner.get(page(held_record)).text
    assert "Nobody has confirmed" not in text
    assert KEY not in text
    answer = owner.get(page(held_record, "key"))
    assert (answer.status_code, answer["Location"]) == (302, page(held_record))
    assert [len(events(name)) for name in ("key_shown", "key_saved")] == [1, 1]


def test_the_key_as_a_file(owner: Client, held_record: FileRecord) -> None:
    answer = owner.post(page(held_record, "key", "file"))
    assert answer.content == f"{KEY}\n".encode()
    assert answer["Content-Disposition"] == 'attachment; filename="secret.txt.key"'
    assert answer["Cache-Control"] == "private, no-store"
    custody.confirm(held_record.current)
    assert owner.post(page(held_record, "key", "file")).status_code == 302


def test_the_keys_of_several_in_one_file(
    owner: Client, held_record: FileRecord, store: Store, alice: User, events: Events
) -> None:
    key = UserKey.generated()
    other = store(alice, name="tab\tand line\nin it.txt", key=key)
    wanted = {"file": [held_record.pk, other.pk]}
    answer = owner.post("/files/keys/file/", wanted)
    assert sorted(answer.content.decode().splitlines()) == [
        f"secret.txt\t{held_record.pk}\t{KEY}",
        f"tab and line in it.txt\t{other.pk}\t{key.text}",
    ]
    assert answer["Content-Disposition"] == 'attachment; filename="securestore.keys"'
    assert answer["Cache-Control"] == "private, no-store"
    assert len(events("key_shown")) == 2
    # Those alone that are offered still; nothing is confirmed by it.
    assert not HeldKey.objects.exclude(saved_at=None).exists()
    custody.confirm(held_record.current)
    assert str(held_record.pk) not in owner.post("/files/keys/file/", wanted).content.decode()
    custody.confirm(other.current)
    assert owner.post("/files/keys/file/", wanted)["Location"] == "/files/"
    assert owner.post("/files/keys/file/", {}).status_code == 404
    assert owner.get("/files/keys/file/").status_code == 405


def test_the_page_of_several_keys_offers_them_in_one_go(
    owner: Client, s3: object, alice: User
) -> None:
    form = {"custody": "held", "files": [BytesIO(b"1"), BytesIO(b"2")]}
    answer = owner.post("/files/upload/", form)
    assert 'action="/files/keys/file/"' in answer.text
    one = owner.post("/files/upload/", {"custody": "held", "files": BytesIO(b"1")})
    assert 'action="/files/keys/file/"' not in one.text


def test_without_the_tick_nothing_is_confirmed(owner: Client, held_record: FileRecord) -> None:
    answer = owner.post("/files/keys/saved/", {"file": held_record.pk})
    assert answer["Location"] == page(held_record, "key")
    assert custody.offered_key(held_record.current, held_record.owner) == KEY


def test_several_are_confirmed_at_once_and_all_or_none(
    owner: Client, held_record: FileRecord, store: Store, alice: User, bob: User
) -> None:
    mine = store(alice, key=UserKey.generated())
    bobs = store(bob, key=UserKey.generated())
    wanted = [held_record.pk, mine.pk]
    answer = owner.post("/files/keys/saved/", {"file": [*wanted, bobs.pk], "saved": "yes"})
    assert answer.status_code == 404
    assert not HeldKey.objects.exclude(saved_at=None).exists()
    answer = owner.post("/files/keys/saved/", {"file": wanted, "saved": "yes"})
    assert answer["Location"] == "/files/"
    assert HeldKey.objects.exclude(saved_at=None).count() == 2


def test_the_script_of_the_upload_page_stays_there(owner: Client, held_record: FileRecord) -> None:
    fields = {"file": held_record.pk, "saved": "yes"}
    answer = owner.post("/files/keys/saved/", fields, headers={"Accept": "text/plain"})
    assert answer.status_code == 204


def test_the_owner_who_unlocks_it_has_confirmed_it(owner: Client, held_record: FileRecord) -> None:
    unlock(owner, held_record)
    assert custody.offered_key(held_record.current, held_record.owner) is None
    assert "Nobody has confirmed" not in owner.get(page(held_record)).text


def test_a_key_that_is_not_offered_any_more_is_said_to_be_gone(
    owner: Client, held_record: FileRecord, settings: Settings
) -> None:
    HeldKey.objects.update(made_at=timezone.now() - settings.KEY_OFFER)
    text = owner.get(page(held_record)).text
    assert "The server no longer has the key." in text
    assert page(held_record, "key") not in text


def test_later_the_owner_proves_first_who_it_is(
    owner: Client, held_record: FileRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    HeldKey.objects.update(made_at=timezone.now() - timedelta(minutes=11))
    monkeypatch.setattr(reauthentication, "is_recent", lambda request: False)
    answer = owner.get(page(held_record, "key"))
    assert answer.status_code == 302
    assert answer["Location"].startswith("/accounts/reauthenticate/?next=%2Ffiles%2F")
    assert owner.post(page(held_record, "key", "file")).status_code == 302
    both = owner.post("/files/keys/file/", {"file": held_record.pk})
    assert both["Location"].startswith("/accounts/reauthenticate/")
    typed = {"passphrase": PASSPHRASE, "passphrase_again": PASSPHRASE}
    assert owner.post(page(held_record, "key", "passphrase"), typed).status_code == 302
    monkeypatch.setattr(reauthentication, "is_recent", lambda request: True)
    assert KEY in owner.get(page(held_record, "key")).text


@pytest.mark.parametrize("level", ["download", "manage"])
def test_the_key_is_shown_to_nobody_but_the_owner(
    client: Client, held_record: FileRecord, bob: User, give: Give, level: str
) -> None:
    give(held_record, bob, level=level)
    client.force_login(bob)
    assert client.get(page(held_record, "key")).status_code == 404
    for steps in (("key", "file"), ("key", "passphrase"), ("reencrypt",)):
        assert client.post(page(held_record, *steps), {"key": KEY}).status_code == 404
    fields = {"file": held_record.pk, "saved": "yes"}
    for door in ("saved", "file"):
        assert client.post(f"/files/keys/{door}/", fields).status_code == 404
    assert custody.offered_key(held_record.current, held_record.owner) == KEY


def test_who_is_made_the_owner_is_not_shown_the_key(
    client: Client, held_record: FileRecord, bob: User
) -> None:
    FileRecord.objects.update(owner=bob)
    client.force_login(bob)
    assert page(held_record, "key") not in client.get(page(held_record)).text
    assert client.get(page(held_record, "key"))["Location"] == page(held_record)
    assert KEY.encode() not in client.post(page(held_record, "key", "file")).content
    typed = {"passphrase": PASSPHRASE, "passphrase_again": PASSPHRASE}
    assert client.post(page(held_record, "key", "passphrase"), typed).status_code == 409
    assert unlock(client, held_record).status_code == 302


# --- Encrypt anew -------------------------------------------------------------------------------


def test_the_owner_encrypts_a_file_anew_with_its_key(
    owner: Client, held_record: FileRecord, events: Events
) -> None:
    old = held_record.current
    assert 'name="key"' in owner.get(page(held_record, "reencrypt")).text
    answer = owner.post(page(held_record, "reencrypt"), {"key": KEY})
    assert (answer.status_code, answer["Location"]) == (302, page(held_record))
    new = FileRecord.objects.select_related("current__held_key").get()
    assert new.current.stream_id != old.stream_id
    assert (new.custody, new.current.custody) == ("held", "held")
    assert body(downloaded(owner, new)) == CONTENT
    assert new.current.held_key.saved_at is not None
    with pytest.raises(KeyNeeded):
        opening.open_file(new)
    assert len(events("file_reencrypted")) == 1


def test_a_passphrase_stays_the_same(owner: Client, store: Store, alice: User) -> None:
    record = store(alice, key=UserKey.from_passphrase(PASSPHRASE))
    assert owner.post(page(record, "reencrypt"), {"key": PASSPHRASE}).status_code == 302
    assert unlock(Client(), record).status_code == 302  # To sign in.
    assert unlock(owner, record, PASSPHRASE).status_code == 302


@pytest.mark.parametrize(("typed", "status"), [("no key", 400), (WRONG, 403)])
def test_without_its_key_it_is_not_encrypted_anew(
    owner: Client, held_record: FileRecord, typed: str, status: int
) -> None:
    answer = owner.post(page(held_record, "reencrypt"), {"key": typed})
    assert answer.status_code == status
    assert typed not in answer.text
    assert FileRecord.objects.get().current_id == held_record.current_id


def test_wrong_keys_are_limited_there_as_well(owner: Client, held_record: FileRecord) -> None:
    for _ in range(5):
        owner.post(page(held_record, "reencrypt"), {"key": generate_master_key()})
    assert owner.post(page(held_record, "reencrypt"), {"key": KEY}).status_code == 429
    assert unlock(owner, held_record).status_code == 429


def test_encrypting_anew_ends_what_was_unlocked(
    owner: Client, held_record: FileRecord, bob: User, give: Give
) -> None:
    give(held_record, bob)
    bobs = Client()
    bobs.force_login(bob)
    unlock(bobs, held_record)
    owner.post(page(held_record, "reencrypt"), {"key": KEY})
    assert downloaded(bobs, held_record).status_code == 403


# --- Passphrases by the script of the upload page -----------------------------------------------


def test_a_passphrase_is_judged_before_anything_is_sent(owner: Client) -> None:
    good = {"passphrase": PASSPHRASE, "passphrase_again": PASSPHRASE}
    assert owner.post("/files/passphrase/", good).status_code == 204
    weak = {"passphrase": "password1234", "passphrase_again": "password1234"}
    answer = owner.post("/files/passphrase/", weak)
    assert answer.status_code == 400
    assert "easy to guess" in answer.text
    assert owner.post("/files/passphrase/", {}).status_code == 400
    assert owner.get("/files/passphrase/").status_code == 405


def test_a_passphrase_takes_the_place_of_a_new_key(
    owner: Client, held_record: FileRecord, events: Events
) -> None:
    typed = {"passphrase": PASSPHRASE, "passphrase_again": PASSPHRASE}
    address = page(held_record, "key", "passphrase")
    assert owner.post(address, typed).status_code == 204
    assert unlock(owner, held_record, PASSPHRASE).status_code == 302
    assert unlock(owner, held_record, KEY).status_code == 403
    assert body(downloaded(owner, held_record)) == CONTENT
    assert owner.post(address, typed).status_code == 409
    assert len(events("passphrase_set")) == 1


def test_a_weak_one_does_not(owner: Client, held_record: FileRecord) -> None:
    typed = {"passphrase": "password1234", "passphrase_again": "password1234"}
    assert owner.post(page(held_record, "key", "passphrase"), typed).status_code == 400
    assert custody.offered_key(held_record.current, held_record.owner) == KEY


# --- Pages cost the same ------------------------------------------------------------------------


def test_the_page_of_a_held_file_costs_no_query_more(
    owner: Client, held_record: FileRecord, record: FileRecord, django_assert_max_num_queries: Any
) -> None:
    owner.get(page(record))
    for one in (record, held_record):
        with django_assert_max_num_queries(14):
            owner.get(page(one))
    unlock(owner, held_record)
    with django_assert_max_num_queries(14):
        owner.get(page(held_record))


def test_unlocking_from_a_download_goes_on_with_it(
    client: Client, held_record: FileRecord, alice: User
) -> None:
    client.force_login(alice)
    address = f"/files/{held_record.pk}/"
    asked = client.get(f"{address}download/")
    assert asked.status_code == 403
    assert '<input type="hidden" name="then" value="download">' in asked.text
    # Also after a wrong key.
    wrong = client.post(f"{address}unlock/", {"key": UserKey.generated().text, "then": "download"})
    assert wrong.status_code == 403
    assert '<input type="hidden" name="then" value="download">' in wrong.text
    answer = client.post(f"{address}unlock/", {"key": KEY, "then": "download"}, follow=True)
    assert answer.redirect_chain == [(f"{address}download/", 302)]
    assert b"".join(answer) == CONTENT


@pytest.mark.parametrize("then", ["", "https://example.org/", "/admin/", "downloads"])
def test_unlocking_goes_nowhere_else(
    client: Client, held_record: FileRecord, alice: User, then: str
) -> None:
    client.force_login(alice)
    address = f"/files/{held_record.pk}/"
    assert 'name="then"' not in client.get(address).text
    answer = client.post(f"{address}unlock/", {"key": KEY, "then": then})
    assert answer["Location"] == address


def test_the_key_of_a_file_given_to_another_is_its_uploaders(
    client: Client, s3: object, alice: User, bob: User, give: Give
) -> None:
    """Page, file and confirmation; the owner is told whom to get it from."""
    case = placing.add_folder(placing.root_of(alice), "case", added_by=alice)
    give(case, bob, level="add")
    to = Destination(case)
    record = storing.store(bob, [b"x"], name="s.txt", key=UserKey(KEY), destination=to)
    client.force_login(bob)
    assert page(record, "key") in client.get(page(record)).text
    assert KEY in client.get(page(record, "key")).text
    client.force_login(alice)
    seen = client.get(page(record)).text
    assert "bob</bdi>, who uploaded it" in seen
    assert page(record, "key") not in seen
    fields = {"file": record.pk, "saved": "yes"}
    assert client.post("/files/keys/saved/", fields).status_code == 404
    # That the owner has it says nothing of whether the uploader has.
    assert unlock(client, record).status_code == 302
    assert custody.offered_key(record.current, bob) == KEY
    client.force_login(bob)
    assert client.post("/files/keys/saved/", fields).status_code == 302
    assert custody.offered_key(record.current, bob) is None
