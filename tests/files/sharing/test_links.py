"""Links: made within one's own access, asleep with it, and nothing to whoever may not come in."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from unittest.mock import patch

import pytest
from django.contrib.auth.models import Permission
from django.core.exceptions import ValidationError
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from accounts.models import User
from accounts.outside import capability, codes
from audit.models import AuditEvent
from files.models import FileRecord, Folder, Grant, Link
from files.sharing import links
from files.sharing.links import Terms, find, make
from files.tree import placing
from tests.files.test_models import placed
from tests.mails import delivered


def may_link(user: User) -> User:
    """Somebody whom an administrator lets make links."""
    user.user_permissions.add(Permission.objects.get(codename="add_link"))
    return User.objects.get(pk=user.pk)


def events() -> list[tuple[str, int]]:
    told = AuditEvent.objects.order_by("id").values_list("event", "data__link_id")
    return [(event, number) for event, number in told if event.startswith("link_")]


@pytest.fixture
def maker(alice: User) -> User:
    return may_link(alice)


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


def test_where_there_are_no_links_none_works_and_none_goes_on(
    maker: User, settings: Settings
) -> None:
    record = placed(maker)
    made = make(record, Terms(), actor=maker).link
    assert links.awake(record, [made]) == {made.pk}
    assert links.still_works(made.pk, record)
    assert not links.still_works(made.pk, placed(maker, name="beside"))
    settings.LINKS = False
    assert links.awake(record, [made]) == set()
    assert not links.still_works(made.pk, record)
    settings.LINKS = True
    links.revoke(made, actor=maker)
    assert not links.still_works(made.pk, record)


def test_beyond_todays_bounds_are_those_that_work_and_could_not_be_made(
    maker: User, settings: Settings
) -> None:
    record, now = placed(maker), timezone.now()
    long = make(record, Terms(expires_at=now + timedelta(days=40), password="sesame"), actor=maker)
    bare = make(record, Terms(expires_at=now + timedelta(days=7)), actor=maker)
    over = make(record, Terms(expires_at=now + timedelta(days=40)), actor=maker)
    links.revoke(over.link, actor=maker)

    def beyond() -> set[Link]:
        return {*links.beyond_bounds(Link.objects.all())}

    assert beyond() == set()
    settings.LINK_MAX_DAYS = 7
    assert beyond() == {long.link}
    settings.LINK_NEEDS_PASSWORD = True
    assert beyond() == {long.link, bare.link}


Change = Callable[[Link], object]


def _put_away(link: Link) -> object:
    return Folder.objects.filter(links=link).update(trashed_at=timezone.now())


def _brought_back(link: Link) -> object:
    return Folder.objects.filter(links=link).update(trashed_at=None)


SLEEPS: dict[str, tuple[Change, Change]] = {
    "lost access": (
        lambda link: Grant.objects.update(revoked_at=timezone.now()),
        lambda link: Grant.objects.update(revoked_at=None),
    ),
    "manages no more": (
        lambda link: Grant.objects.update(level="add"),
        lambda link: Grant.objects.update(level="manage"),
    ),
    "account": (
        lambda link: User.objects.filter(pk=link.maker_id).update(is_active=False),
        lambda link: User.objects.filter(pk=link.maker_id).update(is_active=True),
    ),
    "permission": (
        lambda link: link.maker.user_permissions.clear(),
        lambda link: may_link(link.maker),
    ),
    "put away": (_put_away, _brought_back),
}

ENDS: dict[str, Change] = {
    "ended": lambda link: Link.objects.update(expires_at=timezone.now()),
    "revoked": lambda link: links.revoke(link, actor=link.maker),
    "exhausted": lambda link: Link.objects.update(most=1, used=1),
}


def test_whatever_is_the_matter_the_same_is_asked(
    alice: User, bob: User, settings: Settings
) -> None:
    """A link that sleeps wakes again; to who comes, there is none, as where there never was."""
    bob = may_link(bob)
    case = placing.add_folder(placing.root_of(alice), "Case", added_by=alice)
    Grant.objects.create(folder=case, user=bob, level="manage")
    made = make(case, Terms(), actor=bob)

    def asked(text: str = made.text) -> int:
        with CaptureQueriesContext(connection) as queries:
            assert find(text) is None
        return len(queries)

    unknown = asked(capability.generate())
    for name, (lose, regain) in SLEEPS.items():
        lose(made.link)
        assert asked() == unknown, name
        regain(made.link)
        assert find(made.text) is not None, name
    settings.LINKS = False
    assert asked() == unknown
    settings.LINKS = True
    for name, over in ENDS.items():
        made = make(case, Terms(), actor=bob)
        over(made.link)
        assert asked(made.text) == unknown, name


def test_which_are_awake_is_found_at_once_as_each_is_by_itself(alice: User, bob: User) -> None:
    """Of those that lead to a file, by whoever, at any height: four queries, however many."""
    bob = may_link(bob)
    alice = may_link(alice)
    upper = placing.add_folder(placing.root_of(alice), "Upper", added_by=alice)
    lower = placing.add_folder(upper, "Lower", added_by=alice)
    record = placed(alice, lower, name="Plan")
    Grant.objects.create(folder=upper, user=bob, level="manage")
    made = [
        make(item, Terms(), actor=actor)
        for item in (upper, lower, record)
        for actor in (alice, bob)
    ]
    texts = {one.link.pk: one.text for one in made}

    def agree() -> set[int]:
        found = links.links_reaching(record)
        assert {one.pk for one in found} == set(texts)
        with CaptureQueriesContext(connection) as queries:
            awake = links.awake(record, found)
        assert len(queries) <= 4
        assert awake == {pk for pk, text in texts.items() if find(text) is not None}
        return awake

    assert len(agree()) == 6
    Grant.objects.update(folder=lower)
    assert len(agree()) == 5
    for name, (lose, regain) in SLEEPS.items():
        if name != "put away":
            lose(made[3].link)
            assert len(agree()) == 3, name
            regain(made[3].link)
    Folder.objects.filter(pk=upper.pk).update(trashed_at=timezone.now())
    record.refresh_from_db()
    assert not agree()


def test_an_end_is_told_once(maker: User) -> None:
    made = make(placed(maker), Terms(), actor=maker)
    now = timezone.now()
    assert links.note_ended(now=now) == 0
    Link.objects.update(expires_at=now)
    assert [links.note_ended(now=now), links.note_ended(now=now)] == [1, 0]
    assert events()[-1] == ("link_ended", made.link.pk)
    assert links.revoke(made.link, actor=maker)
    assert not links.revoke(made.link, actor=maker)


def test_who_manages_it_ends_it_and_nobody_else(alice: User, bob: User, mallory: User) -> None:
    bob = may_link(bob)
    record = placed(alice)
    Grant.objects.create(file=record, user=bob, level="manage")
    made = make(record, Terms(), actor=bob)
    with pytest.raises(ValidationError):
        links.end(made.link, actor=mallory)
    Grant.objects.update(revoked_at=timezone.now())
    assert links.awake(record, [made.link]) == set()
    assert links.end(made.link, actor=bob)
    assert not links.end(made.link, actor=alice)


def test_a_code_goes_to_those_named_alone(maker: User, settings: Settings) -> None:
    settings.LINK_MAIL_DOMAINS = ["firm.example"]
    terms = Terms(addresses="ann@example.org @firm.example")
    standing = find(make(placed(maker), terms, actor=maker).text)
    assert standing is not None
    for address in ("eve@example.org", "Ann@example.org", "bob@firm.example"):
        links.send_code(standing, address, language="de")
    sent = delivered()
    assert [one.to for one in sent] == [["ann@example.org"], ["bob@firm.example"]]
    assert all(" 10 Minuten" in str(one.body) for one in sent)
    assert [event for event, _ in events()][1:] == [
        "link_refused",
        "link_code_sent",
        "link_code_sent",
    ]
    code = str(sent[1].body).split("\n")[0].partition(": ")[2]
    with pytest.raises(codes.WrongCode):
        links.take_code(standing, "ann@example.org", code)
    # A domain that is allowed no more opens nothing.
    settings.LINK_MAIL_DOMAINS = []
    with pytest.raises(codes.WrongCode):
        links.take_code(standing, "bob@firm.example", code)
    links.send_code(standing, "ann@example.org", language="de")
    code = str(delivered()[2].body).split("\n")[0].partition(": ")[2]
    links.take_code(standing, "ann@example.org", code)
    assert Link.objects.get().attempts == 3
