"""Eight people outside who send through one request at once: never more than it takes.

On SQLite and on PostgreSQL, each on a connection of its own, with the real store.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from pytest_django import DjangoDbBlocker

from accounts.models import User
from files.access.principals import Person
from files.errors import FileTooLarge, RequestFull, TooManyUploads
from files.models import FileRecord, FileRequest, Sender, StoredObject
from files.sharing import requests
from files.tree import placing
from files.vault import continuing, outside, resumable, storing
from files.vault.destinations import Destination
from tests.audit.databases import as_default
from tests.files.asked import sender_of

PEOPLE, FIT, SIZE = 8, 3, 1000
CONTENT = b"x" * SIZE

Send = Callable[[Sender], object]


@pytest.fixture
def alice(
    migrated_database: dict[str, Any], django_db_blocker: DjangoDbBlocker, real_store: object
) -> Iterator[User]:
    with django_db_blocker.unblock(), as_default(migrated_database):
        yield User.objects.create_superuser("alice", "alice@example.org")


def by_form(sender: Sender) -> FileRecord:
    """All of it in one request, its length not told before."""
    parts = [CONTENT[:400], CONTENT[400:]]
    to = Destination.through(sender)
    return storing.store(_maker(sender), parts, name="a", destination=to)


def in_pieces(sender: Sender) -> object:
    """By tus: its length is told before."""
    to = Destination.through(sender)
    session = resumable.create(_maker(sender), name="a", length=SIZE, destination=to)
    with continuing.Continuation(session, 0) as turn:
        turn.write(CONTENT)
        return turn.settle()


def _maker(sender: Sender) -> User:
    assert sender.request.maker is not None
    return sender.request.maker


def asked(maker: User, title: str, **terms: Any) -> FileRequest:
    folder = placing.add_folder(placing.root_of(maker), title, added_by=maker)
    wanted = requests.Terms(title, **{"most_bytes": 1_000_000, **terms})
    return requests.make(folder, wanted, by=Person(maker), actor=maker)[0]


def all_at_once(database: dict[str, Any], request: FileRequest, send: Send) -> int:
    """How many of the eight were told that it is stored."""
    senders = [sender_of(request, f"Ann {number}") for number in range(PEOPLE)]
    together = Barrier(PEOPLE)

    def one(sender: Sender) -> bool:
        with as_default(database):
            together.wait(timeout=60)
            try:
                send(sender)
            except (FileTooLarge, RequestFull, TooManyUploads):
                return False
            return True

    with ThreadPoolExecutor(PEOPLE) as pool:
        return sum(pool.map(one, senders))


BOUNDS: dict[str, dict[str, int]] = {
    "bytes": {"most_bytes": FIT * SIZE + 1},
    "files": {"most_files": FIT},
}


def test_never_more_than_it_takes(migrated_database: dict[str, Any], alice: User) -> None:
    """By form and by tus; of its bytes and of its number of files; and of the owner's quota."""
    for send in (by_form, in_pieces):
        for name, bound in BOUNDS.items():
            request = asked(alice, f"{send.__name__}, {name}", **bound)
            stored = all_at_once(migrated_database, request, send)
            # What reserves ahead may shut others out that would have fitted; they come again.
            assert 1 <= stored <= FIT, request.title
            for again in range(FIT - stored):
                send(sender_of(request, f"Bob {again}"))
            with pytest.raises((FileTooLarge, RequestFull)):
                send(sender_of(request, "Eve"))
            assert outside.received_through(request).count() == FIT, request.title
            assert outside.left_of(request) == request.most_bytes - FIT * SIZE
    there = FileRecord.objects.filter(owner=alice).count()
    assert there == 4 * FIT
    assert not StoredObject.objects.filter(state=StoredObject.State.WRITING).exists()
    User.objects.filter(pk=alice.pk).update(quota=(there + FIT) * SIZE + 1)
    request = asked(User.objects.get(pk=alice.pk), "the owner's")
    assert all_at_once(migrated_database, request, in_pieces) == FIT
    assert FileRecord.objects.filter(owner=alice).count() == there + FIT
