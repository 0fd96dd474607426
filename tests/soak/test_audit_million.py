"""A million events are verified in the memory that ten thousand take.

Prints its figures: `make soak` shows them with `-s`. Linux only, for it reads /proc.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import pytest
from django.db import connection
from pytest_django import DjangoDbBlocker

from tests.audit.databases import as_default, migrate, write_quickly

pytestmark = [pytest.mark.soak, pytest.mark.usefixtures("_unblocked")]

ROOT = Path(__file__).parents[2]
EVENTS = 1_000_000


@pytest.fixture
def _unblocked(django_db_blocker: DjangoDbBlocker) -> object:
    with django_db_blocker.unblock():
        yield


def verified(database: Path, anchors: Path) -> tuple[int, float]:
    """The peak of resident memory (bytes) and the seconds that `verify_audit` takes."""
    begun = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "manage.py", "verify_audit", "--anchors-from", str(anchors)],
        cwd=ROOT,
        env={
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "tests.settings",
            "TEST_DATABASE_URL": f"sqlite:///{database}",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    said = process.stdout.read()
    process.stdout.close()
    _pid, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    assert "events hold" in said
    usage: resource.struct_rusage = used
    return usage.ru_maxrss * 1024, time.monotonic() - begun


def test_a_million_events_in_bounded_memory(tmp_path: Path) -> None:
    peaks = {}
    for count in (10_000, EVENTS):
        path, anchors = tmp_path / f"{count}.sqlite3", tmp_path / f"{count}.anchors"
        with as_default({"ENGINE": "django.db.backends.sqlite3", "NAME": str(path)}):
            migrate(None)
            migrate("0003_last_run")
            write_quickly(count)
            with connection.cursor() as cursor, anchors.open("w") as lines:
                cursor.execute("SELECT id, mac FROM audit_auditevent ORDER BY id")
                while rows := cursor.fetchmany(1000):
                    lines.writelines(f"{number}:{mac}\n" for number, mac in rows)
        peaks[count], seconds = verified(path, anchors)
        sys.stdout.write(f"{count} events: {peaks[count] / 2**20:.0f} MiB, {seconds:.0f} s\n")
    assert peaks[EVENTS] < peaks[10_000] + 16 * 2**20
