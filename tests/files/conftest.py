"""Fixtures of the files tests: a way to store a file, to look at the store, to change keys."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Self

import pytest

from audit.models import AuditEvent
from files.crypto.keyexport import header, writing
from files.crypto.passphrase import SALT_LENGTH, Derivation
from files.keys import custody, master_keys
from files.keys.custody import UserKey
from files.models import FileRecord, Folder, Grant, Item, StoredObject
from files.vault import storing

if TYPE_CHECKING:
    from django.contrib.auth.models import Group
    from types_boto3_s3.client import S3Client

    from accounts.models import User

Store = Callable[..., FileRecord]
UseKeys = Callable[..., None]
KEY = "aGVsZC1rZXktb2YtdGhlLXRlc3RzLTAxMjM0NTY3ODk="
PASSPHRASE = "violet tractor mumbles sixteen"
CONTENT = b"The quick brown fox. " * 40


class CheapDerivation(Derivation):
    """A passphrase's key at a thousandth of its cost."""

    __slots__ = ()

    @classmethod
    def new(cls) -> Self:
        return cls(os.urandom(SALT_LENGTH), memory=32, passes=1)


class CheapArgon2(header.Argon2):
    """The same for exports of keys."""

    def __init__(self, memory: int = 32, iterations: int = 1, lanes: int = 4) -> None:
        super().__init__(memory, iterations, lanes)


@pytest.fixture
def full_cost() -> None:
    """For tests of what passphrases cost: they take the half second that they take."""


@pytest.fixture(autouse=True)
def _cheap_passphrases(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if "full_cost" not in request.fixturenames:
        monkeypatch.setattr(custody, "Derivation", CheapDerivation)
        monkeypatch.setattr(writing, "Argon2", CheapArgon2)


@pytest.fixture
def store(s3: S3Client) -> Store:
    """Stores a file of the owner's and returns its record."""

    def store_one(
        owner: User,
        content: bytes = CONTENT,
        *,
        name: str = "fox.txt",
        kind: str = "text/plain",
        key: UserKey | None = None,
    ) -> FileRecord:
        chunks = [content] if content else []
        return storing.store(owner, chunks, name=name, content_type=kind, key=key)

    return store_one


@pytest.fixture
def record(store: Store, alice: User) -> FileRecord:
    """A file of Alice's: `CONTENT`, named fox.txt."""
    return store(alice)


@pytest.fixture
def held_record(store: Store, alice: User) -> FileRecord:
    """A file of Alice's that `KEY` opens, named secret.txt."""
    return store(alice, name="secret.txt", key=UserKey(KEY))


@pytest.fixture
def use_keys(monkeypatch: pytest.MonkeyPatch) -> UseKeys:
    """Configures the master keys, as a process started anew would find them."""

    def use(*keys: str) -> None:
        monkeypatch.setenv("MASTER_KEYS", ",".join(keys))
        monkeypatch.setattr(master_keys, "_watched", master_keys.WatchedKeyring())

    return use


@pytest.fixture
def store_is_empty(s3: S3Client, settings: Any) -> Callable[[], bool]:
    """Whether neither an object nor an unfinished multipart upload is in the bucket."""

    def empty() -> bool:
        listed = s3.list_objects_v2(Bucket=settings.S3_BUCKET)
        begun = s3.list_multipart_uploads(Bucket=settings.S3_BUCKET)
        return not listed.get("Contents") and not begun.get("Uploads")

    return empty


@pytest.fixture
def nothing_left(db: None, store_is_empty: Callable[[], bool]) -> Callable[[], bool]:
    """Whether no trace of any file is left: no record, no row, no object, no upload."""

    def nothing() -> bool:
        return (
            store_is_empty()
            and not FileRecord.objects.exists()
            and not StoredObject.objects.exists()
        )

    return nothing


@pytest.fixture
def events(db: None) -> Callable[..., list[dict[str, Any]]]:
    """The details of the events of one name, oldest first."""

    def of(name: str) -> list[dict[str, Any]]:
        rows = AuditEvent.objects.filter(event=name).order_by("id")
        return [{"file_id": row.file_id, "actor": row.actor_name, **row.data} for row in rows]

    return of


def give(item: Item, to: User | Group, **fields: Any) -> Grant:
    """A grant of the file or the folder, written straight to the database."""
    recipient = "user" if hasattr(to, "username") else "group"
    target = "folder" if isinstance(item, Folder) else "file"
    return Grant.objects.create(**{target: item, recipient: to}, **fields)


@pytest.fixture(name="give")
def _give() -> Callable[..., Grant]:
    return give
