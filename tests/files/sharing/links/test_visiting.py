"""A link is asleep with its maker's access, and nothing to whoever may not come in."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from accounts.models import User
from accounts.outside import capability, codes
from files.models import Folder, Grant, Link
from files.sharing.links import ending, listing, visiting
from files.sharing.links.making import Terms, make
from files.sharing.links.visiting import find
from files.tree import placing
from notices import Kind
from notices.models import Choice, Notice
from tests.files.sharing.links.makers import events, may_link
from tests.files.test_models import placed
from tests.mails import delivered


def test_where_there_are_no_links_none_works_and_none_goes_on(
    maker: User, settings: Settings
) -> None:
    record = placed(maker)
    made = make(record, Terms(), actor=maker).link
    assert listing.awake(record, [made]) == {made.pk}
    assert visiting.still_works(made.pk, record)
    assert not visiting.still_works(made.pk, placed(maker, name="beside"))
    settings.LINKS = False
    assert listing.awake(record, [made]) == set()
    assert not visiting.still_works(made.pk, record)
    settings.LINKS = True
    ending.revoke(made, actor=maker)
    assert not visiting.still_works(made.pk, record)


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
    "revoked": lambda link: ending.revoke(link, actor=link.maker),
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


def test_visits_are_told_once_an_hour_for_each_address(maker: User) -> None:
    Choice.objects.create(user=maker, kind=Kind.LINK_OPENED, in_app=True)
    record = placed(maker)
    standing = find(make(record, Terms(), actor=maker).text)
    assert standing is not None
    for opened, address in ((1, "192.0.2.1"), (1, "192.0.2.1"), (2, "192.0.2.2")):
        visiting.note_opened(standing, address=address)
        link = Link.objects.get()
        assert link.opened == opened
        assert link.last_opened_at is not None
        assert [event for event, _ in events()][1:] == ["link_opened"] * opened
    told = Notice.objects.filter(kind=Kind.LINK_OPENED).values_list("user", "file_id")
    assert set(told) == {(maker.pk, record.pk)}


def test_a_password_opens_and_another_is_counted(maker: User) -> None:
    standing = find(make(placed(maker), Terms(password="a password"), actor=maker).text)
    assert standing is not None
    assert visiting.take_password(standing, "a password") is True
    assert Link.objects.get().attempts == 0
    assert visiting.take_password(standing, "another one") is False
    assert Link.objects.get().attempts == 1
    assert [event for event, _ in events()][1:] == ["link_refused"]


def test_a_code_goes_to_those_named_alone(maker: User, settings: Settings) -> None:
    settings.LINK_MAIL_DOMAINS = ["firm.example"]
    terms = Terms(addresses="ann@example.org @firm.example")
    standing = find(make(placed(maker), terms, actor=maker).text)
    assert standing is not None
    for address in ("eve@example.org", "Ann@example.org", "bob@firm.example"):
        visiting.send_code(standing, address, language="de")
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
        visiting.take_code(standing, "ann@example.org", code)
    # A domain that is allowed no more opens nothing.
    settings.LINK_MAIL_DOMAINS = []
    with pytest.raises(codes.WrongCode):
        visiting.take_code(standing, "bob@firm.example", code)
    visiting.send_code(standing, "ann@example.org", language="de")
    code = str(delivered()[2].body).split("\n")[0].partition(": ")[2]
    visiting.take_code(standing, "ann@example.org", code)
    assert Link.objects.get().attempts == 3
