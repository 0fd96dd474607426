"""Names of people, groups and passkeys: nothing in them is hidden, by whatever door they come."""

from __future__ import annotations

import pytest
from allauth.mfa.models import Authenticator
from django.contrib.auth.models import Group
from django.core import serializers
from django.test import Client
from django.urls import reverse

from accounts.models import User
from accounts.names import is_seen
from tests.accounts.credentials import CREDENTIAL

TURNED = "Ann\u202e nnA\n\u200b of\tParis"
READ = "Ann nnA of Paris"
NOTHING = "\u202e\u200b \u2800"


@pytest.mark.parametrize(("name", "expected"), [(READ, True), (NOTHING, False), ("🩷", True)])
def test_a_name_is_what_can_be_seen(name: str, *, expected: bool) -> None:
    assert is_seen(name) is expected


def test_names_are_one_line_that_reads_as_it_is_whoever_writes_the_row(alice: User) -> None:
    alice.first_name = alice.last_name = TURNED
    alice.save()
    alice.refresh_from_db()
    assert (alice.first_name, alice.last_name) == (READ, READ)
    assert Group.objects.create(name=TURNED).name == READ


def test_what_is_loaded_stays_as_it_was_written(db: None) -> None:
    text = serializers.serialize("json", [Group(pk=77, name=TURNED)])
    for loaded in serializers.deserialize("json", text):
        loaded.save()
    assert Group.objects.get(pk=77).name == TURNED


def test_a_group_that_nobody_could_tell_from_another_is_refused(client: Client, root: User) -> None:
    client.force_login(root)
    address = reverse("admin:auth_group_add")
    assert b"Nothing of this name can be seen" in client.post(address, {"name": NOTHING}).content
    assert client.post(address, {"name": TURNED}).status_code == 302
    # The same once what is hidden is gone.
    assert b"already exists" in client.post(address, {"name": f"{READ}\u200b"}).content
    assert Group.objects.filter(name__startswith="Ann").count() == 1


def test_people_are_renamed_by_the_same_rule(client: Client, root: User, alice: User) -> None:
    client.force_login(root)
    page = reverse("admin:accounts_user_change", args=[alice.pk])
    fields = {
        "username": "alice",
        "email": alice.email,
        "first_name": TURNED,
        "date_joined_0": "2026-01-01",
        "date_joined_1": "00:00",
        "is_active": "on",
    }
    assert client.post(page, fields).status_code == 302
    alice.refresh_from_db()
    assert alice.first_name == READ


def test_the_name_of_a_passkey_follows_it(client: Client, alice: User) -> None:
    key = Authenticator.objects.create(
        user=alice, type="webauthn", data={"name": "Key", "credential": CREDENTIAL}
    )
    client.force_login(alice)
    page = reverse("mfa_edit_webauthn", args=[key.pk])
    assert b"Nothing of this name can be seen" in client.post(page, {"name": NOTHING}).content
    assert client.post(page, {"name": TURNED}).status_code == 302
    key.refresh_from_db()
    assert key.wrap().name == READ
