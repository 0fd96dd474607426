"""The report of master keys: what each protects, counted right and for a fixed price."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from accounts.models import User
from files.crypto.fernetkey import generate_master_key
from files.crypto.masterkey import LocalMasterKey
from files.models import MasterKey, StoredObject
from files.rotation import rewrapping
from files.rotation.key_report import KeyLine, report
from files.vault import removing, resumable, stored_objects
from tests.files.conftest import CONTENT, Store, UseKeys
from tests.files.rotation.test_reencryption import holding

OLD, NEW = generate_master_key(), generate_master_key()
OLD_ID, NEW_ID = LocalMasterKey(OLD).id, LocalMasterKey(NEW).id
LONG_AGO = 1_700_000_000
State = StoredObject.State
pytestmark = pytest.mark.django_db


def lines(*, check: bool = False) -> dict[str, KeyLine]:
    return {line.key_id: line for line in report(check=check)}


@pytest.fixture(autouse=True)
def _old_key(use_keys: UseKeys) -> None:
    use_keys(OLD)


def test_every_key_is_told_with_what_it_wraps(
    store: Store,
    alice: User,
    bob: User,
    use_keys: UseKeys,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(stored_objects, "time", SimpleNamespace(time=lambda: LONG_AGO))
        store(alice)
    holding(store(alice))
    damaged = store(bob)
    StoredObject.objects.filter(pk=damaged.current_id).update(state=State.DAMAGED)
    removing.remove(store(bob), actor=bob)
    resumable.create(alice, name="a", length=9)
    TOTP.activate(alice, generate_totp_secret())
    use_keys(NEW, OLD)
    store(bob)
    found = lines()
    assert list(found) == [NEW_ID, OLD_ID]
    old, new = found[OLD_ID], found[NEW_ID]
    assert (old.live, old.damaged, old.writing, old.doomed) == (2, 1, 1, 1)
    assert (old.managed, old.held, old.secrets) == (3, 1, 1)
    assert (old.bytes, old.oldest) == (3 * len(CONTENT), datetime.fromtimestamp(LONG_AGO, UTC))
    assert (old.status, new.status) == ("configured", "primary")
    assert (new.live, new.secrets, new.unreadable) == (1, 0, None)


def test_what_a_key_wrapped_before_is_told(store: Store, alice: User, use_keys: UseKeys) -> None:
    store(alice)
    use_keys(NEW, OLD)
    rewrapping.rewrap()
    use_keys(NEW)
    found = lines()
    assert (found[NEW_ID].live, found[OLD_ID].live) == (1, 0)
    assert (found[OLD_ID].wrapped_before, found[OLD_ID].status) == (1, "not needed")


def test_missing_and_retired_keys_are_told(store: Store, alice: User, use_keys: UseKeys) -> None:
    store(alice)
    use_keys(NEW)
    assert lines()[OLD_ID].status == "MISSING"
    MasterKey.objects.create(key_id="0123456789abcdef", retired_at=timezone.now())
    assert lines()["0123456789abcdef"].status == "retired"


def test_a_check_finds_what_does_not_open(
    store: Store, alice: User, bob: User, use_keys: UseKeys
) -> None:
    good, broken, held = store(alice), store(alice), holding(store(bob))
    resumable.create(alice, name="a", length=9)
    TOTP.activate(alice, generate_totp_secret())
    assert lines(check=True)[OLD_ID].unreadable == []
    other = bytes(good.current.wrapped_key)
    StoredObject.objects.filter(pk=broken.current_id).update(wrapped_key=other)
    StoredObject.objects.filter(pk=held.current_id).update(custody="managed")
    factor = Authenticator.objects.get()
    factor.data["secret"] = factor.data["secret"][:-8] + "AAAAAAA="
    factor.save()
    told: list[int] = []
    [line] = report(check=True, progress=told.append)
    assert line.unreadable == [broken.pk, held.pk]
    assert line.unreadable_secrets == 1
    assert sum(told) == 4
    # Of a missing key nobody can know.
    use_keys(NEW)
    assert lines(check=True)[OLD_ID].unreadable is None


def test_the_price_is_fixed(
    store: Store, alice: User, use_keys: UseKeys, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(4):
        report()
    for key in (OLD, NEW, generate_master_key()):
        use_keys(key)
        store(alice)
        store(alice)
    TOTP.activate(alice, generate_totp_secret())
    with django_assert_num_queries(4):
        report()
