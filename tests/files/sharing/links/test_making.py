"""Links are made within one's own access, and kept as digests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from unittest.mock import patch

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone
from pytest_django import Settings

from accounts.models import User
from accounts.outside import capability
from audit.models import AuditEvent
from files.models import FileRecord, Grant, Link
from files.sharing.links.making import Terms, make
from files.sharing.links.visiting import find
from files.tree import placing
from tests.files.sharing.links.makers import events, may_link
from tests.files.test_models import placed


def test_nobody_makes_links_unless_they_may_and_manage_it(alice: User, bob: User) -> None:
    record = placed(alice)
    with pytest.raises(ValidationError):
        make(record, Terms(), actor=alice)
    bob = may_link(bob)
    Grant.objects.create(file=record, user=bob, level="download")
    with pytest.raises(ValidationError):
        make(record, Terms(), actor=bob)
    with pytest.raises(ValidationError):
        make(placing.root_of(bob), Terms(), actor=bob)
    assert not Link.objects.exists()


def test_a_link_is_a_digest_with_an_end(maker: User) -> None:
    record = placed(maker)
    made = make(record, Terms(), actor=maker)
    [row] = Link.objects.values()
    assert made.text not in map(str, row.values())
    assert row["digest"] == capability.digest_of(made.text)
    assert timedelta(days=29) < row["expires_at"] - timezone.now() <= timedelta(days=30)
    standing = find(made.text)
    assert standing is not None
    assert standing.item == record
    assert events() == [("link_created", made.link.pk)]
    assert not any(made.text in str(event) for event in AuditEvent.objects.values())


@pytest.mark.parametrize(
    ("terms", "protected_by"),
    [
        (Terms(), None),
        (Terms(password="a password"), "password"),
        (Terms(addresses="ann@example.org"), "code"),
        (Terms(password="a password", addresses="ann@example.org"), "password, code"),
    ],
)
def test_the_log_has_what_stands_before_it_and_nothing_that_opens_it(
    maker: User, terms: Terms, protected_by: str | None
) -> None:
    make(placed(maker), terms, actor=maker)
    event = AuditEvent.objects.get(event="link_created")
    assert event.data["protected_by"] == protected_by
    assert "a password" not in str(event.data)


def test_it_goes_no_further_than_its_maker(alice: User, bob: User, settings: Settings) -> None:
    bob = may_link(bob)
    record = placed(alice)
    end = timezone.now() + timedelta(days=3)
    Grant.objects.create(file=record, user=bob, level="manage", expires_at=end)
    assert make(record, Terms(), actor=bob).link.expires_at == end
    settings.LINK_MAX_DAYS = 2
    refused = [
        Terms(expires_at=end + timedelta(seconds=1)),
        Terms(expires_at=timezone.now()),
        Terms(password="short"),
        Terms(most=0),
        Terms(addresses="@example.org"),
        Terms(addresses="nobody"),
    ]
    for terms in refused:
        with pytest.raises(ValidationError):
            make(record, terms, actor=bob)
    settings.LINK_NEEDS_PASSWORD = True
    with pytest.raises(ValidationError):
        make(record, Terms(), actor=bob)
    settings.LINK_MAIL_DOMAINS = ["example.org"]
    made = make(record, Terms(password="long enough", addresses="@example.org"), actor=bob)
    assert made.link.addresses == "@example.org"


@pytest.mark.parametrize(
    ("most", "fits"), [(0, False), (1, True), (1_000_000, True), (1_000_001, False)]
)
def test_it_has_one_download_at_least_and_a_million_at_most(
    maker: User, most: int, fits: bool
) -> None:
    record = placed(maker)
    if fits:
        assert make(record, Terms(most=most), actor=maker).link.most == most
    else:
        with pytest.raises(ValidationError, match="Choose a number of downloads"):
            make(record, Terms(most=most), actor=maker)


@pytest.mark.parametrize(
    ("after", "said"),
    [
        (timedelta(0), "That end is over already"),
        (timedelta(microseconds=1), ""),
        (timedelta(days=3), ""),
        (timedelta(days=3, microseconds=1), "A link works for 2 days at most"),
    ],
)
def test_its_end_is_later_than_now_and_within_the_bound(
    maker: User, settings: Settings, after: timedelta, said: str
) -> None:
    """With a day more: where people choose one, it has begun already somewhere."""
    settings.LINK_MAX_DAYS = 2
    record, now = placed(maker), datetime(2030, 1, 1, tzinfo=UTC)
    with patch("django.utils.timezone.now", return_value=now):
        if said:
            with pytest.raises(ValidationError, match=said):
                make(record, Terms(expires_at=now + after), actor=maker)
        else:
            made = make(record, Terms(expires_at=now + after), actor=maker)
            assert made.link.expires_at == now + after


def test_its_end_may_be_that_of_its_makers_own_access_and_no_later(alice: User, bob: User) -> None:
    bob, record = may_link(bob), placed(alice)
    end = timezone.now() + timedelta(days=3)
    Grant.objects.create(file=record, user=bob, level="manage", expires_at=end)
    assert make(record, Terms(expires_at=end), actor=bob).link.expires_at == end
    with pytest.raises(ValidationError, match="Your own access ends on"):
        make(record, Terms(expires_at=end + timedelta(microseconds=1)), actor=bob)


def test_to_what_is_gone_meanwhile_there_is_no_link(
    maker: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = placed(maker)
    # After its maker was found to manage it, and before it is locked.
    gone = FileRecord.objects.filter(pk=record.pk)
    monkeypatch.setattr(Link, "full_clean", lambda *_, **__: gone.delete())
    with pytest.raises(ValidationError, match="This was deleted meanwhile"):
        make(record, Terms(), actor=maker)
    assert not Link.objects.exists()
