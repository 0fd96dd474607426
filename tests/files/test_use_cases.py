"""No door can skip the log: every use case that changes something writes its event itself.

The table is in `use_cases.py`; its docstring says how to add a use case.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.db import transaction
from django.test import RequestFactory
from moto import mock_aws
from moto.backends import get_backend
from moto.core.models import DEFAULT_ACCOUNT_ID
from pytest_django import DjangoDbBlocker

from accounts.session_store import SessionStore
from audit import Event, chain, context
from audit.models import AuditEvent
from files.keys.custody import UserKey
from files.models import FileRecord, StoredObject
from files.vault import storing
from tests.aws import REGION
from tests.conftest import person
from tests.files.conftest import CONTENT, KEY
from tests.files.use_cases import (
    COMMANDS_WITHOUT_EVENT,
    MODULES,
    NO_EVENT,
    ROOT,
    SUMMARIES,
    SUMMARY,
    WRITES,
    Case,
    World,
    commands,
    modules,
    use_cases,
)

# It goes through every use case of the site.
pytestmark = pytest.mark.functional

CASES = [(name, case) for name, cases in WRITES.items() for case in cases]


def cases(chosen: list[tuple[str, Case]]) -> pytest.MarkDecorator:
    ids = [f"{name}-{case.event}" for name, case in chosen]
    return pytest.mark.parametrize(("name", "case"), chosen, ids=ids)


class Refused(Exception):
    """The log did not take the event."""


@dataclass(frozen=True)
class Made:
    """A world, and what is in the store for it: names of objects, their bytes and tags."""

    world: World
    objects: list[tuple[str, bytes, str]]


@pytest.fixture(scope="module")
def made(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[Made]:
    """One world for all scenarios, in a transaction of which each has a savepoint of its own."""
    around: Any = transaction.atomic()
    # As Django says of those of its tests: what must be outermost may be within.
    around._from_testcase = True
    with django_db_blocker.unblock(), around:
        with mock_aws():
            bucket = get_backend("s3")[DEFAULT_ACCOUNT_ID]["aws"].create_bucket(
                settings.S3_BUCKET, REGION
            )
            alice, bob = person("alice"), person("bob")
            record = storing.store(alice, [CONTENT], name="fox.txt")
            held = storing.store(alice, [CONTENT], name="held.txt", key=UserKey(KEY))
            world = World(alice, bob, record, fresh(held), None)
            objects = [(one.name, one.value, one._etag) for one in bucket.keys.values()]
        yield Made(world, objects)
        transaction.set_rollback(True)


@pytest.fixture
def world(made: Made, db: None, s3: object) -> World:
    backend = get_backend("s3")[DEFAULT_ACCOUNT_ID]["aws"]
    for name, value, etag in made.objects:
        backend.put_object(settings.S3_BUCKET, name, value, etag=etag)
    world = deepcopy(made.world)
    world.request = RequestFactory().get("/")
    world.request.session = SessionStore()
    world.request.user = AnonymousUser()
    return world


def fresh(record: FileRecord) -> FileRecord:
    return FileRecord.objects.select_related("current__held_key", "owner").get(pk=record.pk)


def state() -> dict[str, Any]:
    """Every row of every table but the log's, and but what nobody sees yet.

    That is objects that are being written: how far they are is no change of anything.
    """
    rows = {
        model._meta.label: model._base_manager.order_by("pk").values_list()
        for model in apps.get_models()
        if model._meta.label not in {"sessions.Session", "audit.AuditEvent"}
    }
    written = rows["files.StoredObject"].exclude(state=StoredObject.State.WRITING)
    return {label: list(found) for label, found in {**rows, "files.StoredObject": written}.items()}


# --- The table is complete ------------------------------------------------------------------------


def test_every_module_is_classified() -> None:
    missing = modules() - MODULES.keys()
    assert not missing, "say in tests/files/use_cases.py what they are"
    assert not MODULES.keys() - modules(), "there is no such module any more"


def test_every_use_case_has_exactly_one_entry() -> None:
    known = set(use_cases())
    missing = known - WRITES.keys() - NO_EVENT.keys()
    assert not missing, "say in tests/files/use_cases.py which event they write, or why none"
    assert not (WRITES.keys() | NO_EVENT.keys()) - known, "there is no such use case any more"
    assert not WRITES.keys() & NO_EVENT.keys()
    assert all(WRITES.values())


def test_long_work_has_its_summary() -> None:
    assert {name for name, kind in MODULES.items() if kind == SUMMARY} == SUMMARIES.keys()
    for name, event in SUMMARIES.items():
        source = (ROOT / f"{name.replace('.', '/')}.py").read_text()
        if event == Event.FILE_REENCRYPTED:
            assert "reencryption.reencrypt(" in source
        else:
            assert f"Event.{event.upper()}" in source, name


def test_every_event_is_written_somewhere() -> None:
    """By a use case of the table, or by a module whose own tests show it."""
    source = "".join(
        path.read_text()
        for package in ("accounts", "audit", "files")
        for path in (ROOT / package).rglob("*.py")
        if path.name != "events.py"
    )
    unwritten = {event.name for event in Event if not re.search(rf"Event\.{event.name}\b", source)}
    assert unwritten == set()


def test_every_command_is_an_event_or_says_why_not() -> None:
    for name, source in commands().items():
        runs = f'audit.command("{name}"' in source
        assert runs != (name in COMMANDS_WITHOUT_EVENT), name
    assert COMMANDS_WITHOUT_EVENT.keys() <= commands().keys()


# --- And true -------------------------------------------------------------------------------------


@cases(CASES)
def test_it_writes_its_event(world: World, name: str, case: Case) -> None:
    call = case.prepare(world)
    before = AuditEvent.objects.count()
    around = context.Context(address="192.0.2.7", user_agent="curl/8", request_id="ab" * 16)
    with context.active(around):
        call()
    written = AuditEvent.objects.order_by("id")[before:]
    events = [event for event in written if event.event == case.event]
    assert events
    for event in events:
        if case.event not in {Event.FILE_DOWNLOADED}:  # The request that began it tells.
            assert (event.address, event.user_agent) == ("192.0.2.7", "curl/8")
            assert event.request_id == "ab" * 16
    assert chain.verify() == chain.head()


@cases([(name, case) for name, case in CASES if not case.apart])
def test_without_the_event_nothing_happens(
    world: World, name: str, case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The event is in the transaction of what it tells: both stand, or neither."""
    call = case.prepare(world)
    before = state()

    def refuse(*arguments: object, **details: object) -> None:
        raise Refused

    monkeypatch.setattr(chain, "record", refuse)
    with pytest.raises(Refused):
        call()
    after = state()
    for label, rows in before.items():
        if rows == after[label]:
            continue
        ours = [row for row in after[label] if row not in rows]
        assert not [row for row in rows if row not in after[label]], f"{label} has lost rows"
        assert not ours, f"{label} has new rows"
