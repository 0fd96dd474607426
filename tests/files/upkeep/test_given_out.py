"""Tokens, links and requests that somebody wrote to the database are found, and others are not."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts import tokens
from accounts.models import Token, User
from files.models import FileRequest, Link
from files.sharing import requests
from files.sharing.links import ending, making
from files.upkeep import given_out
from tests.accounts.test_tokens import made
from tests.files.asked import ask
from tests.files.sharing.links.makers import may_link
from tests.files.test_models import placed


def found() -> list[str]:
    return list(given_out.differences())


@pytest.fixture
def given(alice: User, root: User) -> User:
    """A token, a link and a request of Alice's, as the use cases make them."""
    made(alice, scopes=["read", "add"], networks="192.0.2.0/24, 2001:db8::/32")
    making.make(placed(alice), making.Terms(password="open sesame", most=3), actor=may_link(alice))
    ask(alice, most_files=5)
    return alice


def test_everything_that_use_cases_do_is_accounted_for(given: User) -> None:
    assert found() == []
    tokens.revoke(Token.objects.get(), actor=given)
    ending.revoke(Link.objects.get(), actor=given)
    requests.end(FileRequest.objects.get(), actor=given)
    made(given)
    assert found() == []


LATER = timezone.now() + timedelta(days=300)
WRITES: dict[str, Callable[[User], Any]] = {
    "token 1: no event accounts for its user_id": lambda user: Token.objects.update(user=user),
    "token 1: no event accounts for its scopes": lambda user: Token.objects.update(
        scopes="add audit read"
    ),
    "token 1: no event accounts for its networks": lambda user: Token.objects.update(networks=""),
    "token 1: no event accounts for its expires_at": lambda user: Token.objects.update(
        expires_at=LATER
    ),
    "token 1: no event accounts for its secret": lambda user: Token.objects.update(digest="0" * 64),
    "link 1: no event accounts for its expires_at": lambda user: Link.objects.update(
        expires_at=LATER
    ),
    "link 1: no event accounts for its secret": lambda user: Link.objects.update(digest="0" * 64),
    "link 1: no event accounts for its protected_by": lambda user: Link.objects.update(password=""),
    "link 1: no event accounts for its most": lambda user: Link.objects.update(most=None),
    "link 1: no event accounts for its user_id": lambda user: Link.objects.update(maker=user),
    "request 1: no event accounts for its secret": lambda user: FileRequest.objects.update(
        token_digest="0" * 64
    ),
    "request 1: no event accounts for its bytes": lambda user: FileRequest.objects.update(
        most_bytes=10**15
    ),
}


@pytest.mark.parametrize("said", WRITES)
def test_what_is_written_past_the_use_cases_is_found(given: User, bob: User, said: str) -> None:
    WRITES[said](bob)
    kind, number = said.partition(":")[0].split()
    model: Any = {"token": Token, "link": Link, "request": FileRequest}[kind]
    assert found() == [said.replace(f"{kind} {number}", f"{kind} {model.objects.get().pk}")]


@pytest.mark.parametrize("model", [Token, Link, FileRequest])
def test_another_one_and_one_that_works_again_are_found(given: User, model: Any) -> None:
    row = model.objects.get()
    row.pk = None
    field = "token_digest" if model is FileRequest else "digest"
    setattr(row, field, "f" * 64)
    row.save(force_insert=True)
    [said] = found()
    assert said.endswith(f"{row.pk}: no event accounts for its being there")
    row.delete()
    first = model.objects.get()
    if model is Token:
        tokens.revoke(first, actor=given)
    elif model is Link:
        ending.revoke(first, actor=given)
    else:
        requests.end(first, actor=given)
    assert found() == []
    model.objects.update(
        **({"ended_at": None} if model is FileRequest else {"revoked_at": None}),
        **({"ended_at": None} if model is Link else {}),
    )
    [said] = found()
    assert said.endswith(": no event accounts for its working still")
