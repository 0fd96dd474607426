"""What locks a held file's DEK, and what the server keeps of the key."""

from __future__ import annotations

import os
from datetime import timedelta
from unittest.mock import patch

import pytest
from django.core.files.storage import default_storage
from django.db import IntegrityError
from django.utils import timezone
from pytest_django import Settings

from accounts.models import User
from files.crypto.errors import Damaged
from files.crypto.fernetkey import generate_master_key
from files.crypto.keyrecord import Custody as KeyCustody
from files.crypto.passphrase import Derivation
from files.errors import FileDamaged, KeyNeeded, KeysMissing, NotAKey, WrongFileKey
from files.keys import custody
from files.keys.custody import UserKey
from files.keys.master_keys import keyring
from files.models import FileRecord, HeldKey, StoredObject
from files.rotation import retirement, rewrapping
from files.upkeep import sweeping
from files.vault import opening
from tests.files.conftest import CONTENT, KEY, PASSPHRASE, Store, UseKeys


def read(record: FileRecord, key: str | None) -> bytes:
    return b"".join(opening.open_file(record, key).chunks())


def held_key() -> HeldKey:
    return HeldKey.objects.get()


def test_reading_takes_the_masters_key_and_the_users(held_record: FileRecord) -> None:
    assert read(held_record, KEY) == CONTENT
    with pytest.raises(KeyNeeded):
        opening.open_file(held_record)
    with pytest.raises(WrongFileKey):
        opening.open_file(held_record, generate_master_key())
    with pytest.raises(NotAKey):
        opening.open_file(held_record, "no key")


def test_a_file_without_a_key_of_its_own_takes_none(record: FileRecord) -> None:
    assert read(record, None) == CONTENT


def test_without_the_master_key_the_users_opens_nothing(
    held_record: FileRecord, use_keys: UseKeys
) -> None:
    use_keys(generate_master_key())
    with pytest.raises(KeysMissing):
        opening.open_file(held_record, KEY)


def test_the_row_has_the_dek_under_both_keys_only(held_record: FileRecord) -> None:
    row = held_record.current
    found = keyring().unwrap(
        row.wrapped, context=row.context, size=row.size, custody=KeyCustody.HELD
    )
    assert len(found.material) == 137


def test_a_row_that_claims_another_custody_is_refused(held_record: FileRecord) -> None:
    StoredObject.objects.update(custody="managed")
    record = FileRecord.objects.select_related("current").get()
    for key in (None, KEY):
        with pytest.raises(FileDamaged):
            opening.open_file(record, key)


def test_the_storage_alone_does_not_open_it(held_record: FileRecord) -> None:
    with pytest.raises(KeyNeeded):
        default_storage.open(held_record.current.object_name)


def test_a_rewrap_needs_no_users_key(held_record: FileRecord, use_keys: UseKeys) -> None:
    second = generate_master_key()
    use_keys(second, os.environ["MASTER_KEYS"])
    assert rewrapping.rewrap().rewrapped == 1
    use_keys(second)
    record = FileRecord.objects.select_related("current").get()
    assert read(record, KEY) == CONTENT
    with pytest.raises(WrongFileKey):
        opening.open_file(record, second)


def test_what_is_typed_for_a_generated_key_is_a_key(held_record: FileRecord) -> None:
    assert custody.typed_key(held_record, KEY) == KEY
    with pytest.raises(NotAKey):
        custody.typed_key(held_record, "no key")


# --- Passphrases --------------------------------------------------------------------------------


def test_a_passphrase_opens_what_its_key_locked(store: Store, alice: User) -> None:
    record = store(alice, key=UserKey.from_passphrase(PASSPHRASE))
    assert read(record, custody.typed_key(record, f" {PASSPHRASE} ")) == CONTENT
    with pytest.raises(WrongFileKey):
        opening.open_file(record, custody.typed_key(record, PASSPHRASE.title()))
    with pytest.raises(NotAKey):
        custody.typed_key(record, " ")


def test_nothing_of_a_passphrase_is_kept_but_its_salt_and_costs(
    store: Store, alice: User, full_cost: None
) -> None:
    store(alice, key=UserKey.from_passphrase(PASSPHRASE))
    assert held_key().offered is None
    assert held_key().saved_at is not None
    assert Derivation.decode(held_key().derivation).passes == 3


def test_a_derivation_that_was_altered_is_no_wrong_key(store: Store, alice: User) -> None:
    record = store(alice, key=UserKey.from_passphrase(PASSPHRASE))
    HeldKey.objects.update(derivation="argon2id$v=19$m=9999999,t=3,p=4$AAAAAAAAAAAAAAAAAAAAAA")
    record = FileRecord.objects.select_related("current__held_key").get()
    with pytest.raises(Damaged):
        custody.typed_key(record, PASSPHRASE)


def test_who_waits_for_a_passphrase_keeps_no_connection_from_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[str] = []

    def derive(derivation: Derivation, passphrase: str) -> str:
        seen.append(passphrase)
        return KEY

    monkeypatch.setattr("runtime.connections.release", lambda: seen.append("released"))
    monkeypatch.setattr(Derivation, "derive", derive)
    assert UserKey.from_passphrase(PASSPHRASE).text == KEY
    assert seen == ["released", PASSPHRASE]


def test_keys_do_not_show_in_representations() -> None:
    assert KEY not in repr(UserKey(KEY))


# --- What is kept of a generated key ------------------------------------------------------------


def test_a_new_key_is_offered_until_it_is_confirmed(held_record: FileRecord) -> None:
    row = held_record.current
    assert custody.offered_key(row, held_record.owner) == KEY
    assert KEY.encode() not in bytes(held_key().offered or b"")
    assert custody.confirm(row)
    assert not custody.confirm(row)
    assert custody.offered_key(row, held_record.owner) is None
    assert held_key().offered is None


def test_a_new_key_is_offered_for_so_long(held_record: FileRecord, settings: Settings) -> None:
    HeldKey.objects.update(made_at=timezone.now() - settings.KEY_OFFER)
    assert custody.offered_key(held_record.current, held_record.owner) is None
    assert held_key().offered is not None
    assert custody.forget_lapsed() == 1
    assert held_key().offered is None
    assert held_key().saved_at is None


@pytest.mark.parametrize(("before_the_end", "offered"), [(1, True), (0, False)])
def test_an_offer_ends_at_its_very_moment(
    held_record: FileRecord, settings: Settings, before_the_end: int, offered: bool
) -> None:
    ends = held_key().made_at + settings.KEY_OFFER
    moment = ends - timedelta(microseconds=before_the_end)
    with patch("django.utils.timezone.now", return_value=moment):
        assert (custody.offer_ends(held_record.current) == ends) is offered
        key = custody.offered_key(held_record.current, held_record.owner)
    assert key == (KEY if offered else None)


def test_a_key_is_offered_to_nobody_but_who_uploaded_the_file(
    store: Store, alice: User, bob: User, root: User
) -> None:
    record = store(bob, key=UserKey(KEY))
    FileRecord.objects.update(owner=root)
    for person in (alice, root):
        assert custody.offered_key(record.current, person) is None
    assert custody.offered_key(record.current, bob) == KEY


def test_an_exchanged_key_is_what_is_offered_from_then_on(held_record: FileRecord) -> None:
    other = UserKey.generated()
    custody.renote(held_record.current, other)
    assert custody.offered_key(held_record.current, held_record.owner) == other.text
    by_passphrase = UserKey.from_passphrase(PASSPHRASE)
    custody.renote(held_record.current, by_passphrase)
    assert (held_key().derivation, held_key().offered) == (by_passphrase.derivation, None)


def test_a_file_without_a_key_of_its_own_offers_none(record: FileRecord) -> None:
    assert custody.offer_ends(record.current) is None
    assert custody.offered_key(record.current, record.owner) is None


def test_a_stream_in_anothers_place_has_the_same_key_and_offers_none(
    held_record: FileRecord, store: Store, alice: User
) -> None:
    by_passphrase = store(alice, key=UserKey.from_passphrase(PASSPHRASE)).current
    derivation = HeldKey.objects.get(object=by_passphrase).derivation
    for old, expected in ((held_record.current, ""), (by_passphrase, derivation)):
        new = store(alice).current
        custody.carry_over(old, new)
        noted = HeldKey.objects.get(object=new)
        assert (noted.derivation, noted.offered) == (expected, None)
        assert noted.saved_at is not None


def test_the_sweep_erases_what_is_offered_no_longer(
    held_record: FileRecord, settings: Settings
) -> None:
    sweeping.sweep(now=timezone.now() + settings.KEY_OFFER - timedelta(minutes=1))
    assert held_key().offered is not None
    sweeping.sweep(now=timezone.now() + settings.KEY_OFFER)
    assert held_key().offered is None


def test_the_next_held_file_erases_it_too(
    held_record: FileRecord, store: Store, alice: User, settings: Settings
) -> None:
    HeldKey.objects.update(made_at=timezone.now() - settings.KEY_OFFER)
    store(alice, key=UserKey.generated())
    assert HeldKey.objects.get(object=held_record.current).offered is None


def test_an_offer_of_another_file_is_not_taken(
    held_record: FileRecord, store: Store, alice: User
) -> None:
    other = store(alice, key=UserKey.generated())
    moved = HeldKey.objects.get(object=held_record.current).offered
    HeldKey.objects.filter(object=other.current).update(offered=moved)
    assert custody.offered_key(other.current, other.owner) is None


def test_an_installation_may_keep_none(store: Store, alice: User, settings: Settings) -> None:
    settings.KEY_OFFER = timedelta(0)
    record = store(alice, key=UserKey(KEY))
    assert held_key().offered is None
    assert custody.offered_key(record.current, record.owner) is None


def test_the_database_keeps_no_key_that_was_confirmed(held_record: FileRecord) -> None:
    with pytest.raises(IntegrityError, match="heldkey_offered_until_saved"):
        HeldKey.objects.update(saved_at=timezone.now())


def test_a_key_on_offer_outlives_the_master_key_that_sealed_it(
    held_record: FileRecord, use_keys: UseKeys
) -> None:
    old_id = held_record.current.master_key_id
    second = generate_master_key()
    use_keys(second, os.environ["MASTER_KEYS"])
    assert custody.offers_by_key() == {old_id: 1}
    with pytest.raises(retirement.KeyIsNeeded, match="1 key on offer"):
        retirement.retire(old_id)
    rewrapping.rewrap()
    use_keys(second)
    assert custody.offered_key(held_record.current, held_record.owner) == KEY
    assert retirement.retire(old_id)


def test_an_offer_that_does_not_open_is_left_alone(
    held_record: FileRecord, use_keys: UseKeys, caplog: pytest.LogCaptureFixture
) -> None:
    """And an operator reads of which file it was."""
    HeldKey.objects.update(offered=b"altered")
    use_keys(generate_master_key(), os.environ["MASTER_KEYS"])
    assert custody.rewrap_offers() == 0
    [line] = caplog.messages
    assert line.startswith(f"object {held_record.current.object_name}: the key on offer: ")
    assert bytes(held_key().offered or b"") == b"altered"
