"""Retiring a master key: refused while anything needs it, and then for ever."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret

from accounts.models import User
from files.crypto.fernetkey import generate_master_key
from files.crypto.masterkey import LocalMasterKey
from files.errors import KeyRetired
from files.keys import wrapping
from files.models import FileRecord, MasterKey, StoredObject
from files.rotation import reencryption, retirement, rewrapping
from files.vault import removing, resumable
from tests.files.conftest import Store, UseKeys

OLD, NEW = generate_master_key(), generate_master_key()
OLD_ID, NEW_ID = LocalMasterKey(OLD).id, LocalMasterKey(NEW).id
Events = Callable[[str], list[dict[str, Any]]]
State = StoredObject.State


@pytest.fixture
def old_file(store: Store, alice: User, use_keys: UseKeys) -> FileRecord:
    """A file under the old key; the new one is now the primary."""
    use_keys(OLD)
    record = store(alice)
    use_keys(NEW, OLD)
    return record


def refused(key_id: str = OLD_ID) -> dict[str, int]:
    with pytest.raises(retirement.KeyIsNeeded) as error:
        retirement.retire(key_id)
    assert not MasterKey.objects.filter(retired_at__isnull=False).exists()
    assert "rotate_master_key" in str(error.value)
    return error.value.needs


def test_everything_that_needs_the_key_is_counted(
    old_file: FileRecord, store: Store, alice: User, bob: User, use_keys: UseKeys
) -> None:
    use_keys(OLD)
    damaged = store(bob)
    StoredObject.objects.filter(pk=damaged.current_id).update(state=State.DAMAGED)
    resumable.create(alice, name="a", length=9)
    TOTP.activate(alice, generate_totp_secret())
    begun: list[dict[str, int]] = []

    def meanwhile(_: float) -> None:
        use_keys(NEW, OLD)
        begun.append(refused())

    reencryption.reencrypt(store(alice), progress=meanwhile)
    assert begun[0] == {
        "live files": 2,
        "damaged files": 1,
        "uploads in progress": 1,
        "re-encryptions in progress": 1,
        "second factors": 1,
    }
    with pytest.raises(
        retirement.KeyIsNeeded,
        match="by 1 live file, 1 damaged file, 1 upload in progress, 1 second factor",
    ):
        retirement.retire(OLD_ID)


def test_once_nothing_needs_it_it_is_retired_for_ever(
    old_file: FileRecord, use_keys: UseKeys, events: Events
) -> None:
    rewrapping.rewrap()
    assert retirement.retire(OLD_ID, dry_run=True)
    assert not MasterKey.objects.filter(retired_at__isnull=False).exists()
    assert events("key_retired") == []
    assert retirement.retire(OLD_ID)
    assert [event["master_key_id"] for event in events("key_retired")] == [OLD_ID]
    assert not retirement.retire(OLD_ID)
    assert len(events("key_retired")) == 1
    use_keys(OLD, NEW)
    with pytest.raises(KeyRetired):
        wrapping.check_keyring()
    with pytest.raises(KeyRetired):
        rewrapping.rewrap()
    use_keys(NEW, OLD)
    wrapping.check_keyring()
    assert retirement.configured_and_retired() == [OLD_ID]
    use_keys(NEW)
    assert retirement.configured_and_retired() == []


def test_objects_that_are_to_be_deleted_need_no_key(old_file: FileRecord, alice: User) -> None:
    removing.remove(old_file, actor=alice)
    assert StoredObject.objects.get().state == State.DOOMED
    assert retirement.retire(OLD_ID)


def test_a_missing_key_that_is_needed_is_to_be_put_back(
    old_file: FileRecord, use_keys: UseKeys
) -> None:
    use_keys(NEW)
    with pytest.raises(retirement.KeyIsNeeded, match="First put the key back into"):
        retirement.retire(OLD_ID)


def test_the_primary_is_not_retired(old_file: FileRecord) -> None:
    with pytest.raises(retirement.KeyIsPrimary, match="Put a new one before it"):
        retirement.retire(NEW_ID)


def test_a_key_that_nobody_knows_is_an_error(old_file: FileRecord) -> None:
    with pytest.raises(retirement.UnknownKey, match="key_report"):
        retirement.retire("0123456789abcdef")


def test_a_key_that_only_history_knows_can_be_retired(
    old_file: FileRecord, use_keys: UseKeys
) -> None:
    rewrapping.rewrap()
    use_keys(NEW)
    assert retirement.retire(OLD_ID)
