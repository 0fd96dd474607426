"""Who ends a link, and that its end is told once."""

from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone

from accounts.models import User
from audit.models import AuditEvent
from files.models import Grant, Link
from files.sharing.links import ending, listing
from files.sharing.links.making import Terms, make
from tests.files.sharing.links.makers import events, may_link
from tests.files.test_models import placed


def test_an_end_is_told_once(maker: User) -> None:
    made = make(placed(maker), Terms(), actor=maker)
    now = timezone.now()
    assert ending.note_ended(now=now) == 0
    Link.objects.update(expires_at=now)
    assert [ending.note_ended(now=now), ending.note_ended(now=now)] == [1, 0]
    assert events()[-1] == ("link_ended", made.link.pk)
    assert ending.revoke(made.link, actor=maker)
    assert not ending.revoke(made.link, actor=maker)
    assert [one for one in events() if one[0] == "link_revoked"] == [("link_revoked", made.link.pk)]
    assert AuditEvent.objects.get(event="link_revoked").actor_id == maker.pk


def test_who_manages_it_ends_it_and_nobody_else(alice: User, mallory: User, bob: User) -> None:
    bob = may_link(bob)
    assert mallory.pk < bob.pk
    earlier, later = mallory, User.objects.create_user("zoe", "zoe@example.org")
    record = placed(alice)
    Grant.objects.create(file=record, user=bob, level="manage")
    made = make(record, Terms(), actor=bob)
    for nobody in (earlier, later):
        with pytest.raises(ValidationError):
            ending.end(made.link, actor=nobody)
    Grant.objects.update(revoked_at=timezone.now())
    assert listing.awake(record, [made.link]) == set()
    assert ending.end(made.link, actor=bob)
    assert not ending.end(made.link, actor=alice)
