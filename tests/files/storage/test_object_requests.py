"""What a writer asks of the store: nobody else's object is touched, and what is in doubt stays."""

from __future__ import annotations

import os

import pytest

from files.crypto.errors import Damaged
from files.storage import EncryptedS3Storage, StoreError, StoreUnavailable
from files.storage.backend import random_object_name
from tests.files.storage.failures import CHECK, UNREACHABLE, Point, both, failing
from tests.files.storage.objects import (
    PART,
    F,
    Hands,
    content,
    encrypted,
    new_context,
    new_key,
    write,
)


def test_an_abort_that_the_store_did_not_hear_is_left_for_the_sweep(
    storage: EncryptedS3Storage, hands: Hands
) -> None:
    name = random_object_name()
    writer = storage.writer(name, dek=os.urandom(32), context=new_context())
    writer.write(content(PART + F + 1))
    with hands.failing("AbortMultipartUpload", UNREACHABLE):
        assert not writer.abort()
    assert hands.traces(name) == [f"upload of {name}"]
    assert storage.discard(name)
    assert hands.traces(name) == []


@pytest.mark.parametrize("size", [0, F + 1, PART + F], ids=["empty", "put", "multipart"])
@pytest.mark.parametrize("same_length", [False, True])
def test_an_object_that_has_the_name_already_stays(
    storage: EncryptedS3Storage, hands: Hands, size: int, same_length: bool
) -> None:
    name = random_object_name()
    theirs = encrypted(new_key(size if same_length else 7), content(size if same_length else 7))
    hands.put(name, theirs)
    with pytest.raises(Damaged):
        write(storage, [content(size)], name=name)
    assert hands.traces(name) == [name]
    assert hands.get(name) == theirs


@both
@pytest.mark.parametrize("size", [1, PART + F], ids=["put", "multipart"])
def test_it_stays_also_when_the_store_did_not_say_so(
    storage: EncryptedS3Storage, hands: Hands, size: int, after: bool
) -> None:
    name, theirs = random_object_name(), encrypted(new_key(size), content(size))
    hands.put(name, theirs)
    last = Point("PutObject" if size == 1 else "CompleteMultipartUpload")
    with failing(hands, last, after=after), pytest.raises(StoreError):
        write(storage, [content(size)], name=name)
    assert hands.get(name) == theirs


def test_whose_it_is_cannot_be_told_when_the_store_is_gone(
    storage: EncryptedS3Storage, hands: Hands
) -> None:
    """The object may be ours: it is left, and the abort says so."""
    name = random_object_name()
    writer = storage.writer(name, dek=os.urandom(32), context=new_context())
    with failing(hands, Point("PutObject"), after=True), pytest.raises(StoreUnavailable):
        writer.commit()
    with failing(hands, CHECK, after=False):
        assert not writer.abort()
    assert hands.traces(name) == [name]
