"""Whoever begins an upload, or grants, keeps nobody waiting whose rows only name the same people.

Else two transactions that each need both would wait for each other: the one for a person's row, the
other, at its end, for the check of a foreign key.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection, transaction
from pytest_django import DjangoDbBlocker

from accounts.models import User
from files.folders import moving, ownership
from files.models import FileRecord, Folder, Grant
from files.sharing import granting
from files.tree import placing
from files.vault import versions
from files.vault.quota import Allowance
from tests.audit.databases import as_default
from tests.files.test_models import placed
from tests.integration.postgresql import server

pytestmark = pytest.mark.integration


@pytest.fixture
def database(django_db_blocker: DjangoDbBlocker) -> Iterator[dict[str, Any]]:
    with (
        server(migrated=True) as configuration,
        django_db_blocker.unblock(),
        as_default(configuration),
    ):
        yield configuration


def begin_an_upload(file: FileRecord, bob: User) -> None:
    Allowance(file.owner, uploader=bob).admit(1)


def complete_an_upload(file: FileRecord, bob: User) -> None:
    Allowance(file.owner, uploader=bob).admit_complete(1, file.current)


def replace(file: FileRecord, bob: User) -> None:
    assert versions.lock(file.pk) is not None


def hand_over(file: FileRecord, bob: User) -> None:
    ownership.transfer([file], to=bob, actor=bob)


def move(file: FileRecord, bob: User) -> None:
    moving._fits(file, file.owner)


def give(file: FileRecord, bob: User) -> None:
    granting.grant(Grant(file=file, user=bob, level=Grant.Level.DOWNLOAD), actor=file.owner)


@pytest.mark.parametrize(
    "work", [begin_an_upload, complete_an_upload, replace, hand_over, move, give]
)
def test_rows_that_name_what_is_locked_come_in_meanwhile(
    database: dict[str, Any], work: Callable[[FileRecord, User], None]
) -> None:
    alice, bob = (User.objects.create_user(name, f"{name}@example.org") for name in ("ann", "bob"))
    file, folder = placed(alice), placing.root_of(alice)

    def name_them_all() -> None:
        with as_default(database):
            with connection.cursor() as cursor:
                cursor.execute("SET lock_timeout = '2s'")
            Grant.objects.create(file=file, user=alice, level="download", granted_by=bob)
            Folder.objects.create(name="case", parent=folder, owner=alice, added_by=bob)

    with ThreadPoolExecutor(1) as other, transaction.atomic():
        work(file, bob)
        other.submit(name_them_all).result(timeout=60)
    assert Folder.objects.filter(name="case").exists()
