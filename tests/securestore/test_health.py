"""What supervisors ask: is it alive, is it ready."""

from __future__ import annotations

import json
import uuid

import pytest
from django.db import OperationalError, connection
from django.test import Client
from pytest_django import DjangoAssertNumQueries, Settings

from files.models import StoredObject

METHODS = ["post", "put", "patch", "delete"]


def stored_object(master_key_id: str) -> StoredObject:
    return StoredObject.objects.create(
        file_id=uuid.uuid4(),
        object_name=uuid.uuid4().hex,
        master_key_id=master_key_id,
        wrapped_key=b"wrapped",
        stream_created_at=1,
    )


def test_alive_reads_nothing(
    client: Client, db: None, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(0):
        response = client.get("/healthz")
    assert (response.status_code, response.content) == (200, b"ok")


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
@pytest.mark.parametrize("method", METHODS)
def test_they_only_tell(client: Client, path: str, method: str) -> None:
    assert getattr(client, method)(path).status_code == 405


@pytest.mark.usefixtures("s3")
def test_ready_when_all_parts_are(client: Client, db: None) -> None:
    response = client.get("/readyz")
    assert (response.status_code, response.json()) == (
        200,
        {"database": "ok", "store": "ok", "keyring": "ok"},
    )
    assert client.head("/readyz").status_code == 200


@pytest.mark.usefixtures("s3")
def test_not_ready_without_a_key_that_files_need(client: Client, db: None) -> None:
    stored_object("local:0123456789abcdef")
    response = client.get("/readyz")
    assert response.status_code == 503
    assert response.json() == {"database": "ok", "store": "ok", "keyring": "failed"}


def test_not_ready_without_the_store(client: Client, db: None, settings: Settings) -> None:
    response = client.get("/readyz")
    assert response.status_code == 503
    assert response.json() == {"database": "ok", "store": "failed", "keyring": "ok"}


@pytest.mark.usefixtures("s3")
def test_not_ready_without_the_database(
    client: Client, db: None, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*arguments: object) -> None:
        raise OperationalError("host db.internal is down")

    with connection.execute_wrapper(refuse):
        response = client.get("/readyz")
    assert response.status_code == 503
    assert json.loads(response.content) == {
        "database": "failed",
        "store": "ok",
        "keyring": "failed",
    }
    assert b"internal" not in response.content
    assert "host db.internal is down" in caplog.text
