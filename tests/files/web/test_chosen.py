"""What was chosen from a list: all of it is the user's to see, or it is a 404; and the way back."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.http import Http404, HttpRequest, QueryDict

from accounts.models import User
from files.access.rule import folders_removable_by, removable_by
from files.models import Grant
from files.tree import placing
from files.web.chosen import back_of, chosen, refused_some
from tests.files.folders.test_moving import file, folder

Events = Callable[..., list[dict[str, object]]]


def asked_by(user: User) -> HttpRequest:
    request = HttpRequest()
    request.user = user
    return request


def named(**ids: list[object]) -> QueryDict:
    data = QueryDict(mutable=True)
    for kind, some in ids.items():
        data.setlist(kind, [str(one) for one in some])
    return data


def test_what_is_named_is_found_folders_first_and_by_name(alice: User) -> None:
    case = folder(alice, "case")
    files = [file(case, name) for name in ("b.txt", "a.txt")]
    picked = chosen(asked_by(alice), named(file=[one.pk for one in files], folder=[case.pk]))
    assert picked.items == [case, files[1], files[0]]
    again = chosen(asked_by(alice), QueryDict(picked.query))
    assert again.items == picked.items


def test_one_that_is_not_to_be_seen_hides_all_and_is_noted(
    alice: User, bob: User, events: Events
) -> None:
    mine, secret = file(folder(alice, "mine")), file(folder(bob, "secret"))
    assert secret.folder is not None
    for data in (
        named(file=[mine.pk, secret.pk]),
        named(file=[mine.pk], folder=[secret.folder.pk]),
        named(file=[uuid.uuid4()]),
        named(folder=[placing.root_of(alice).pk]),
        named(file=["x"]),
    ):
        with pytest.raises(Http404):
            chosen(asked_by(alice), data)
    assert len(events("access_denied")) == 4


def test_what_one_may_see_and_not_delete_is_named(
    alice: User, bob: User, give: Callable[..., Grant], events: Events
) -> None:
    mine, theirs = file(folder(alice, "mine")), file(folder(bob, "theirs"), "their own.txt")
    assert theirs.folder is not None
    give(theirs.folder, alice)
    request = asked_by(alice)
    picked = chosen(request, named(file=[mine.pk, theirs.pk], folder=[theirs.folder.pk]))
    page = refused_some(
        request, picked, "delete", files=removable_by, folders=folders_removable_by, back="/x/"
    )
    assert page is not None
    text = page.text
    assert page.status_code == 403
    assert ("their own.txt" in text, "theirs</bdi>" in text, "a.txt" in text) == (True, True, False)
    assert {event["reason"] for event in events("access_denied")} == {"no permission"}
    allowed = chosen(request, named(file=[mine.pk]))
    rules: Any = {"files": removable_by, "folders": folders_removable_by}
    assert refused_some(request, allowed, "delete", back="/", **rules) is None


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("/folders/1/?q=a&after=b", "/folders/1/?q=a&after=b"),
        ("", "/files/"),
        ("https://example.org/", "/files/"),
        ("//example.org/", "/files/"),
        ("/\\example.org", "/files/"),
        ("javascript:alert(1)", "/files/"),
        ("files/", "/files/"),
    ],
)
def test_one_goes_back_to_a_page_of_ours_alone(wanted: str, found: str) -> None:
    assert back_of(QueryDict(f"back={wanted.replace('&', '%26')}"), "/files/") == found
