"""One table of every door to a file, and who gets through it. A door without an entry fails."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.utils import timezone

from accounts.models import User
from files.models import FileRecord, Grant
from tests.files.conftest import give


@dataclass(frozen=True)
class Door:
    """How to knock, what the answer is to those who may, and whether it takes `manage`."""

    method: str = "GET"
    ok: int = 200
    manage: bool = False
    field: str = ""  # The form's field that names the file, where the path does not.


DOORS: dict[str, list[Door]] = {
    "files:detail": [Door(), Door("HEAD")],
    "files:download": [Door(), Door("HEAD")],
    "files:download_several": [Door("POST", field="file")],
    # Members may not share at all; test_grants_view.py has those who may.
    "files:grants": [Door(ok=403, manage=True), Door("POST", 403, manage=True)],
    "files:delete": [Door(manage=True), Door("HEAD", manage=True), Door("POST", 302, manage=True)],
}
NO_FILE = {
    "files:list": "shows what is visible; test_list_view.py",
    "files:upload": "makes files; test_upload_view.py",
    "home": "redirects to the list",
    "healthz": "reads nothing",
    "readyz": "counts rows",
}
UNFINISHED = {
    "uploads": "begins an upload of one's own",
    "upload": "takes the id of an upload, which is its creator's alone",
}
ELSEWHERE = re.compile(r"(admin/|accounts/)")
"""The admin has permissions of its own (test_admin.py); accounts know no files."""

KNOCKS = [(name, door) for name, doors in DOORS.items() for door in doors]
each_door = pytest.mark.parametrize(
    ("name", "door"), KNOCKS, ids=[f"{name}-{door.method}" for name, door in KNOCKS]
)


def patterns(
    resolver: URLResolver, route: str = "", spaces: tuple[str, ...] = ()
) -> Iterator[tuple[str, str]]:
    """Every path of the site: its route and its full name."""
    for pattern in resolver.url_patterns:
        full = route + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            inner = (*spaces, pattern.namespace) if pattern.namespace else spaces
            yield from patterns(pattern, full, inner)
        elif isinstance(pattern, URLPattern):
            yield full, ":".join((*spaces, pattern.name or "")).strip(":")


def test_every_path_has_an_entry() -> None:
    found = {name: route for route, name in patterns(get_resolver()) if not ELSEWHERE.match(route)}
    assert set(found) == DOORS.keys() | NO_FILE.keys() | UNFINISHED.keys()
    taking = {name for name, route in found.items() if "<" in route}
    assert taking <= DOORS.keys() | UNFINISHED.keys()


def test_no_path_elsewhere_takes_a_files_id() -> None:
    for route, _name in patterns(get_resolver()):
        if ELSEWHERE.match(route):
            assert "uuid" not in route


# --- People -----------------------------------------------------------------------------------

Arrange = Callable[[FileRecord, User, str], object]
NOW = timezone.now


def _group(user: User) -> Group:
    group = Group.objects.create(name="Team")
    user.groups.add(group)
    return group


def _through_group(record: FileRecord, user: User, level: str) -> Group:
    group = _group(user)
    give(record, group, level=level)
    return group


def _deactivated(record: FileRecord, user: User, level: str) -> None:
    give(record, user, level=level)
    User.objects.filter(pk=user.pk).update(is_active=False)


def _left_the_group(record: FileRecord, user: User, level: str) -> None:
    user.groups.remove(_through_group(record, user, level))


def _group_deleted(record: FileRecord, user: User, level: str) -> None:
    _through_group(record, user, level).delete()


def _superuser(record: FileRecord, user: User, level: str) -> None:
    User.objects.filter(pk=user.pk).update(is_superuser=True, is_staff=True)


def _all_ended(record: FileRecord, user: User, level: str) -> None:
    give(record, user, level=level, revoked_at=NOW())
    give(record, user, level=level, expires_at=NOW())
    give(record, _group(user), level=level, revoked_at=NOW())


def _one_of_several(record: FileRecord, user: User, level: str) -> None:
    _all_ended(record, user, level)
    give(record, user, level=level)


STRANGERS: dict[str, Arrange] = {
    "a stranger": lambda record, user, level: None,
    "expired": lambda record, user, level: give(record, user, level=level, expires_at=NOW()),
    "not yet": lambda record, user, level: give(
        record, user, level=level, starts_at=NOW() + timedelta(hours=1)
    ),
    "revoked": lambda record, user, level: give(record, user, level=level, revoked_at=NOW()),
    "left the group": _left_the_group,
    "group deleted": _group_deleted,
    "group grant revoked": lambda record, user, level: give(
        record, _group(user), level=level, revoked_at=NOW()
    ),
    "all ended": _all_ended,
    "a superuser": _superuser,
}
GUESTS: dict[str, Arrange] = {
    "granted": lambda record, user, level: give(record, user, level=level),
    "through a group": _through_group,
    "for a time": lambda record, user, level: give(
        record,
        user,
        level=level,
        starts_at=NOW() - timedelta(hours=1),
        expires_at=NOW() + timedelta(hours=1),
    ),
    "one of several": _one_of_several,
}


def knock(client: Client, name: str, door: Door, file_id: uuid.UUID) -> Any:
    arguments = [] if door.field else [file_id]
    data = {door.field: str(file_id)} if door.field else None
    return getattr(client, door.method.lower())(reverse(name, args=arguments), data)


def told(response: Any, *ids: uuid.UUID) -> tuple[int, dict[str, str], str]:
    """An answer without what differs between any two: request and file ids."""
    headers = {key: value for key, value in response.items() if key != "X-Request-ID"}
    text = response.content.decode()
    for known in (response["X-Request-ID"], *map(str, ids), *(one.hex for one in ids)):
        text = text.replace(known, "")
    return response.status_code, headers, re.sub(r'value="[A-Za-z0-9]{64}"', "", text)


@each_door
def test_an_anonymous_visitor_is_sent_to_sign_in(
    client: Client, record: FileRecord, name: str, door: Door
) -> None:
    for file_id in (record.id, uuid.uuid4()):
        response = knock(client, name, door, file_id)
        assert response.status_code == 302
        assert response["Location"].startswith("/accounts/login/?next=")


@each_door
def test_a_deactivated_user_is_sent_to_sign_in(
    client: Client, record: FileRecord, bob: User, name: str, door: Door
) -> None:
    client.force_login(bob)
    _deactivated(record, bob, "manage")
    response = knock(client, name, door, record.id)
    assert response["Location"].startswith("/accounts/login/?next=")


@pytest.mark.parametrize("who", STRANGERS)
@each_door
def test_to_strangers_the_file_does_not_exist(
    client: Client, record: FileRecord, bob: User, name: str, door: Door, who: str
) -> None:
    STRANGERS[who](record, bob, "manage")
    client.force_login(bob)
    nothing = uuid.uuid4()
    answer = told(knock(client, name, door, record.id), record.id)
    assert answer == told(knock(client, name, door, nothing), nothing)
    assert answer[0] == 404
    assert FileRecord.objects.filter(pk=record.id).exists()


@each_door
def test_a_grant_to_download_does_not_manage(
    client: Client, record: FileRecord, bob: User, name: str, door: Door
) -> None:
    give(record, bob, level="download")
    client.force_login(bob)
    response = knock(client, name, door, record.id)
    assert response.status_code == (404 if door.manage else door.ok)
    response.close()


@pytest.mark.parametrize("who", GUESTS)
@each_door
def test_guests_are_let_in(
    client: Client, record: FileRecord, bob: User, name: str, door: Door, who: str
) -> None:
    GUESTS[who](record, bob, "manage")
    client.force_login(bob)
    response = knock(client, name, door, record.id)
    assert response.status_code == door.ok
    response.close()


@each_door
def test_the_owner_is_let_in(
    client: Client, record: FileRecord, alice: User, name: str, door: Door
) -> None:
    client.force_login(alice)
    response = knock(client, name, door, record.id)
    assert response.status_code == door.ok
    response.close()


@each_door
def test_a_grant_that_ends_ends_on_the_next_request(
    client: Client, record: FileRecord, bob: User, name: str, door: Door
) -> None:
    grant = give(record, bob, level="manage")
    client.force_login(bob)
    if door.method != "POST" or door.ok == 200:
        first = knock(client, name, door, record.id)
        assert first.status_code == door.ok
        first.close()
    Grant.objects.filter(pk=grant.pk).update(revoked_at=NOW())
    assert knock(client, name, door, record.id).status_code == 404


def test_the_public_paths_are_what_clients_rely_on() -> None:
    file_id = uuid.uuid4()
    assert reverse("files:list") == "/files/"
    assert reverse("files:upload") == "/files/upload/"
    assert reverse("files:detail", args=[file_id]) == f"/files/{file_id}/"
    assert reverse("files:download", args=[file_id]) == f"/files/{file_id}/download/"
    assert reverse("files:delete", args=[file_id]) == f"/files/{file_id}/delete/"


def test_the_front_door_leads_to_the_list(client: Client) -> None:
    assert client.get("/")["Location"] == "/files/"
