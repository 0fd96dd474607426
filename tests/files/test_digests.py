"""Digests of files: what is kept is sealed, opens with the file alone, and goes with it."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from django.core.management import call_command
from django.db import connection, connections

from accounts.models import User
from files.crypto.digests import Digests, digest_all, seal_digests
from files.crypto.fernetkey import generate_master_key
from files.errors import FileDamaged
from files.keys.custody import UserKey
from files.models import FileRecord, StoredObject, UploadSession
from files.rotation import reencryption, rewrapping
from files.upkeep import verification
from files.upkeep.verification import Outcome
from files.vault import continuing, opening, removing, resumable, stored_objects, upload_state
from tests.audit.databases import as_default
from tests.files.conftest import CONTENT, KEY, Store, UseKeys

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

LONG = hashlib.shake_128(b"long").digest(9_000_000)
DIGESTS = digest_all([CONTENT])


def in_pieces(owner: User, content: bytes, *cuts: int) -> FileRecord:
    """Stored by an upload of several requests."""
    session = resumable.create(owner, name="pieces.bin", length=len(content))
    start, stored = 0, None
    for end in (*cuts, len(content)):
        with continuing.Continuation(session, start) as turn:
            turn.write(content[start:end])
            stored = turn.settle()
        start = end
    assert stored is not None
    return stored


def known(record: FileRecord, key: str | None = None) -> Digests | None:
    return opening.digests_of(StoredObject.objects.get(file=record), key)


def forget_digests() -> None:
    StoredObject.objects.update(digest=None)


@pytest.mark.parametrize("content", [b"", CONTENT, LONG])
def test_an_upload_in_one_go_has_both(store: Store, alice: User, content: bytes) -> None:
    assert known(store(alice, content)) == digest_all([content])
    assert known(in_pieces(alice, content)) == digest_all([content])


def test_an_upload_in_pieces_has_its_chain(alice: User, s3: S3Client) -> None:
    record = in_pieces(alice, LONG, 1, 300_000, 8_500_000)
    assert known(record) == Digests(digest_all([LONG]).chain)


@pytest.mark.django_db
def test_the_sha256_is_filled_in_by_a_verification(alice: User, s3: S3Client) -> None:
    record = in_pieces(alice, LONG, 300_000)
    for _ in range(2):
        row = StoredObject.objects.get(file=record)
        assert verification.verify(row).outcome == Outcome.OK
        assert known(record) == digest_all([LONG])
    forget_digests()
    call_command("verify_files", "--workers=1")
    assert known(record) == digest_all([LONG])


def test_a_file_that_is_not_what_its_digests_say_is_damaged(record: FileRecord) -> None:
    """Every frame authenticates: then the bytes were others before they were encrypted."""
    row = StoredObject.objects.get(file=record)
    dek = stored_objects.object_key(row).dek
    other = seal_digests(dek, row.context, Digests(b"o" * 32))
    StoredObject.objects.update(digest=other)
    finding = verification.verify(StoredObject.objects.get(file=record))
    assert (finding.outcome, finding.offset) == (Outcome.DAMAGED, None)
    with pytest.raises(FileDamaged):
        reencryption.reencrypt(FileRecord.objects.select_related("current").get())
    assert StoredObject.objects.get(file=record).state == StoredObject.State.DAMAGED


@pytest.mark.parametrize("token", [b"", b"x", b"x" * 200])
def test_a_token_that_does_not_open_is_none_and_made_anew(record: FileRecord, token: bytes) -> None:
    StoredObject.objects.update(digest=token)
    fresh = FileRecord.objects.select_related("current").get()
    assert known(record) is None
    assert opening.open_file(fresh).digests is None
    assert b"".join(opening.open_file(fresh).chunks()) == CONTENT
    verification.verify(StoredObject.objects.get(file=record))
    assert known(record) == DIGESTS


def test_a_token_of_another_file_opens_for_none(store: Store, alice: User) -> None:
    one, two = store(alice), store(alice, b"other")
    StoredObject.objects.filter(file=one).update(digest=two.current.digest)
    assert known(one) is None


def test_of_a_held_file_they_open_with_its_key_alone(held_record: FileRecord) -> None:
    assert known(held_record) is None
    assert known(held_record, UserKey.generated().text) is None
    assert known(held_record, KEY) == DIGESTS
    # A verification has no key: it neither opens nor makes any.
    forget_digests()
    verification.verify(StoredObject.objects.get(file=held_record))
    assert known(held_record, KEY) is None


def test_a_damaged_file_has_none(record: FileRecord) -> None:
    StoredObject.objects.update(state=StoredObject.State.DAMAGED)
    assert known(record) is None


def test_a_missing_master_key_is_no_error_of_theirs(record: FileRecord, use_keys: UseKeys) -> None:
    use_keys(generate_master_key())
    assert known(record) is None


# --- What happens to files ------------------------------------------------------------------------


@pytest.mark.parametrize("key", [None, KEY])
def test_a_rotation_of_master_keys_leaves_them(
    store: Store, alice: User, use_keys: UseKeys, key: str | None
) -> None:
    record = store(alice, key=UserKey(key) if key else None)
    use_keys(generate_master_key(), os.environ["MASTER_KEYS"])
    rewrapping.rewrap()
    assert known(record, key) == DIGESTS


@pytest.mark.parametrize("key", [None, KEY])
def test_a_reencryption_makes_them_anew(store: Store, alice: User, key: str | None) -> None:
    record = store(alice, key=UserKey(key) if key else None)
    old = StoredObject.objects.get(file=record)
    new = reencryption.reencrypt(record, user_key=key)
    assert known(new, key) == DIGESTS
    assert new.current.digest != old.digest
    assert StoredObject.objects.get(pk=old.pk).digest is None


@pytest.mark.parametrize("key", [None, KEY])
def test_a_reencryption_makes_what_was_not_known(
    store: Store, alice: User, key: str | None
) -> None:
    record = store(alice, key=UserKey(key) if key else None)
    forget_digests()
    assert known(reencryption.reencrypt(record, user_key=key), key) == DIGESTS


def test_a_deletion_erases_them_at_once_though_the_store_is_gone(
    record: FileRecord, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(removing, "purge", lambda row: False)
    removing.remove(record, actor=alice)
    row = StoredObject.objects.get()
    assert (row.state, row.digest, row.chain) == (StoredObject.State.DOOMED, None, None)


def test_the_state_of_an_upload_is_erased_when_it_is_complete_or_given_up(
    alice: User, s3: S3Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_pieces(alice, LONG, 300_000)
    assert StoredObject.objects.get().chain is None
    session = resumable.create(alice, name="left.bin", length=10)
    with continuing.Continuation(session, 0) as turn:
        turn.write(b"x")
        turn.settle()
    assert StoredObject.objects.get(session=session).chain
    monkeypatch.setattr(removing, "purge", lambda row: False)
    resumable.terminate(session)
    assert not StoredObject.objects.exclude(chain=None).exists()


def spellings(digest: bytes) -> set[bytes]:
    """As anybody might write it down."""
    texts = {digest.hex(), base64.b64encode(digest).decode().rstrip("=")}
    texts |= {base64.urlsafe_b64encode(digest).decode().rstrip("="), digest.hex().upper()}
    return {digest, *(text.encode() for text in texts)}


def of_document(content: bytes) -> set[bytes]:
    """All that somebody who has a document can look for, in its beginning as well."""
    digests = {hashlib.new(name, content).digest() for name in ("sha256", "sha1", "md5")}
    for end in (len(content), 300_000, 262_144):
        digests |= {digest_all([content[:end]]).chain, hashlib.sha256(content[:end]).digest()}
    return {spelling for digest in digests for spelling in spellings(digest)}


@pytest.mark.integration
@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "sqlite", reason="looks into the file of a database")
def test_a_thief_of_the_database_cannot_tell_whether_it_is_a_document(
    tmp_path: Path, s3: S3Client, django_user_model: type[User], store: Callable[..., FileRecord]
) -> None:
    """Complete and on its way, managed and held, by every way in: no digest is in the file."""
    path = tmp_path / "db.sqlite3"
    with as_default({**connections.settings["default"], "NAME": path}):
        call_command("migrate", verbosity=0)
        owner = django_user_model.objects.create_user("owner", "owner@example.org")
        kept = [store(owner, LONG), in_pieces(owner, LONG, 300_000)]
        store(owner, LONG, key=UserKey(KEY))
        for cut in (262_144, 300_000, 8_500_000):
            session = resumable.create(owner, name="going.bin", length=len(LONG))
            with continuing.Continuation(session, 0) as turn:
                turn.write(LONG[:cut])
                turn.settle()
            session = UploadSession.objects.get(pk=session.pk)
            assert upload_state.chain_of(session) == digest_all([LONG[:cut]]).chain
        for row in StoredObject.objects.filter(state=StoredObject.State.LIVE):
            verification.verify(row)
        assert all(known(record) == digest_all([LONG]) for record in kept)
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        files = b"".join(each.read_bytes() for each in tmp_path.glob("db.sqlite3*"))
    assert b"going.bin" in files
    assert not [spelling for spelling in of_document(LONG) if spelling in files]
