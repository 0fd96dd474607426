"""Objects for the tests of the storage: recognisable plaintext, keys, hands on the store.

`Hands` goes around the storage, straight to the store's own API: it sees what really lies there,
puts what no writer would, and makes a call fail before or after it took effect.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from itertools import count
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from files.crypto.stream.decryption import Decryptor
from files.crypto.stream.encryption import encrypt
from files.crypto.stream.keys import Context, derive_keys
from files.crypto.stream.layout import (
    FRAME_LENGTH,
    FRAME_PAYLOAD,
    TRAILER_LENGTH,
    frame_count,
    frames_per_part,
    object_length,
)
from files.storage import EncryptedS3Storage, ObjectKey, ObjectMissing, SealedObject
from files.storage.backend import random_object_name

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

F = FRAME_PAYLOAD
PART = frames_per_part(None) * F
"""Plaintext bytes of a full part."""

SIZES = (0, 1, 15, 16, 17, *range(F - 17, F - 14), F - 1, F, F + 1, 2 * F - 1, 2 * F, 2 * F + 1)
SIZES += (3 * F, 5 * F + 7)
"""The positive sizes of the format's "What must be refused"."""

MARKER = b"plaintext-marker"
_LINE = MARKER + b"%015d\n"
_LONGEST = 96 * F


@cache
def _lines() -> bytes:
    return b"".join(_LINE % number for number in range(_LONGEST // 32))


def content(size: int) -> bytes:
    """`size` bytes of plaintext, at most three real parts, in which no two frames are equal."""
    if size > _LONGEST:
        raise ValueError("so much content is not kept in memory")
    return _lines()[:size]


def new_context() -> Context:
    """The context of a new stream."""
    return Context(uuid4(), uuid4(), 1_700_000_000)


def new_key(size: int) -> ObjectKey:
    """The key of a new stream of `size` bytes."""
    dek, context = os.urandom(32), new_context()
    return ObjectKey(dek, context, size, derive_keys(dek, context).commitment)


def encrypted(key: ObjectKey, plaintext: bytes) -> bytes:
    """The object, as the encryptor alone makes it."""
    return b"".join(encrypt(key.dek, key.context, [plaintext]))


def decrypted(key: ObjectKey, data: bytes) -> bytes:
    """The plaintext of an object, by the format's rules and without the storage."""
    assert len(data) == object_length(key.size)
    keys = derive_keys(key.dek, key.context)
    decryptor = Decryptor(keys, key.context, key.size)
    decryptor.check_trailer(data[-TRAILER_LENGTH:])
    frames = data[:-TRAILER_LENGTH]
    return b"".join(
        decryptor.open_frame(index, frames[index * FRAME_LENGTH : (index + 1) * FRAME_LENGTH])
        for index in range(frame_count(key.size))
    )


class KeysInMemory:
    """The keys that a storage's own `save` and `open` need, for as long as the test runs."""

    def __init__(self) -> None:
        self.issued: dict[str, tuple[bytes, Context]] = {}
        self.sealed: dict[str, SealedObject] = {}

    def issue(self, name: str) -> tuple[bytes, Context]:
        self.issued[name] = os.urandom(32), new_context()
        return self.issued[name]

    def seal(self, sealed: SealedObject) -> None:
        self.sealed[sealed.name] = sealed

    def find(self, name: str) -> ObjectKey:
        if name not in self.sealed:
            raise ObjectMissing("no such object")
        dek, context = self.issued[name]
        return ObjectKey(dek, context, self.sealed[name].size, self.sealed[name].commitment)

    def forget(self, name: str) -> None:
        self.issued.pop(name, None)
        self.sealed.pop(name, None)


@dataclass(frozen=True)
class Call:
    """One call of the S3 client: the operation's name and its parameters."""

    operation: str
    parameters: dict[str, Any]


class Hands:
    """What a test does to the store directly, and what it sees of a storage's calls."""

    def __init__(self, storage: EncryptedS3Storage) -> None:
        self.storage = storage
        self.client: S3Client = storage.client
        self.bucket = storage.bucket_name

    def put(self, name: str, data: bytes) -> None:
        self.client.put_object(Bucket=self.bucket, Key=name, Body=data)

    def get(self, name: str) -> bytes:
        return self.client.get_object(Bucket=self.bucket, Key=name)["Body"].read()

    def place(self, plaintext: bytes) -> tuple[str, ObjectKey]:
        """A genuine object that no writer of ours has touched: its name and key."""
        name, key = random_object_name(), new_key(len(plaintext))
        self.put(name, encrypted(key, plaintext))
        return name, key

    def traces(self, name: str) -> list[str]:
        """The objects and unfinished uploads whose names begin with `name`."""
        listed = self.client.list_objects_v2(Bucket=self.bucket, Prefix=name)
        begun = self.client.list_multipart_uploads(Bucket=self.bucket, Prefix=name)
        return [
            *(found["Key"] for found in listed.get("Contents", [])),
            *(f"upload of {found['Key']}" for found in begun.get("Uploads", [])),
        ]

    @contextmanager
    def calls(self) -> Iterator[list[Call]]:
        """Note every call of the client meanwhile."""
        noted: list[Call] = []

        def note(params: dict[str, Any], model: Any, **_: Any) -> None:
            noted.append(Call(model.name, params))

        with self._on("provide-client-params.s3.*", note):
            yield noted

    @contextmanager
    def failing(
        self,
        operation: str,
        error: BaseException,
        *,
        first: int = 1,
        times: int = 1,
        after: bool = False,
    ) -> Iterator[None]:
        """Let calls of an operation fail, from the `first` on and so many, and the others pass.

        They fail before anything was sent or, with `after`, when the store had already done it.
        """
        numbers = count(1)

        def fail(**_: Any) -> None:
            if first <= next(numbers) < first + times:
                raise error

        event = "after-call" if after else "provide-client-params"
        with self._on(f"{event}.s3.{operation}", fail):
            yield

    @contextmanager
    def meanwhile(self, operation: str, action: Callable[[], object]) -> Iterator[None]:
        """Do something of one's own after the first answer to an operation has arrived."""
        waiting = [action]

        def act(**_: Any) -> None:
            if waiting:
                waiting.pop()()

        with self._on(f"after-call.s3.{operation}", act):
            yield

    @contextmanager
    def _on(self, event: str, handler: Callable[..., None]) -> Iterator[None]:
        events = self.client.meta.events
        events.register(event, handler)
        try:
            yield
        finally:
            events.unregister(event, handler)


def write(
    storage: EncryptedS3Storage,
    chunks: Iterable[bytes],
    *,
    name: str = "",
    size: int | None = None,
) -> tuple[str, ObjectKey]:
    """Write an object from its chunks: its name and key. `size` is what is declared."""
    name = name or random_object_name()
    dek, context = os.urandom(32), new_context()
    with storage.writer(name, dek=dek, context=context, size=size) as writer:
        for chunk in chunks:
            writer.write(chunk)
        sealed = writer.commit()
    return name, ObjectKey(dek, context, sealed.size, sealed.commitment)
