"""Which master keys the rows need: none is missed, and none is asked for that nobody needs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from accounts.models import User
from files.crypto.fernetkey import generate_master_key
from files.crypto.masterkey import LocalMasterKey
from files.errors import KeysMissing
from files.keys import wrapping
from files.models import FileRecord, StoredObject
from files.vault import removing, storing
from tests.files.conftest import Store, UseKeys

if TYPE_CHECKING:
    pass


State = StoredObject.State
Nothing = Callable[[], bool]


def test_the_keyring_is_checked_against_every_row_that_may_be_read(
    store: Store, alice: User, use_keys: UseKeys
) -> None:
    first, second = generate_master_key(), generate_master_key()
    use_keys(first)
    store(alice)
    store(alice)
    use_keys(second)
    unfinished = storing.Upload(alice, name="a")
    use_keys(generate_master_key())
    with pytest.raises(KeysMissing) as error:
        wrapping.check_keyring()
    assert error.value.missing == {LocalMasterKey(first).id: 2, LocalMasterKey(second).id: 1}
    assert f"key {LocalMasterKey(first).id} is needed by 2 files" in str(error.value)
    assert first not in str(error.value)
    use_keys(second, first)
    wrapping.check_keyring()
    unfinished.abort()
    use_keys(first)
    wrapping.check_keyring()


def test_a_doomed_row_needs_no_key(record: FileRecord, alice: User, use_keys: UseKeys) -> None:
    removing.remove(record, actor=alice)
    use_keys(generate_master_key())
    wrapping.check_keyring()
