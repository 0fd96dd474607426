"""The admin's page of master keys: read by who may, changed by nobody."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import User
from files.crypto.fernetkey import generate_master_key
from files.crypto.masterkey import LocalMasterKey
from tests.files.conftest import Store, UseKeys

KEY = generate_master_key()
KEY_ID = LocalMasterKey(KEY).id
Staff = Callable[..., Client]


@pytest.fixture
def staff(client: Client, mallory: User) -> Staff:
    """Mallory as staff, with these permissions and no more."""

    def with_permissions(*names: str) -> Client:
        User.objects.filter(pk=mallory.pk).update(is_staff=True)
        mallory.user_permissions.set(Permission.objects.filter(codename__in=names))
        client.force_login(mallory)
        return client

    return with_permissions


def url() -> str:
    return reverse("admin:files_masterkey_changelist")


def test_staff_who_may_see_what_each_key_protects(
    staff: Staff, store: Store, alice: User, use_keys: UseKeys
) -> None:
    use_keys(KEY)
    store(alice)
    client = staff("view_masterkey")
    assert url() in client.get(reverse("admin:index")).text
    page = client.get(url())
    assert page.status_code == 200
    assert KEY_ID in page.text
    assert KEY not in page.text
    assert [line.live for line in page.context["lines"]] == [1]


@pytest.mark.parametrize("permissions", [(), ("view_filerecord",)])
def test_other_staff_may_not(staff: Staff, permissions: tuple[str, ...]) -> None:
    client = staff(*permissions)
    assert client.get(url()).status_code == 403
    assert url() not in client.get(reverse("admin:index")).text


def test_people_who_are_no_staff_are_sent_to_sign_in(client: Client, alice: User) -> None:
    client.force_login(alice)
    assert client.get(url()).status_code == 302


def test_nothing_can_be_sent_to_it(staff: Staff) -> None:
    client = staff("view_masterkey", "change_masterkey", "add_masterkey", "delete_masterkey")
    assert client.post(url(), {"action": "delete_selected"}).status_code == 403
    for page in ("add/", "1/change/", "1/delete/"):
        assert client.get(url() + page).status_code == 404


def test_the_price_is_the_same_for_many_keys(
    staff: Staff, store: Store, alice: User, use_keys: UseKeys
) -> None:
    client = staff("view_masterkey")

    def queries() -> int:
        with CaptureQueriesContext(
            connection,
        ) as captured:
            assert client.get(url()).status_code == 200
        return len(captured)

    first = queries()
    for _ in range(3):
        use_keys(generate_master_key())
        store(alice)
    assert queries() == first
