"""Every path of the site, and who gets through it. A path without an entry in the table fails.

The table is in `doors.py`; its docstring says how to add a path.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from itertools import product
from operator import itemgetter
from typing import Any, TypeVar

import pytest
from django.conf import settings
from django.contrib.auth.models import Permission
from django.core.cache import cache
from django.db import connection, transaction
from django.test import Client
from django.urls import reverse

from accounts import sessions, tokens
from accounts.members import ensure_members_group
from accounts.models import User
from files.models import FileRecord, Folder, Grant, StoredObject, UploadSession
from files.sharing import denials
from files.tree import placing
from files.vault import resumable
from tests.files.conftest import give
from tests.files.doors import (
    ALL,
    API,
    BYTES,
    DOORS,
    FILE,
    FOLDER,
    GRANT,
    GUESTS,
    KNOCKS,
    METHODS,
    NO_FILE,
    NOW,
    OPEN,
    POWERFUL,
    ROUTES,
    SIGNED_IN,
    STAFF,
    STRANGERS,
    TUS,
    UPLOAD,
    Door,
    Item,
    address,
    knock,
    unknown,
)
from tests.files.test_models import filed


def some(**wanted: Any) -> list[tuple[str, Door]]:
    """The doors of which all of that is true; `admin` for those that staff alone may try.

    What deletes is last: what it takes from the store, `undone` does not bring back.
    """
    chosen = [
        (name, door)
        for name, door in KNOCKS
        if all(
            (bool(door.permissions) if key == "admin" else getattr(door, key)) in value
            for key, value in wanted.items()
        )
    ]
    assert chosen
    return sorted(chosen, key=lambda knocked: knocked[0] == "files:delete")


@contextmanager
def undone() -> Iterator[None]:
    """Undo what comes of a knock, so that the next door finds everything as the first one did."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)
    cache.clear()


# --- The table is complete --------------------------------------------------------------------


def test_every_path_has_exactly_one_entry() -> None:
    # Of the API, tests/files/web/api/test_doors.py.
    missing = {one for one in ROUTES if not one.startswith(API)} - DOORS.keys() - NO_FILE.keys()
    assert not missing, "say in tests/files/doors.py who may knock there"
    assert not (DOORS.keys() | NO_FILE.keys()) - ROUTES.keys(), "there is no such path any more"
    assert not DOORS.keys() & NO_FILE.keys()


def test_no_two_paths_share_an_entry() -> None:
    assert len(ALL) == len(ROUTES)


OF_NUMBERS = ("admin/files/filerequest/", "admin/files/link/", "admin/files/accessrequest/")
"""Pages of the administration that take a number of their own, and no file's."""


def test_a_path_that_could_take_a_files_id_is_a_door() -> None:
    for name in NO_FILE:
        route = ROUTES[name]
        if route.startswith(("l/<", "r/<")):
            continue  # Of people outside: what is there is found by their token alone.
        assert "uuid:" not in route
        if "<" in route:
            inside = ("files/", "folders/", "uploads/", "admin/files/")
            assert not route.startswith(inside) or route.startswith(OF_NUMBERS), name


# --- What the doors lead to -------------------------------------------------------------------


class Thing:
    """What is behind a door: a file of Alice's, a grant of it, an upload of hers."""

    def __init__(self, door: Door, owner: User, record: FileRecord) -> None:
        self.owner, self.record = owner, record
        self.granted: Item = record
        """What a grant must be of that lets somebody through."""
        if door.takes == UPLOAD:
            self.id: object = resumable.create(owner, name="a.txt", length=1).pk
        elif door.takes == GRANT:
            # A number that no other number of a page looks like.
            self.id = give(record, owner, pk=123_456_789).pk
        elif door.takes == FOLDER:
            self.granted = self._folder(door)
            self.id = self.granted.pk
        else:
            self.id = record.pk
        if door.trashed:
            self._put_away(door)
        self.remember()

    def _folder(self, door: Door) -> Folder:
        root = placing.root_of(self.owner)
        return placing.add_folder(root, f"case {uuid.uuid4()}", added_by=None)

    def _put_away(self, door: Door) -> None:
        """In the trash it is its former folder that lets somebody bring it back."""
        item = self.granted
        self.granted = self._folder(door)
        placing.leave(item)
        if isinstance(item, Folder):
            placing.graft(item, self.granted)
            Folder.objects.filter(pk=item.pk).update(trashed_at=NOW())
        else:
            one = FileRecord.objects.filter(pk=item.pk)
            one.update(folder=self.granted, trashed_at=NOW())

    def remember(self) -> None:
        """How it is now is how it has to stay."""
        self._as_it_was = self._state()

    def _state(self) -> list[Any]:
        return [
            *FileRecord.objects.values("pk", "owner", "name", "folder", "trashed_at"),
            *Folder.objects.values("pk", "owner", "name", "parent", "trashed_at"),
            *StoredObject.objects.values("pk", "state", "offset", "lease"),
            *UploadSession.objects.values("pk", "owner"),
            *Grant.objects.filter(user=self.owner).values("pk", "level", "revoked_at"),
        ]

    @property
    def is_there(self) -> bool:
        """Whether nothing about it has changed."""
        return self._state() == self._as_it_was


def thing(door: Door, owner: User) -> Thing:
    """Nothing of it is in any store: who gets as far as that was let in."""
    return Thing(door, owner, filed(owner))


def a_member(name: str) -> User:
    """One more person who may use the functions, and to whom nothing was given yet."""
    user = User.objects.create_user(name, f"{name.replace(' ', '-')}@example.org")
    user.groups.add(ensure_members_group())
    return user


def told(response: Any, *ids: object) -> tuple[Any, ...]:
    """An answer without what differs between any two: request ids, tokens and the id asked for."""
    headers = {key: value for key, value in response.items() if key != "X-Request-ID"}
    text = response.content.decode() + repr(sorted(headers.items()))
    for known in (response["X-Request-ID"], *map(str, ids)):
        text = text.replace(known, "#")
    text = re.sub(r'value="[A-Za-z0-9]{64}"|\d\d:\d\d:\d\d GMT', "", text)
    return response.status_code, text, sorted(response.cookies)


def noting(asked: list[str]) -> Callable[..., Any]:
    """Notes what the database is asked, without the values: these differ, as ids and times do."""

    def note(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        # What stands in the text itself, not among its values, is the name of a savepoint.
        asked.append(re.sub(r"\bs\d+_x\d+\b", "?", sql))
        return execute(sql, params, many, context)

    return note


def asked_for(client: Client, name: str, door: Door, known: object) -> tuple[Any, list[str]]:
    """What is told of that id, and what the database was asked for it."""
    asked: list[str] = []
    with connection.execute_wrapper(noting(asked)):
        response = knock(client, name, door, known)
    return told(response, known), asked


def indistinguishable(
    client: Client, name: str, door: Door, wanted: object, *, came_before: bool = False
) -> int:
    """The status, which is that of an id that nothing has, as is all else of the answer."""
    if not came_before:
        knock(client, name, door, unknown(door)).close()  # What is done once is done.
    answer, queries = asked_for(client, name, door, wanted)
    nothing, as_many = asked_for(client, name, door, unknown(door))
    assert answer == nothing, (name, door)
    assert queries == as_many, (name, door)
    status: int = answer[0]
    return status


def sent_to_sign_in(door: Door) -> int:
    return 401 if door.takes == UPLOAD else 302


# --- Who is not let in ------------------------------------------------------------------------


def test_an_anonymous_visitor_is_sent_to_sign_in(client: Client, alice: User, s3: object) -> None:
    name, door = THEIRS[0]
    knock(client, name, door, unknown(door)).close()  # What is done once is done.
    for doors in by_thing(some(), itemgetter(1)):
        with undone():
            behind = thing(doors[0][1], alice)
            for name, door in doors:
                with undone():
                    status = indistinguishable(client, name, door, behind.id, came_before=True)
                    assert status == sent_to_sign_in(door)
                    response = knock(client, name, door, behind.id)
                    if door.takes != UPLOAD:
                        assert response["Location"].split("?")[0] in SIGN_IN, (name, door)
                    assert behind.is_there, (name, door)


@pytest.mark.parametrize("owns", [True, False])
def test_a_deactivated_user_is_sent_to_sign_in(
    client: Client, alice: User, bob: User, s3: object, owns: bool
) -> None:
    user = alice if owns else bob
    client.force_login(user)
    session = client.cookies[settings.SESSION_COOKIE_NAME].value
    for doors in by_thing(some(), itemgetter(1)):
        with undone():
            behind = thing(doors[0][1], alice)
            give(behind.granted, bob, level="manage")
            behind.remember()
            User.objects.filter(pk=user.pk).update(is_active=False)
            for name, door in doors:
                with undone():
                    assert client.cookies[settings.SESSION_COOKIE_NAME].value == session
                    response = knock(client, name, door, behind.id)
                    assert response.status_code == sent_to_sign_in(door), (name, door)
                    assert behind.is_there, (name, door)


OFTEN = {"granted", "of its folder"}
"""Who knocks in each run of the functional tests; the others do so among the integration tests."""


def one_by_one(kinds: Iterable[str]) -> list[Any]:
    """Each of them, for a test that takes them one by one to every door."""
    return [
        pytest.param(kind, marks=[] if kind in OFTEN else pytest.mark.integration) for kind in kinds
    ]


ONE_BY_ONE = {"a stranger", "of a folder that was put away"}
"""Strangers of whom nothing else can be true at once: all the others can be one person."""


def strangers() -> list[Any]:
    """For functional tests whoever has nothing, and one person of whom all can be said that is not
    enough: whichever of it opened a door would open it here. One by one in the integration tests.
    """
    together = sorted(STRANGERS.keys() - ONE_BY_ONE, key=["of a folder that it left"].count)
    each = [(kind,) for kind in STRANGERS]
    return [
        pytest.param([("a stranger",), tuple(reversed(together))], id="together"),
        pytest.param(each, id="one by one", marks=pytest.mark.integration),
    ]


def estrange(behind: Thing, stranger: User, kinds: Iterable[str]) -> None:
    """Make the person a stranger of all these kinds to it, in their order."""
    for kind in kinds:
        behind.granted.refresh_from_db()
        STRANGERS[kind](behind.granted, stranger, "manage")
    behind.remember()


Knock = TypeVar("Knock")


def by_thing(knocks: Iterable[Knock], door_of: Callable[[Knock], Any]) -> list[list[Knock]]:
    """The same knocks, by what they are for: one thing serves them all, where each is `undone`."""
    found: dict[tuple[str, bool], list[Knock]] = {}
    for one in knocks:
        door = door_of(one)
        found.setdefault((door.takes, door.trashed), []).append(one)
    # What deletes for good is last, see `some`.
    return sorted(found.values(), key=lambda doors: door_of(doors[0]).trashed)


def what_is_noted_stays_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many knocks there are, and however long they take."""
    monkeypatch.setattr(denials, "PER_HOUR", 100_000)
    for module in (sessions, tokens):
        monkeypatch.setattr(module, "NOTED_EVERY", timedelta(days=1))


THEIRS = [
    (name, door)
    for name, door in KNOCKS
    if door.takes in {FILE, FOLDER, UPLOAD} and not door.permissions
]


@pytest.mark.parametrize("people", strangers())
def test_to_strangers_it_does_not_exist(
    client: Client,
    alice: User,
    s3: object,
    monkeypatch: pytest.MonkeyPatch,
    people: list[tuple[str, ...]],
) -> None:
    """Whatever there is between them and the thing, they are told what is told of none."""
    what_is_noted_stays_the_same(monkeypatch)
    stranger = a_member("a stranger")
    client.force_login(stranger)
    name, door = THEIRS[0]
    knock(client, name, door, unknown(door)).close()  # What is done once is done.
    of_none = {}
    for name, door in THEIRS:
        of_none[name, id(door)] = asked_for(client, name, door, unknown(door))
        assert of_none[name, id(door)][0][0] == 404, (name, door)
    for who, doors in product(people, by_thing(THEIRS, itemgetter(1))):
        with transaction.atomic():
            behind = thing(doors[0][1], alice)
            estrange(behind, stranger, who)
            for name, door in doors:
                with transaction.atomic():
                    answer = asked_for(client, name, door, behind.id)
                    assert answer == of_none[name, id(door)], (who, name, door)
                    assert behind.is_there, (who, name, door)
                    transaction.set_rollback(True)
            transaction.set_rollback(True)


@pytest.mark.parametrize("who", one_by_one(POWERFUL))
def test_to_the_powerful_it_does_not_exist(
    client: Client, alice: User, s3: object, monkeypatch: pytest.MonkeyPatch, who: str
) -> None:
    what_is_noted_stays_the_same(monkeypatch)
    powerful = a_member(who)
    client.force_login(powerful)
    for number, (name, door) in enumerate(THEIRS):
        with transaction.atomic():
            behind = thing(door, alice)
            POWERFUL[who](behind.granted, powerful, "manage")
            behind.remember()
            came_before = number > 0
            status = indistinguishable(client, name, door, behind.id, came_before=came_before)
            assert status == 404, (name, door)
            assert behind.is_there, (name, door)
            transaction.set_rollback(True)


@pytest.mark.parametrize("who", one_by_one(GUESTS))
def test_an_upload_is_its_creators_alone_whatever_was_granted(
    client: Client, alice: User, s3: object, who: str
) -> None:
    guest = a_member(who)
    client.force_login(guest)
    for name, door in some(takes={UPLOAD}):
        with undone():
            behind = thing(door, alice)
            GUESTS[who](behind.record, guest, "manage")
            behind.remember()
            assert indistinguishable(client, name, door, behind.id) == 404, (name, door)
            assert behind.is_there, (name, door)


@pytest.mark.parametrize("name", [name for name in DOORS if "<" in ROUTES[name]])
def test_no_method_tells_a_stranger_what_exists(
    client: Client, alice: User, mallory: User, s3: object, name: str
) -> None:
    """Also the methods that a path does not offer, and POST of what makes no sense."""
    kinds = {"folders/": FOLDER, "uploads/": UPLOAD, "admin/files/grant/": GRANT}
    kinds["admin/files/folder/"] = FOLDER
    takes = next((kind for begin, kind in kinds.items() if ROUTES[name].startswith(begin)), FILE)
    behind = thing(Door(takes=takes), alice)
    client.force_login(mallory)
    for number, method in enumerate(METHODS):
        headers = TUS if takes == UPLOAD else {}
        door = Door(method, 0, takes, headers=headers, content_type=BYTES)
        status = indistinguishable(client, name, door, behind.id, came_before=number > 0)
        expected = {302} if name.startswith("admin") else {404, 405, 204, 415}
        assert status in expected, method
    assert behind.is_there


# --- Who is let in ----------------------------------------------------------------------------


@pytest.mark.parametrize("who", one_by_one(GUESTS))
def test_guests_are_let_in(client: Client, record: FileRecord, bob: User, who: str) -> None:
    client.force_login(bob)
    for doors in by_thing(some(takes={FILE, FOLDER}, admin={False}), itemgetter(1)):
        with undone():
            behind = Thing(doors[0][1], record.owner, record)
            GUESTS[who](behind.granted, bob, "manage")
            for name, door in doors:
                with undone():
                    response = knock(client, name, door, behind.id)
                    response.close()
                    assert response.status_code == door.ok, (name, door)


def answered_as_narrow(client: Client, name: str, door: Door, behind: Thing, level: str) -> None:
    """As somebody is who may read it, or add to it, and no more."""
    if door.manage or (door.add and level == "download"):
        if (door.takes == FOLDER and not door.trashed) or door.several:
            assert knock(client, name, door, behind.id).status_code == 403, (name, door)
        else:
            status = indistinguishable(client, name, door, behind.id, came_before=True)
            assert status == 404, (name, door)
        assert behind.is_there, (name, door)
        return
    response = knock(client, name, door, behind.id)
    response.close()
    assert response.status_code == door.ok, (name, door)


@pytest.mark.parametrize("level", ["download", "add"])
def test_a_narrower_grant_does_not_manage(
    client: Client,
    record: FileRecord,
    bob: User,
    level: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Who sees a folder is told so; of a file, and in the trash, all that is hidden is alike."""
    what_is_noted_stays_the_same(monkeypatch)
    client.force_login(bob)
    name, door = THEIRS[0]
    knock(client, name, door, unknown(door)).close()  # What is done once is done.
    for doors in by_thing(some(takes={FILE, FOLDER}, admin={False}), itemgetter(1)):
        with undone():
            behind = Thing(doors[0][1], record.owner, record)
            narrow = level if isinstance(behind.granted, Folder) else "download"
            give(behind.granted, bob, level=narrow)
            behind.remember()
            for name, door in doors:
                with undone():
                    answered_as_narrow(client, name, door, behind, narrow)


def test_the_owner_is_let_in(client: Client, record: FileRecord, alice: User) -> None:
    client.force_login(alice)
    for doors in by_thing(some(takes={FILE, FOLDER, UPLOAD}, admin={False}), itemgetter(1)):
        with undone():
            behind = Thing(doors[0][1], alice, record)
            for name, door in doors:
                with undone():
                    response = knock(client, name, door, behind.id)
                    response.close()
                    assert response.status_code == door.ok, (name, door)


def test_a_grant_that_ends_ends_on_the_next_request(
    client: Client, record: FileRecord, bob: User
) -> None:
    client.force_login(bob)
    for doors in by_thing(some(takes={FILE, FOLDER}, admin={False}), itemgetter(1)):
        with undone():
            behind = Thing(doors[0][1], record.owner, record)
            grant = give(behind.granted, bob, level="manage")
            for name, door in doors:
                with undone():
                    if door.method != "POST" or door.ok == 200:
                        first = knock(client, name, door, behind.id)
                        first.close()
                        assert first.status_code == door.ok, (name, door)
                    Grant.objects.filter(pk=grant.pk).update(revoked_at=NOW())
                    assert knock(client, name, door, behind.id).status_code == 404, (name, door)


# --- The admin --------------------------------------------------------------------------------


def staff(user: User, *permissions: str) -> User:
    """That user as staff, with these permissions and no more."""
    User.objects.filter(pk=user.pk).update(is_staff=True)
    user.groups.clear()
    found = Permission.objects.filter(codename__in=permissions)
    assert len(found) == len(permissions)
    user.user_permissions.set(found)
    return User.objects.get(pk=user.pk)


@pytest.mark.parametrize("who", ["granted", "through a group", "a stranger", "the owner"])
def test_no_grant_and_no_ownership_opens_the_admin(
    client: Client, alice: User, bob: User, who: str
) -> None:
    client.force_login(alice if who == "the owner" else bob)
    for name, door in some(admin={True}):
        with undone():
            behind = thing(door, alice)
            if who != "the owner":
                {**STRANGERS, **GUESTS}[who](behind.record, bob, "manage")
            assert indistinguishable(client, name, door, behind.id) == 302, (name, door)
            response = knock(client, name, door, behind.id)
            assert response["Location"].startswith("/admin/login/"), (name, door)


def test_staff_without_the_permissions_learn_nothing(
    client: Client, alice: User, bob: User
) -> None:
    client.force_login(bob)
    for name, door in some(admin={True}):
        with undone():
            behind = thing(door, alice)
            for missing in door.permissions:
                held = set(door.permissions) - {missing}
                if missing.startswith("view_") and any(one.startswith("delete_") for one in held):
                    continue  # Who may delete a thing may learn that it exists.
                staff(bob, *held)
                if held:
                    assert knock(client, name, door, behind.id).status_code == 403, (name, door)
                else:
                    assert indistinguishable(client, name, door, behind.id) == 403, (name, door)
            assert behind.is_there, (name, door)


def test_staff_with_the_permissions_are_let_in(client: Client, alice: User, bob: User) -> None:
    client.force_login(bob)
    for name, door in some(admin={True}):
        with undone():
            staff(bob, *door.permissions)
            response = knock(client, name, door, thing(door, alice).id)
            assert response.status_code == door.ok, (name, door)


@pytest.mark.parametrize("path", ["admin/r/{kind}/{id}/", "admin/r/{kind}/{id}"])
def test_nothing_tells_staff_without_permissions_which_files_exist(
    client: Client, alice: User, bob: User, path: str
) -> None:
    from django.contrib.contenttypes.models import ContentType

    kind = ContentType.objects.get_for_model(FileRecord).pk
    client.force_login(staff(bob))
    for wanted in (filed(alice).pk, uuid.uuid4()):
        assert client.get("/" + path.format(kind=kind, id=wanted)).status_code == 404


HUSH = "hush-hush.txt"


@pytest.mark.integration
def test_staff_without_the_permission_to_view_see_no_files_name(
    client: Client, alice: User, bob: User
) -> None:
    record = filed(alice, name=HUSH)
    grant = give(record, bob, reason=HUSH)
    bob.user_permissions.set(Permission.objects.exclude(content_type__app_label="files"))
    bob.groups.clear()
    User.objects.filter(pk=bob.pk).update(is_staff=True)
    client.force_login(bob)
    takes = {"/filerecord/": record.pk, "/grant/": grant.pk, "/user/": alice.pk}
    query = {"app_label": "files", "model_name": "grant", "field_name": "file", "term": "hush"}
    for name, route in ALL:
        # What signs out, and what changes the account that looks.
        if not route.startswith("admin/") or "logout" in name or "password" in name:
            continue
        wanted = next((pk for part, pk in takes.items() if part in route), 1)
        for response in (
            client.get(address(name, wanted), query if name == "admin:autocomplete" else {}),
            client.post(address(name, wanted), {"post": "yes"}, follow=True),
        ):
            assert response.status_code in {200, 302, 400, 403, 404, 405}, name
            assert HUSH not in response.content.decode(), name
    assert FileRecord.objects.filter(pk=record.pk).exists()


# --- Paths that take no such id ---------------------------------------------------------------


SIGN_IN = {"/accounts/login/", "/admin/login/"}


def test_what_is_not_open_asks_to_sign_in(db: None, s3: object, client: Client) -> None:
    for name, kind in NO_FILE.items():
        response = client.get(address(name), headers=TUS)
        if kind == OPEN:
            assert response.status_code < 500, name
        elif name == "uploads":
            assert response.status_code == 401
        else:
            assert response.status_code == 302, name
            assert response["Location"].split("?")[0] in SIGN_IN, name


def test_what_is_for_staff_is_for_staff(client: Client, alice: User) -> None:
    client.force_login(alice)
    for name, kind in NO_FILE.items():
        if kind == STAFF:
            response = client.get(address(name))
            assert response.status_code == 302, name
            assert response["Location"].startswith("/admin/login/"), name


def test_the_kinds_are_no_others() -> None:
    assert set(NO_FILE.values()) == {OPEN, SIGNED_IN, STAFF}


def test_the_public_paths_are_what_clients_rely_on() -> None:
    file_id = uuid.uuid4()
    assert reverse("files:list") == "/files/"
    assert reverse("files:upload") == "/files/upload/"
    assert reverse("files:detail", args=[file_id]) == f"/files/{file_id}/"
    assert reverse("files:download", args=[file_id]) == f"/files/{file_id}/download/"
    assert reverse("files:delete", args=[file_id]) == f"/files/{file_id}/delete/"
    for page in ("rename", "move", "restore"):
        assert reverse(f"files:{page}", args=[file_id]) == f"/files/{file_id}/{page}/"
    assert reverse("folders:detail", args=[file_id]) == f"/folders/{file_id}/"
    for page in ("grants", "rename", "move", "delete", "restore", "zip", "new"):
        assert reverse(f"folders:{page}", args=[file_id]) == f"/folders/{file_id}/{page}/"
    assert [reverse(name) for name in ("shared", "recent", "trash")] == [
        *("/shared/", "/recent/", "/trash/")
    ]


def test_the_front_door_leads_to_the_list(client: Client) -> None:
    assert client.get("/")["Location"] == "/files/"
