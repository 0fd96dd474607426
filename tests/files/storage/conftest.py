"""The storage under test, over both stores: S3 in memory (moto) and the real SeaweedFS."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

import pytest

from files.storage import EncryptedS3Storage
from tests.files.storage.objects import Hands, KeysInMemory

if TYPE_CHECKING:
    from tests.conftest import Weed


@cache
def in_memory() -> EncryptedS3Storage:
    """One storage for all tests: to make its client takes longer than most of them."""
    return EncryptedS3Storage(
        bucket_name="storage-tests", endpoint_url=None, region_name="us-east-1"
    )


@pytest.fixture
def moto(new_bucket: Callable[[str], None]) -> EncryptedS3Storage:
    """A storage on an empty bucket in memory."""
    storage = in_memory()
    storage.keys = KeysInMemory()
    new_bucket(storage.bucket_name)
    return storage


@pytest.fixture(scope="session")
def weed_storage(weed: Weed) -> EncryptedS3Storage:
    """A storage on the real store. All tests share the bucket: no two use the same name."""
    storage = EncryptedS3Storage(
        bucket_name="storage-tests",
        endpoint_url=weed.endpoint_url,
        region_name="us-east-1",
        access_key=weed.access_key,
        secret_key=weed.secret_key,
    )
    storage.ensure_bucket()
    return storage


@pytest.fixture
def seaweedfs(weed_storage: EncryptedS3Storage) -> EncryptedS3Storage:
    """A storage on the real store."""
    weed_storage.keys = KeysInMemory()
    return weed_storage


@pytest.fixture(params=["moto", pytest.param("seaweedfs", marks=pytest.mark.integration)])
def store_name(request: pytest.FixtureRequest) -> str:
    """Which store the test runs on."""
    return str(request.param)


@pytest.fixture
def storage(request: pytest.FixtureRequest, store_name: str) -> EncryptedS3Storage:
    """The storage over either store."""
    found = request.getfixturevalue(store_name)
    assert isinstance(found, EncryptedS3Storage)
    return found


@pytest.fixture
def keys(storage: EncryptedS3Storage) -> KeysInMemory:
    """The keys that the storage's `save` and `open` use."""
    assert isinstance(storage.keys, KeysInMemory)
    return storage.keys


@pytest.fixture
def hands(storage: EncryptedS3Storage) -> Hands:
    """The way around the storage."""
    return Hands(storage)
