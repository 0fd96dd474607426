"""Several processes append to one log at once, and one of them is killed: the chain is one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from django.db import connection
from pytest_django import DjangoDbBlocker

from audit import chain
from audit.models import AuditEvent
from tests.audit.databases import as_default, migrate

ROOT = Path(__file__).parents[2]
EVENTS = 40


def writer(configuration: dict[str, Any], count: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "tests.integration.audit_writer"),
            *(json.dumps(configuration), str(count)),
        ],
        cwd=ROOT,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_processes_write_one_chain_whoever_is_killed(
    empty_database: dict[str, Any], django_db_blocker: DjangoDbBlocker
) -> None:
    with django_db_blocker.unblock(), as_default(empty_database):
        migrate()
        connection.close()
        writers = [writer(empty_database, count) for count in (EVENTS, EVENTS, 0)]
        try:
            for one in writers:
                assert one.stdout is not None
                assert one.stdout.readline() == "ready\n"
            for one in writers:
                assert one.stdin is not None
                one.stdin.close()
            *others, endless = writers
            assert endless.stdout is not None
            told = [int(endless.stdout.readline()) for _ in range(5)]
            endless.kill()
            told += [int(line) for line in endless.stdout.read().split("\n")[:-1] if line]
            for one in others:
                assert one.stdout is not None
                own = [int(line) for line in one.stdout]
                assert one.wait(timeout=60) == 0
                assert len(own) == EVENTS
                told += own
        finally:
            for one in writers:
                one.kill()
                one.wait()
                for pipe in (one.stdin, one.stdout):
                    assert pipe is not None
                    pipe.close()
        # What a process was told has committed is there once; a last one may have gone unheard.
        assert len(told) == len(set(told))
        numbers = set(AuditEvent.objects.values_list("id", flat=True))
        assert set(told) <= numbers
        assert len(numbers) - len(told) <= 1
        assert chain.verify().number == len(numbers)
