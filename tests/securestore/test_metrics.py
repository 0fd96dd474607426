"""The page of metrics: for who has the token, true, and without a name in it."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import OperationalError, connection
from django.test import Client
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families
from pytest_django import DjangoAssertNumQueries, DjangoCaptureOnCommitCallbacks, Settings

import audit
from accounts.models import User
from audit import Event
from files.models import DownloadSession, StoredObject
from files.vault import downloading, storing
from runtime.configuration import BASE_DIR
from runtime.leases import is_running, parent
from securestore import metrics

TOKEN = "nVq7RZ2mHc0wT4bKx9LJ"
NAME = "very-private-name.txt"
Read = Callable[[], dict[tuple[str, tuple[tuple[str, str], ...]], float]]


@pytest.fixture
def counting(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As in a process that serves, but on its own."""
    settings.METRICS_TOKEN = TOKEN
    monkeypatch.setattr(metrics, "_counters", metrics.new_counters())
    audit.announcements.recorded.connect(metrics._note_event)
    yield
    audit.announcements.recorded.disconnect(metrics._note_event)


@pytest.fixture
def read(client: Client, counting: None, db: None) -> Read:
    def read_all() -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
        response = client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
        assert response.status_code == 200
        assert response["Content-Type"].startswith("text/plain")
        return {
            (
                sample.name.removeprefix("securestore_"),
                tuple(sorted(sample.labels.items())),
            ): sample.value
            for family in text_string_to_metric_families(response.text)
            for sample in family.samples
        }

    return read_all


def sample(found: Any, name: str, **labels: str) -> float | None:
    value: float | None = found.get((name, tuple(sorted(labels.items()))))
    return value


# --- Who may read it ------------------------------------------------------------------------------


def test_without_a_token_configured_there_is_no_such_page(client: Client, db: None) -> None:
    for headers in ({}, {"Authorization": "Bearer "}, {"Authorization": "Bearer None"}):
        assert client.get("/metrics", headers=headers).status_code == 404


@pytest.mark.parametrize(
    "given",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Bearer x",
        TOKEN,
        f"Basic {TOKEN}",
        f"Bearer {TOKEN}x",
        "Bearer é",
    ],
)
def test_another_token_is_refused(client: Client, settings: Settings, given: str | None) -> None:
    settings.METRICS_TOKEN = TOKEN
    response = client.get("/metrics", headers={} if given is None else {"Authorization": given})
    assert response.status_code == 401
    assert response["WWW-Authenticate"].startswith("Bearer")
    assert b"securestore_" not in response.content


def test_no_session_is_enough(client: Client, settings: Settings, root: User) -> None:
    settings.METRICS_TOKEN = TOKEN
    client.force_login(root)
    assert client.get("/metrics").status_code == 401


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_it_only_tells(client: Client, settings: Settings, method: str) -> None:
    settings.METRICS_TOKEN = TOKEN
    headers = {"Authorization": f"Bearer {TOKEN}"}
    assert getattr(client, method)("/metrics", headers=headers).status_code == 405


# --- What it says ---------------------------------------------------------------------------------


def test_transfers_are_counted(
    client: Client,
    alice: User,
    s3: object,
    read: Read,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    client.force_login(alice)
    with django_capture_on_commit_callbacks(execute=True):
        record = storing.store(alice, [b"x" * 1000], name=NAME)
        for _ in range(2):
            response = client.get(f"/files/{record.id}/download/")
            response.getvalue()
            response.close()
        storing.Upload(alice, name=NAME).abort()
    found = read()
    assert sample(found, "transfers_total", direction="in", outcome="complete") == 1
    assert sample(found, "transfers_total", direction="in", outcome="aborted") == 1
    assert sample(found, "transfers_total", direction="out", outcome="complete") == 2
    assert sample(found, "transfer_bytes_total", direction="in") == 1000
    assert sample(found, "transfer_bytes_total", direction="out") == 2000
    assert sample(found, "transfer_duration_seconds_count", direction="out") == 2
    assert sample(found, "failures_total", kind="upload") == 1
    assert sample(found, "audit_events_total", event="file_downloaded") == 2
    assert sample(found, "requests_total", method="GET", route="files:download", status="200") == 2
    assert sample(found, "request_duration_seconds_count", route="files:download") == 2


def test_a_download_that_stands_still_is_closed_and_counted(
    alice: User,
    s3: object,
    read: Read,
    settings: Settings,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    record = storing.store(alice, [b"x" * 1000], name=NAME)
    part = downloading.Part(0, record.size)
    sending = downloading.begin(record, part, user=alice, session="s")
    sending.end(downloading.ABORTED, 400, 400)
    with django_capture_on_commit_callbacks(execute=True):
        assert sample(read(), "transfers_total", direction="out", outcome="aborted") is None
        still = timezone.now() - settings.DOWNLOAD_IDLE
        DownloadSession.objects.update(seen_at=still - timedelta(seconds=1))
        # Not by the sweep, which nobody counts.
        call_command("sweep", stdout=StringIO())
        assert DownloadSession.objects.filter(settled=False).exists()
        read()
    found = read()
    assert sample(found, "transfers_total", direction="out", outcome="aborted") == 1
    assert sample(found, "transfer_bytes_total", direction="out") == 400
    assert sample(found, "downloads_open") == 0


def test_failures_are_counted_by_kind(
    client: Client,
    read: Read,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        audit.record(Event.DAMAGE_FOUND)
        audit.record(Event.SIGN_IN_FAILED)

    def refuse(*arguments: object) -> None:
        raise OperationalError("down")

    with connection.execute_wrapper(refuse):
        assert (
            client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 503
        )
    found = read()
    assert sample(found, "failures_total", kind="damage") == 1
    assert sample(found, "failures_total", kind="sign_in") == 1
    assert sample(found, "failures_total", kind="OperationalError") == 1


def test_rows_and_runs_are_told(alice: User, s3: object, read: Read) -> None:
    storing.store(alice, [b"x"], name=NAME)
    damaged = storing.store(alice, [b"x"], name=NAME)
    StoredObject.objects.filter(pk=damaged.current_id).update(state="damaged")
    with audit.command("sweep") as run:
        run.tell(purged=3)
    with pytest.raises(ZeroDivisionError), audit.command("verify_files"):
        raise ZeroDivisionError
    found = read()
    assert sample(found, "objects", state="live") == 1
    assert sample(found, "objects", state="damaged") == 1
    assert sample(found, "objects", state="doomed") == 0
    assert (sample(found, "object_bytes", state="live") or 0) > 1
    assert sample(found, "files") == 2
    assert sample(found, "downloads_open") == 0
    assert sample(found, "audit_head") == 6
    assert sample(found, "command_failed", command="sweep") == 0
    assert sample(found, "command_failed", command="verify_files") == 1
    assert sample(found, "command_figure", command="sweep", figure="purged") == 3
    assert sample(found, "command_succeeded_seconds", command="sweep") is not None
    assert sample(found, "command_succeeded_seconds", command="verify_files") is None


def test_the_number_of_queries_is_fixed(
    alice: User, s3: object, read: Read, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    read()  # What takes long is asked once a minute.
    for _ in range(2):
        with django_assert_num_queries(7):
            read()
        storing.store(alice, [b"x"], name=NAME)
        with audit.command("sweep"):
            pass


def test_no_label_can_be_made_by_a_client(
    client: Client, alice: User, s3: object, read: Read
) -> None:
    record = storing.store(alice, [b"x"], name=NAME)
    client.force_login(alice)
    client.get(f"/files/{record.id}/").close()
    client.get(f"/made/{NAME}/up?q={NAME}").close()
    client.generic("BREW", "/healthz").close()
    labels = str(list(read()))
    for told in (NAME, "alice", str(record.id), "BREW", "made", "127.0.0.1"):
        assert told not in labels
    assert "('method', 'other')" in labels


def test_every_event_is_counted() -> None:
    counters = metrics.new_counters()
    for event in Event:
        counters.note_event(event, {})


# --- Several processes ----------------------------------------------------------------------------

WORKER = """
import django, os, sys
django.setup()
from securestore import metrics
metrics.start()
metrics.note_request("GET", "healthz", 200, 0.1)
from prometheus_client import CollectorRegistry, generate_latest
registry = CollectorRegistry()
metrics._counters.add_to(registry)
print(os.environ["PROMETHEUS_MULTIPROC_DIR"])
print(generate_latest(registry).decode())
"""


def worker(tmp_path: Path, **changes: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", WORKER],
        cwd=BASE_DIR,
        env={
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "securestore.settings",
            "METRICS_TOKEN": TOKEN,
            "TMPDIR": str(tmp_path),
            **changes,
        },
        capture_output=True,
        text=True,
        check=True,
    ).stdout


@pytest.mark.integration
def test_processes_of_one_server_count_together(tmp_path: Path) -> None:
    above = tmp_path / f"securestore-metrics-{os.geteuid()}"
    for left in ("1-0", "999999999-5", "odd"):
        (above / left).mkdir(parents=True)
    above.chmod(0o700)
    worker(tmp_path)
    folder, *lines = worker(tmp_path).splitlines()
    wanted = 'securestore_requests_total{method="GET",route="healthz",status="200"} 2.0'
    assert wanted in lines
    # Those of servers that are gone are removed; this test is the parent of both.
    assert [one.name for one in above.iterdir()] == [Path(folder).name]
    assert Path(folder).stat().st_mode & 0o777 == 0o700


def test_a_folder_that_is_open_to_others_is_not_used(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    above = tmp_path / f"securestore-metrics-{os.geteuid()}"
    above.mkdir()
    above.chmod(0o755)
    with pytest.raises(PermissionError, match="of this account alone"):
        metrics._folder()
    above.rmdir()
    above.symlink_to(tmp_path)
    with pytest.raises(OSError, match="securestore-metrics"):
        metrics._folder()


def test_a_process_is_named_for_good() -> None:
    assert is_running(parent())
    pid = parent().partition("-")[0]
    for name in (f"{pid}-1", pid, "x-1", "-", ""):
        assert not is_running(name)


def test_nothing_is_counted_without_a_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "_counters", None)
    metrics.start()
    assert metrics._counters is None
    metrics.note_request("GET", "healthz", 200, 0.1)
    metrics.note_failure("x")
