"""What supervisors ask: is it alive, is it ready."""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import OperationalError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoAssertNumQueries, Settings

from files.keys.master_keys import keyring
from files.models import StoredObject
from runtime.slots import DERIVATIONS
from securestore import health
from securestore.health import Probe

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
        {"database": "ok", "cache": "ok", "store": "ok", "keyring": "ok", "passwords": "ok"},
    )
    assert client.head("/readyz").status_code == 200


@pytest.mark.usefixtures("s3")
def test_not_ready_without_a_key_that_files_need(client: Client, db: None) -> None:
    stored_object("local:0123456789abcdef")
    response = client.get("/readyz")
    assert response.status_code == 503
    assert response.json() == {
        "database": "ok",
        "cache": "ok",
        "store": "ok",
        "keyring": "failed",
        "passwords": "ok",
    }


@pytest.mark.usefixtures("s3")
def test_whoever_asks_often_has_nothing_counted(client: Client, db: None) -> None:
    stored_object(keyring().primary_id)
    assert client.get("/readyz").status_code == 200
    with CaptureQueriesContext(connection) as queries:
        for _ in range(20):
            assert client.get("/readyz").status_code == 200
    assert not [query for query in queries if "files_storedobject" in query["sql"]]


def test_needed_keys_are_counted_again_in_time(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    needed = health.KeysNeeded()
    assert needed.keys() == {}
    stored_object("local:0123456789abcdef")
    assert needed.keys() == {}
    monkeypatch.setattr(health, "UNCHANGED", 0)
    assert needed.keys() == {"local:0123456789abcdef": 1}
    monkeypatch.setattr(health, "UNCHANGED", 3600)
    StoredObject.objects.all().delete()
    # One that is missing may have been added: that shows earlier.
    assert needed.keys() == {"local:0123456789abcdef": 1}
    monkeypatch.setattr(health, "FRESH", 0)
    assert needed.keys() == {}


def test_who_asks_while_another_counts_is_told_what_is_known(db: None) -> None:
    needed = health.KeysNeeded()
    needed.keys()
    with needed._lock:
        assert needed.keys() == {}


def test_not_ready_without_the_store(client: Client, db: None, settings: Settings) -> None:
    response = client.get("/readyz")
    assert response.status_code == 503
    assert response.json() == {
        "database": "ok",
        "cache": "ok",
        "store": "failed",
        "keyring": "ok",
        "passwords": "ok",
    }


@pytest.mark.usefixtures("s3")
def test_not_ready_while_a_password_or_passphrase_hangs(
    client: Client, db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(DERIVATIONS, "_longest", -1)
    with DERIVATIONS.taken():
        response = client.get("/readyz")
    assert (response.status_code, response.json()["passwords"]) == (503, "failed")
    assert client.get("/readyz").status_code == 200


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
        "cache": "ok",
        "store": "ok",
        "keyring": "failed",
        "passwords": "ok",
    }
    assert b"internal" not in response.content
    assert "host db.internal is down" in caplog.text


# --- A store that is slow, and many who ask -------------------------------------------------------


class Slow:
    """A question that is answered when the test says so."""

    def __init__(self) -> None:
        self.asked = 0
        self.may_answer = threading.Event()
        self.error: Exception | None = None

    def __call__(self) -> None:
        self.asked += 1
        assert self.may_answer.wait(30)
        if self.error is not None:
            raise self.error


@pytest.fixture
def slow() -> Iterator[Slow]:
    question = Slow()
    yield question
    question.may_answer.set()


def settled(probe: Probe) -> None:
    """Wait for the thread that asks to be done."""
    if (done := probe._done) is not None:
        assert done.wait(30)


def test_a_store_that_hangs_holds_nobody_up(slow: Slow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "PATIENCE", 0.05)
    probe = Probe(slow)
    begun = time.monotonic()
    for _ in range(50):
        with pytest.raises(TimeoutError, match="no answer within"):
            probe.check()
    # Only the first one waits, and it alone asks.
    assert time.monotonic() - begun < 20 * health.PATIENCE + 1
    assert slow.asked == 1
    slow.may_answer.set()
    settled(probe)
    probe.check()


def test_an_answer_is_good_for_a_while(slow: Slow, monkeypatch: pytest.MonkeyPatch) -> None:
    slow.may_answer.set()
    monkeypatch.setattr(health, "FRESH", 3600.0)
    probe = Probe(slow)
    probe.forget()
    for _ in range(5):
        probe.check()
    assert slow.asked == 1
    slow.error = ZeroDivisionError("x")
    probe.forget()
    for _ in range(5):
        with pytest.raises(ZeroDivisionError):
            probe.check()
    assert slow.asked == 2


def test_an_answer_does_not_last(slow: Slow, monkeypatch: pytest.MonkeyPatch) -> None:
    slow.may_answer.set()
    monkeypatch.setattr(health, "FRESH", 0.0)
    probe = Probe(slow)
    for _ in range(3):
        probe.check()
    assert slow.asked == 3


def test_many_who_ask_at_once_ask_the_store_once(slow: Slow) -> None:
    probe = Probe(slow)
    together = threading.Barrier(9)

    def ask() -> None:
        together.wait(10)
        probe.check()

    with ThreadPoolExecutor(8) as pool:
        asking = [pool.submit(ask) for _ in range(8)]
        together.wait(10)
        slow.may_answer.set()
        for one in asking:
            one.result(10)
    assert slow.asked == 1


@pytest.mark.usefixtures("s3")
def test_readyz_says_so_of_a_store_that_hangs(
    client: Client, db: None, slow: Slow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "PATIENCE", 0.05)
    monkeypatch.setattr(health, "STORE", Probe(slow))
    response = client.get("/readyz")
    assert response.status_code == 503
    assert response.json()["store"] == "failed"
