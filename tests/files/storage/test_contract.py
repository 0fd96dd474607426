"""The contract of a Django storage, kept for encrypted objects, on every store that we name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.files.base import ContentFile, File

from files.crypto.errors import Damaged
from files.storage import EncryptedS3Storage, ObjectMissing, StoreError
from tests.files.storage.objects import (
    MARKER,
    PART,
    SIZES,
    F,
    Hands,
    KeysInMemory,
    content,
    decrypted,
)


class Cut(File[bytes]):
    """A file whose source breaks off after some chunks."""

    def __init__(self, *chunks: bytes) -> None:
        super().__init__(None)
        self._pieces = chunks

    def chunks(self, chunk_size: int | None = None) -> Iterator[bytes]:
        yield from self._pieces
        raise ConnectionAbortedError("the client went away")


@pytest.mark.parametrize("size", [*SIZES, PART + 3 * F + 1])
def test_saved_bytes_are_read_back_and_the_object_is_a_stream(
    storage: EncryptedS3Storage, keys: KeysInMemory, hands: Hands, size: int
) -> None:
    name = storage.save("fox.txt", ContentFile(content(size)))

    assert storage.exists(name)
    assert storage.size(name) == size
    with storage.open(name) as file:
        assert file.size == size
        assert file.read() == content(size)

    stored = hands.get(name)
    assert MARKER not in stored
    assert decrypted(keys.find(name), stored) == content(size)
    assert storage.object_size(name) == len(stored) == keys.sealed[name].object_size


def test_a_name_says_nothing(storage: EncryptedS3Storage) -> None:
    names = {storage.save("letters/love.txt", ContentFile(b"dear")) for _ in range(3)}
    assert len(names) == 3
    assert all(re.fullmatch(r"[0-9a-f]{2}/[0-9a-f]{30}", name) for name in names)
    assert storage.get_alternative_name("love", ".txt") not in names


def test_the_store_learns_no_type(storage: EncryptedS3Storage, hands: Hands) -> None:
    small = storage.save("fox.html", ContentFile(b"<html>"))
    large = storage.save("fox.html", ContentFile(content(PART + 1)))
    for name in (small, large):
        head = hands.client.head_object(Bucket=hands.bucket, Key=name)
        assert head["ContentType"] == "application/octet-stream"
        assert not head.get("ContentEncoding")
        assert not head.get("Metadata")


def test_a_deleted_object_is_gone(storage: EncryptedS3Storage, keys: KeysInMemory) -> None:
    name = storage.save("fox.txt", ContentFile(b"fox"))
    storage.delete(name)
    assert not storage.exists(name)
    assert keys.issued == {}
    with pytest.raises(FileNotFoundError):
        storage.open(name)
    with pytest.raises(FileNotFoundError):
        storage.size(name)
    storage.delete(name)


def test_delete_needs_a_name(storage: EncryptedS3Storage) -> None:
    with pytest.raises(ValueError, match="name must be given"):
        storage.delete("")


def test_there_is_no_url(storage: EncryptedS3Storage) -> None:
    with pytest.raises(NotImplementedError):
        storage.url("any")


@pytest.mark.parametrize("mode", ["w", "wb", "ab", "r+b", "rt", "x", "b", ""])
def test_objects_are_opened_for_reading_bytes_only(storage: EncryptedS3Storage, mode: str) -> None:
    name = storage.save("fox.txt", ContentFile(b"fox"))
    with pytest.raises(ValueError, match="mode 'rb'"):
        storage.open(name, mode)


def test_an_open_file_seeks_and_comes_in_chunks(storage: EncryptedS3Storage) -> None:
    name = storage.save("fox.txt", ContentFile(content(2 * F + 9)))
    with storage.open(name) as file:
        file.seek(F - 2)
        assert file.read(4) == content(F + 2)[-4:]
        assert b"".join(file.chunks()) == content(2 * F + 9)


def test_text_is_stored_as_utf_8(storage: EncryptedS3Storage) -> None:
    name = storage.save("fox.txt", ContentFile("füchslein"))
    assert storage.open(name).read() == "füchslein".encode()


@pytest.mark.parametrize("received", [0, 1, F + 1, PART + F])
def test_what_was_not_received_whole_is_not_stored(
    storage: EncryptedS3Storage, keys: KeysInMemory, hands: Hands, received: int
) -> None:
    with hands.calls() as calls, pytest.raises(ConnectionAbortedError):
        storage.save("fox.txt", Cut(content(received)))
    assert keys.issued == {}
    assert all(hands.traces(call.parameters["Key"]) == [] for call in calls)


def test_an_object_without_a_record_is_taken_back(
    storage: EncryptedS3Storage,
    keys: KeysInMemory,
    hands: Hands,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names: list[str] = []

    def refuse(sealed: object) -> None:
        names.extend(keys.issued)
        raise RuntimeError("database is locked")

    monkeypatch.setattr(keys, "seal", refuse)
    with pytest.raises(RuntimeError):
        storage.save("fox.txt", ContentFile(b"fox"))
    assert names
    assert hands.traces(names[0]) == []
    assert keys.issued == {}


def test_a_taken_name_is_refused_and_what_has_it_stays(
    storage: EncryptedS3Storage, hands: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = storage.save("fox.txt", ContentFile(b"somebody else's"))
    before = hands.get(name)
    monkeypatch.setattr(storage, "get_available_name", lambda *_, **__: name)
    with pytest.raises(Damaged):
        storage.save("fox.txt", ContentFile(b"mine"))
    assert hands.get(name) == before


def test_an_object_that_the_store_lost_is_missing(
    storage: EncryptedS3Storage, hands: Hands
) -> None:
    name = storage.save("fox.txt", ContentFile(b"fox"))
    hands.client.delete_object(Bucket=hands.bucket, Key=name)
    assert not storage.exists(name)
    with pytest.raises(ObjectMissing):
        storage.object_size(name)
    with storage.open(name) as file, pytest.raises(FileNotFoundError):
        file.read()


def test_discard_finds_uploads_that_nobody_noted(storage: EncryptedS3Storage, hands: Hands) -> None:
    for name in ("ab/lost", "ab/lost-not"):
        hands.client.create_multipart_upload(Bucket=hands.bucket, Key=name)
    assert [found.name for found in storage.multiparts("ab/lost")] == ["ab/lost", "ab/lost-not"]
    assert storage.discard("ab/lost")
    assert [found.name for found in storage.multiparts("ab/lost")] == ["ab/lost-not"]
    assert storage.discard("ab/lost-not")
    assert storage.discard("ab/lost-not")


@pytest.mark.parametrize(
    "operation", ["ListMultipartUploads", "ListObjectsV2", "AbortMultipartUpload", "DeleteObject"]
)
def test_discard_never_raises_and_says_what_it_could_not_do(
    storage: EncryptedS3Storage, hands: Hands, operation: str
) -> None:
    upload = hands.client.create_multipart_upload(Bucket=hands.bucket, Key="cd/kept")["UploadId"]
    with hands.failing(operation, ConnectionResetError()):
        assert not storage.discard("cd/kept", upload)
    assert storage.discard("cd/kept", upload)
    assert hands.traces("cd/kept") == []


def test_a_delete_that_the_store_did_not_confirm_raises(
    storage: EncryptedS3Storage, keys: KeysInMemory, hands: Hands
) -> None:
    name = storage.save("fox.txt", ContentFile(b"fox"))
    with hands.failing("DeleteObject", ConnectionResetError()), pytest.raises(StoreError):
        storage.delete(name)
    assert name in keys.issued


def test_a_bucket_is_made_once(storage: EncryptedS3Storage, hands: Hands) -> None:
    assert not storage.ensure_bucket()
    other = EncryptedS3Storage(
        bucket_name="storage-tests-other",
        endpoint_url=storage.endpoint_url,
        region_name="us-east-1",
        access_key=storage.access_key,
        secret_key=storage.secret_key,
    )
    with pytest.raises(ObjectMissing):
        other.check()
    assert other.ensure_bucket()
    other.check()
    hands.client.delete_bucket(Bucket="storage-tests-other")


def test_keys_are_needed_to_save(moto: EncryptedS3Storage) -> None:
    moto.keys = None
    with pytest.raises(ValueError, match="`keys` option"):
        moto.save("fox.txt", ContentFile(b"fox"))


def test_keys_may_be_named_in_the_settings(moto: EncryptedS3Storage) -> None:
    moto.keys = "tests.files.storage.objects.KeysInMemory"
    name = moto.save("fox.txt", ContentFile(b"fox"))
    assert moto.open(name).read() == b"fox"


@pytest.mark.parametrize(
    ("url", "signed"),
    [
        ("http://127.0.0.1:8333", False),
        ("http://[::1]:8333", False),
        ("http://10.0.0.1:8333", True),
        ("http://store.example:8333", True),
        ("https://127.0.0.1.example", True),
        (None, True),
    ],
)
def test_bodies_are_hashed_for_the_wire(url: str | None, signed: bool) -> None:
    storage = EncryptedS3Storage(bucket_name="b", endpoint_url=url, region_name="us-east-1")
    config: Any = storage.client_config
    assert config.s3.get("payload_signing_enabled", True) is signed
