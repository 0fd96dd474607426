"""The pages of a folder's requests: who may ask, what is shown once, accepting and ending."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import User
from files.access.principals import Person
from files.access.rule import visible_to
from files.models import FileRequest
from files.sharing import senders
from tests.files.asked import ask, folder_of, may_ask
from tests.files.web.outside.test_asked import enter, form

pytestmark = pytest.mark.usefixtures("s3")

TYPED = {"title": "Papers", "days": "7", "megabytes": "1", "identify": "name"}


def test_only_who_manages_and_may_ask_makes_one(
    client: Client, alice: User, bob: User, mallory: User, give: Callable[..., Any]
) -> None:
    folder = folder_of(alice)
    give(folder, bob, level="manage")
    give(folder, mallory, level="add")
    address = reverse("folders:requests", args=[folder.pk])
    shown = []
    for user, allowed in ((alice, False), (mallory, True), (bob, True)):
        client.force_login(may_ask(user) if allowed else user)
        shown.append((client.get(address).status_code, client.post(address, TYPED).status_code))
    assert shown == [(200, 403), (403, 403), (200, 200)]
    made = FileRequest.objects.get()
    assert (made.maker, made.most_bytes) == (bob, 1024 * 1024)
    # The address is shown once, and is nowhere in the database.
    page = client.post(address, {**TYPED, "title": "Others"}).content.decode()
    token = re.findall(r"/r/([0-9A-Za-z]{20,})/", page)[0]
    assert token not in client.get(address).content.decode()
    assert senders.open_by(token) == FileRequest.objects.get(title="Others")
    for wrong in (
        {"days": "4000"},
        {"megabytes": "1000000000"},
        {"most_senders": "10001"},
        {"identify": "code"},
        {"title": ""},
    ):
        assert client.post(address, {**TYPED, **wrong}).status_code == 400
    page = client.post(address, {**TYPED, "megabytes": "1000000000"}).content.decode()
    # In the sizes that pages show, and not in bytes.
    assert "A request takes 100.0\xa0GB in all, at most: ask for less." in page
    assert FileRequest.objects.count() == 2


def test_waiting_files_are_accepted_and_declined(client: Client, alice: User, bob: User) -> None:
    asked, token = ask(alice, accept_first=True, title="Papers")
    form(enter(token), token, ("a", b"1"), ("b", b"2"), ("c", b"3"))
    client.force_login(alice)
    address = reverse("folders:request", args=[asked.folder_id, asked.pk])
    page = client.get(address).content.decode()
    ids = re.findall(r'name="file" value="([^"]+)"', page)
    assert len(ids) == 3
    assert not visible_to(Person(alice)).exists()
    assert client.post(address, {"accept": "1", "file": ids[:2]}).status_code == 302
    assert client.post(address, {"decline": "1", "file": ids}).status_code == 302
    assert set(visible_to(Person(alice)).values_list("name", flat=True)) == {"a", "b"}
    page = client.get(address).content.decode()
    assert "declined" in page
    assert 'name="file"' not in page
    trash = client.get(reverse("trash")).content.decode()
    assert ">c<" in trash
    client.force_login(bob)
    assert client.get(address).status_code == 404
    assert client.post(address, {"end": "1"}).status_code == 404
    client.force_login(alice)
    assert client.post(address, {"end": "1"}).status_code == 302
    assert senders.open_by(token) is None


def test_pages_cost_the_same_however_much_came(
    client: Client, alice: User, django_assert_max_num_queries: Any
) -> None:
    asked, token = ask(alice)
    outsider = enter(token)
    client.force_login(may_ask(alice))
    pages = [
        reverse("folders:requests", args=[asked.folder_id]),
        reverse("folders:request", args=[asked.folder_id, asked.pk]),
    ]

    def counts() -> list[int]:
        found = []
        for page in pages:
            with django_assert_max_num_queries(60) as told:
                assert client.get(page).status_code == 200
            found.append(len(told))
        return found

    form(outsider, token, ("a", b"1"))
    counts()
    few = counts()
    form(outsider, token, *[(f"{n}", b"1") for n in range(5)])
    form(enter(token, "Bea"), token, ("a", b"1"))
    assert counts() == few
