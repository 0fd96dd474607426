"""Processes whose clocks differ: none takes over what another one is alive to do.

Hosts that lost their time server go minutes apart. Whoever holds a lease lives in a process of its
own here, and whoever wants it in another, each with a clock of its own.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from typing import Any

import pytest

from tests.conftest import Weed
from tests.integration import services
from tests.integration.services import Deployment

SKEWED = """
import sys
from datetime import timedelta
from django.utils import timezone
true = timezone.now
timezone.now = lambda: true() + timedelta(seconds={skew})
from accounts.models import User
from files.rotation import reencryption
from runtime import clock
from files.upkeep import sweeping, verification_queue
from files.errors import UploadBusy
from files.vault import continuing, resumable, storing, upload_leases
from files.models import FileRecord, StoredObject, UploadSession, VerificationClaim
upload_leases.PATIENCE = 0.1
alice = User.objects.get(username="alice")

def ready():
    print("ready", flush=True)
    sys.stdin.read()
"""
HOLD = {
    "upload": """
session = resumable.create(alice, name="upload", length=2_000_000)
with continuing.Continuation(session, 0) as turn:
    turn.write(bytes(1000))
    turn._update()
    ready()
    turn.write(bytes(1_999_000))
    assert turn.settle() is not None
""",
    "first": """
session = resumable.create(alice, name="first", length=5, leased=True)
with continuing.Continuation(session, 0, first=True) as turn:
    ready()
    turn.write(bytes(5))
    assert turn.settle() is not None
""",
    "reencryption": """
record = storing.store(alice, [bytes(1_000_000)], name="file")
told = []
def progress(count):
    if not told:
        ready()
    told.append(count)
assert reencryption.reencrypt(record, progress=progress).current_id != record.current_id
""",
    "verification": """
storing.store(alice, [b"x"], name="file")
queue = verification_queue.Queue(StoredObject.objects.all(), clock.now())
page = queue.take()
ready()
page.well = [row.pk for row in page.rows]
page.settle()
assert not VerificationClaim.objects.exists()
""",
}
TRY = {
    "upload": """
try:
    continuing.Continuation(UploadSession.objects.select_related("object").get(), 0)
except UploadBusy:
    print("left alone")
assert sweeping.sweep() == sweeping.Swept()
""",
    "reencryption": """
record = FileRecord.objects.select_related("current").get()
try:
    reencryption.reencrypt(record)
except reencryption.AlreadyRunning:
    print("left alone")
assert reencryption.remove_dead() == 0
assert sweeping.sweep() == sweeping.Swept()
""",
    "verification": """
queue = verification_queue.Queue(StoredObject.objects.all(), clock.now())
page = queue.take()
if page is not None and not page.rows:
    print("left alone")
""",
}
TRY["first"] = TRY["upload"]
EMPTY = """
from files.models import FileRecord, StoredObject, UploadSession, VerificationClaim
for model in (UploadSession, VerificationClaim, FileRecord, StoredObject):
    model.objects.all().delete()
"""


DATABASES = ["sqlite", "postgresql"]


@pytest.fixture(scope="module", params=DATABASES)
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, weed: Weed
) -> Iterator[Deployment]:
    folder = tmp_path_factory.mktemp("clocks")
    if request.param == "sqlite":
        yield Deployment(folder, weed)
        return
    with services.postgres(migrated=True) as database:
        yield Deployment(folder, weed, DATABASE_URL=database.url)


@contextmanager
def process(server: Deployment, code: str) -> Iterator[subprocess.Popen[str]]:
    started = server.process(code)
    try:
        yield started
    finally:
        started.kill()
        started.wait()
        for pipe in (started.stdin, started.stdout):
            assert pipe is not None
            pipe.close()


WAYS = [(0, 3600), (-3600, 0)]
"""By how many seconds the clock of who holds it is off, and that of the other."""


def cases() -> Iterator[Any]:
    """Each work and each way of clocks, on the databases by turns; in `make soak`, on both."""
    for number, work in enumerate(sorted(HOLD)):
        for database, way in product((0, 1), (0, 1)):
            marks = [] if (number + way) % 2 == database else [pytest.mark.soak]
            yield pytest.param(DATABASES[database], work, *WAYS[way], marks=marks)


@pytest.mark.parametrize(("server", "work", "holder", "other"), [*cases()], indirect=["server"])
def test_no_clock_takes_over_what_a_living_process_does(
    server: Deployment, work: str, holder: int, other: int
) -> None:
    with process(server, SKEWED.format(skew=holder) + EMPTY + HOLD[work]) as holding:
        assert holding.stdout is not None
        assert holding.stdout.readline() == "ready\n"
        with process(server, SKEWED.format(skew=other) + TRY[work]) as trying:
            said, _ = trying.communicate(timeout=120)
            assert trying.returncode == 0
            assert said == "left alone\n"
        holding.communicate(timeout=120)
        assert holding.returncode == 0
