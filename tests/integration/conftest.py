"""Integration tests: the site's own code on the real object store."""

import copy
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pytest_django import Settings

from tests.conftest import Weed
from tests.integration import prepared
from tests.integration.postgresql import server

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            if item.get_closest_marker("soak"):
                continue  # `make soak` knows no limit, and a mark would be one all the same.
            item.add_marker(pytest.mark.integration)
            # Some kill a process at every point of what it does.
            item.add_marker(pytest.mark.timeout(900))


@pytest.fixture
def real_store(weed: Weed, settings: Settings) -> Iterator["S3Client"]:
    """Point the site at SeaweedFS, at an empty bucket of the test's own; yields a client of it."""
    bucket = f"test-{secrets.token_hex(8)}"
    client = weed.client()
    client.create_bucket(Bucket=bucket)
    storages = copy.deepcopy(settings.STORAGES)
    storages["default"]["OPTIONS"].update(
        bucket_name=bucket,
        endpoint_url=weed.endpoint_url,
        access_key=weed.access_key,
        secret_key=weed.secret_key,
    )
    # Django drops its storages when this setting changes, and makes new ones from it.
    settings.STORAGES = storages
    settings.S3_BUCKET = bucket
    settings.S3_ENDPOINT_URL = weed.endpoint_url
    yield client
    client.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[dict[str, Any]]:
    """The configuration of an empty database on disk, for several processes or threads at once."""
    if request.param == "postgresql":
        with server() as configuration:
            yield configuration
    else:
        yield prepared.sqlite(tmp_path / "db.sqlite3")


@pytest.fixture(params=["sqlite", "postgresql"])
def migrated_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[dict[str, Any]]:
    """The same of one that is as `migrate` leaves it."""
    if request.param == "postgresql":
        with server(migrated=True) as configuration:
            yield configuration
    else:
        prepared.database(tmp_path / "db.sqlite3")
        yield prepared.sqlite(tmp_path / "db.sqlite3")
