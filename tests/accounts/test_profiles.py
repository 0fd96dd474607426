"""One's own profile: what is saved of it, and what is told of that."""

from __future__ import annotations

import pytest

from accounts import profiles
from accounts.models import User
from audit.models import AuditEvent

pytestmark = pytest.mark.django_db


def test_what_changed_is_saved_and_told_without_the_name(alice: User) -> None:
    profiles.change(alice, full_name="Alice Müller", language="de", time_zone="")
    alice.refresh_from_db()
    assert (alice.get_full_name(), alice.language, alice.time_zone) == ("Alice Müller", "de", "")
    event = AuditEvent.objects.get(event="profile_changed")
    assert event.actor_name == "alice"
    assert event.data == {"user_id": alice.pk, "fields": "full name, language"}


def test_what_did_not_change_is_no_event(alice: User) -> None:
    User.objects.filter(pk=alice.pk).update(first_name="Alice", last_name="Müller")
    assert profiles.change(alice, full_name="Alice Müller", language="", time_zone="") == []
    assert not AuditEvent.objects.filter(event="profile_changed").exists()
    alice.refresh_from_db()
    assert alice.last_name == "Müller"
