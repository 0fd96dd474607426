"""As many as there may be and not one more, from several at once, on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any
from uuid import uuid4

import pytest
from django.core.exceptions import ValidationError
from pytest_django import DjangoDbBlocker

from accounts.models import User
from files.models import AccessRequest, Grant, Link
from files.sharing import asking
from files.sharing.links import making
from tests.audit.databases import as_default
from tests.files.test_models import placed

AT_ONCE, FIT = 8, 3


def test_no_more_than_fit(
    migrated_database: dict[str, Any],
    django_db_blocker: DjangoDbBlocker,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Links to one thing, whoever makes them; what one person asks access to."""
    for module in (making, asking):
        monkeypatch.setattr(module, "AT_MOST", FIT)
    with django_db_blocker.unblock(), as_default(migrated_database):
        alice, bob = (
            User.objects.create_superuser(name, f"{name}@example.org") for name in ("alice", "bob")
        )
        record = placed(alice)
        Grant.objects.create(file=record, user=bob, level="manage")

        def at_once(do: Callable[[int], object]) -> int:
            """How many of them got it."""
            together = Barrier(AT_ONCE)

            def one(number: int) -> bool:
                with as_default(migrated_database):
                    together.wait(timeout=60)
                    try:
                        do(number)
                    except (ValidationError, asking.TooManyRequests):
                        return False
                return True

            with ThreadPoolExecutor(AT_ONCE) as pool:
                return sum(pool.map(one, range(AT_ONCE)))

        def make(number: int) -> object:
            return making.make(record, making.Terms(), actor=(alice, bob)[number % 2])

        assert at_once(make) == Link.objects.count() == FIT
        assert at_once(lambda _: asking.ask(bob, "file", uuid4(), "why")) == FIT
        AccessRequest.objects.all().delete()
        wanted = uuid4()
        assert at_once(lambda _: asking.ask(bob, "file", wanted, "why")) == AT_ONCE
        assert AccessRequest.objects.count() == 1
