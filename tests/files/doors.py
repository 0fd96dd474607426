"""The table of every path of the site, and the people who try each door.

Every URL pattern has an entry: in `DOORS` when it takes the id of a file, an upload or a grant, in
`NO_FILE` otherwise. `test_urls.py` knocks at all of them. To add a path:

- It takes such an id: give each method that it offers a `Door` in `DOORS`, under the pattern's
  full name (`files:detail`; an unnamed pattern goes under its route). Say what it answers to those
  who may (`ok`), whether it takes the right to manage (`manage`), and what must be sent along.
- It is an operation of the API: an `Operation` in `OPERATIONS` with its scope;
  `web/api/test_doors.py` knocks there, with tokens.
- It takes none: name it in `NO_FILE`, as `OPEN`, `SIGNED_IN` or `STAFF`. For a new model in the
  admin, one line with `model_admin(...)` names its six paths.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from django.contrib.auth.models import Group
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils import timezone

from accounts.models import User
from files.models import FileRecord, Folder
from files.tree import placing
from tests.files.conftest import give

FILE, UPLOAD, GRANT, FOLDER = "file", "upload", "grant", "folder"

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
TUS = {"Tus-Resumable": "1.0.0"}
BYTES = "application/offset+octet-stream"


@dataclass(frozen=True)
class Door:
    """One method of one path.

    `takes` says whose id it takes: in the path, or in the form's field `named_by`. `ok` is the
    answer to those who may; `manage`, that a grant to download is not enough, and `add`, that it
    takes one to add. `trashed` doors are for what was put away. `permissions` are
    those that staff need: the door is one of the admin's then, where grants mean nothing.
    """

    method: str = "GET"
    ok: int = 200
    takes: str = FILE
    manage: bool = False
    add: bool = False
    trashed: bool = False
    several: bool = False
    permissions: tuple[str, ...] = ()
    named_by: str = ""
    data: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = ""


def _of_folder(method: str = "GET", ok: int = 200, **fields: Any) -> Door:
    return Door(method, ok, FOLDER, **fields)


def _page(ok: int = 200, **fields: Any) -> list[Door]:
    """A page that is there to be filled in, as it is asked for."""
    return [Door("GET", ok, **fields), Door("HEAD", ok, **fields)]


def _admin(takes: str, *permissions: str) -> dict[str, list[Door]]:
    """The paths of one object in the admin."""
    model = {FILE: "filerecord", FOLDER: "folder", GRANT: "grant"}[takes]
    view, delete = (f"view_{model}",), (f"view_{model}", f"delete_{model}")
    pages = {
        "change": [Door(takes=takes, permissions=view), Door("HEAD", 200, takes, permissions=view)],
        "history": [Door(takes=takes, permissions=view)],
        # Grants are history, and folders are deleted on their own pages.
        "delete": [Door("GET", 200 if takes == FILE else 403, takes, permissions=delete)],
    }
    doors = {f"admin:files_{model}_{name}": found for name, found in pages.items()}
    if takes in {FILE, FOLDER}:
        both = {f"view_{model}", "view_filerecord", "view_grant"}
        handing = ("change_filerecord", "add_grant")
        doors[f"admin:files_{model}_access"] = [Door(takes=takes, permissions=tuple(both))]
        doors[f"admin:files_{model}_transfer"] = [
            Door(takes=takes, permissions=handing),
            Door("POST", takes=takes, permissions=handing),
        ]
    # Sends any staff to the change page, whatever the id.
    return {**doors, f"admin/files/{model}/<path:object_id>/": []}


DOORS: dict[str, list[Door]] = {
    "files:detail": [Door(), Door("HEAD")],
    "files:download": [Door(), Door("HEAD")],
    "files:view": [Door(), Door("HEAD")],
    "files:download_several": [Door("POST", named_by="file")],
    "files:move_several": [Door("POST", 302, manage=True, several=True, named_by="file")],
    "files:delete_several": [Door("POST", 302, manage=True, several=True, named_by="file")],
    "files:restore_several": [Door("POST", 302, manage=True, trashed=True, named_by="file")],
    # Members may not share at all; test_grants.py has those who may.
    "files:grants": [
        Door(ok=403, manage=True),
        Door("HEAD", 403, manage=True),
        Door("POST", 403, manage=True),
        Door("POST", 403, manage=True, data={"revoke": "1"}),
    ],
    # As those of grants: who may share is in test_share_several.py.
    "files:share_several": [
        Door(ok=403, named_by="file"),
        Door("HEAD", 403, named_by="file"),
        Door("POST", 403, named_by="file"),
        _of_folder(ok=403, named_by="folder"),
        _of_folder("POST", 403, named_by="folder"),
    ],
    # For who manages it; test_links.py has those who may make one.
    "files:links": [
        *_page(manage=True),
        Door("POST", 400, manage=True),
        Door("POST", 404, manage=True, data={"end": "1"}),
    ],
    "files:history": [Door(manage=True), Door("HEAD", manage=True)],
    "files:read_by": [
        Door(manage=True),
        Door("HEAD", manage=True),
        Door("POST", manage=True),
    ],
    # Its only version is the current one; test_versions.py has files with others.
    "files:versions": [
        Door(manage=True),
        Door("HEAD", manage=True),
        Door("POST", 404, manage=True, data={"restore": "1"}),
        Door("POST", 404, manage=True, data={"delete": "1"}),
    ],
    "files:version_download": [Door(ok=404, manage=True), Door("HEAD", 404, manage=True)],
    "files:version_view": [Door(ok=404, manage=True), Door("HEAD", 404, manage=True)],
    "files:version_unlock": [Door("POST", 404, manage=True)],
    "files:delete": [Door(manage=True), Door("HEAD", manage=True), Door("POST", 302, manage=True)],
    "files:rename": [
        *_page(manage=True),
        Door("POST", 302, manage=True, data={"name": "b"}),
        Door("POST", 400, manage=True),
    ],
    "files:move": [*_page(manage=True), Door("POST", 400, manage=True)],
    "files:restore": [
        *_page(manage=True, trashed=True),
        Door("POST", 302, manage=True, trashed=True),
    ],
    "folders:detail": _page(takes=FOLDER),
    "folders:new": [
        *_page(takes=FOLDER, add=True),
        _of_folder("POST", 302, add=True, data={"name": "b"}),
        _of_folder("POST", 400, add=True),
    ],
    "folders:path": [
        _of_folder("POST", 204, add=True, data={"path": "b/c"}),
        _of_folder("POST", 400, add=True),
    ],
    # As those of files.
    "folders:grants": [
        *_page(403, takes=FOLDER, manage=True),
        _of_folder("POST", 403, manage=True),
        _of_folder("POST", 403, manage=True, data={"revoke": "1"}),
    ],
    "folders:read_by": [
        *_page(takes=FOLDER, manage=True),
        _of_folder("POST", manage=True),
    ],
    # Who may ask is in test_asking.py.
    "folders:requests": [
        *_page(takes=FOLDER, manage=True),
        _of_folder("POST", 403, manage=True, data={"title": "b"}),
    ],
    # There is none; test_asking.py has those.
    "folders:request": [
        *_page(404, takes=FOLDER),
        _of_folder("POST", 404, data={"end": "1"}),
    ],
    "folders:links": [
        *_page(takes=FOLDER, manage=True),
        _of_folder("POST", 400, manage=True),
        _of_folder("POST", 404, manage=True, data={"end": "1"}),
    ],
    "folders:rename": [
        *_page(takes=FOLDER, manage=True),
        _of_folder("POST", 302, manage=True, data={"name": "b"}),
    ],
    "folders:move": [*_page(takes=FOLDER, manage=True), _of_folder("POST", 400, manage=True)],
    "folders:delete": [*_page(takes=FOLDER, manage=True), _of_folder("POST", 302, manage=True)],
    "folders:restore": [
        *_page(takes=FOLDER, manage=True, trashed=True),
        _of_folder("POST", 302, manage=True, trashed=True),
    ],
    "folders:zip": [*_page(takes=FOLDER), _of_folder("POST")],
    "files:unlock": [Door("POST", 302)],
    # For owners of held files, which this one is not: test_keys.py has those.
    "files:key": [Door(ok=404), Door("HEAD", 404)],
    "files:key_file": [Door("POST", 404)],
    "files:set_passphrase": [Door("POST", 404)],
    "files:reencrypt": [Door(ok=404), Door("HEAD", 404), Door("POST", 404)],
    "files:keys_file": [Door("POST", 404, named_by="file")],
    "files:keys_saved": [Door("POST", 404, named_by="file")],
    "upload": [
        Door("HEAD", 200, UPLOAD, headers=TUS),
        Door(
            "PATCH",
            204,
            UPLOAD,
            body=b"x",
            headers={**TUS, "Upload-Offset": "0"},
            content_type=BYTES,
        ),
        Door("DELETE", 204, UPLOAD, headers=TUS),
        Door("POST", 204, UPLOAD, headers={**TUS, "X-HTTP-Method-Override": "DELETE"}),
    ],
    **_admin(FILE),
    **_admin(GRANT),
    **_admin(FOLDER),
}


@dataclass(frozen=True)
class Operation(Door):
    """One operation of the API: its path as the schema has it, and the scope that it takes.

    `oversight`: for staff with permissions, whoever's it is; everybody else is told so alike.
    """

    path: str = ""
    scope: str = ""
    json: Any = None
    oversight: bool = False

    def address(self, wanted: object) -> str:
        """Where it is, for the thing with that id."""
        found = self.path
        for part, value in (
            ("{file_id}", wanted),
            ("{folder_id}", wanted),
            ("{version}", uuid.UUID(int=7)),
            ("{number}", 999_999_999),
            ("{path}", "b.txt"),
        ):
            found = found.replace(part, str(value))
        return found


_V1 = "/api/v1"


def _operation(method: str, path: str, scope: str, ok: int = 200, **fields: Any) -> Operation:
    takes = FILE if "{file_id}" in path else FOLDER if "{folder_id}" in path else ""
    return Operation(method, ok, takes, path=_V1 + path, scope=scope, **fields)


_FILES: dict[str, Any] = {"files": [{"name": "b.txt", "content": "eA=="}]}
_ASK: dict[str, Any] = {"title": "b"}
_NAME: dict[str, Any] = {"json": {"name": "b"}}
_SHARE: dict[str, Any] = {"json": {"to": ["root"]}, "manage": True}
_NOWHERE: dict[str, Any] = {"json": {"to": str(uuid.UUID(int=7))}, "manage": True}

OPERATIONS: list[Operation] = [
    _operation("GET", "/me", ""),
    _operation("DELETE", "/me/token", "", 204),
    _operation("GET", "/shared", "read"),
    _operation("GET", "/recent", "read"),
    _operation("GET", "/trash", "read"),
    _operation("GET", "/search", "read", 400),
    _operation("GET", "/audit", "audit", 403),
    _operation("GET", "/keys", "audit", 403),
    _operation("POST", "/digests", "read", 400, json={}),
    # Alike for any id: web/api/test_access_requests.py.
    _operation("POST", "/access-requests", "read", 400, json={"reason": "b"}),
    _operation("GET", "/access-requests/mine", "read"),
    _operation("GET", "/access-requests", "share"),
    _operation("POST", "/access-requests/{number}/grant", "share", 404, json={}),
    _operation("POST", "/access-requests/{number}/decline", "share", 404, json={}),
    _operation("GET", "/content/{path}", "read", 404),
    _operation("HEAD", "/content/{path}", "read", 404),
    _operation("PUT", "/content/{path}", "add", 201, body=b"x"),
    _operation("GET", "/folders/root", "read"),
    _operation("GET", "/folders/{folder_id}", "read"),
    _operation("PATCH", "/folders/{folder_id}", "manage", manage=True, **_NAME),
    _operation("DELETE", "/folders/{folder_id}", "manage", 204, manage=True),
    _operation("GET", "/folders/{folder_id}/item", "read"),
    _operation("GET", "/folders/{folder_id}/items", "read"),
    _operation("POST", "/folders/{folder_id}/folders", "add", 201, add=True, **_NAME),
    _operation("POST", "/folders/{folder_id}/paths", "add", 201, add=True, json={"path": "b/c"}),
    _operation("POST", "/folders/{folder_id}/files", "add", 201, add=True, json=_FILES),
    _operation("POST", "/folders/{folder_id}/move", "manage", 404, **_NOWHERE),
    _operation("POST", "/folders/{folder_id}/restore", "manage", manage=True, trashed=True),
    # Members may not share; test_operations.py has those who may.
    _operation("GET", "/folders/{folder_id}/read-by", "read", manage=True),
    _operation("GET", "/folders/{folder_id}/grants", "share", 403, manage=True),
    _operation("POST", "/folders/{folder_id}/grants", "share", 403, **_SHARE),
    _operation("DELETE", "/folders/{folder_id}/grants/{number}", "share", 403, manage=True),
    _operation("GET", "/folders/{folder_id}/requests", "share", manage=True),
    _operation("POST", "/folders/{folder_id}/requests", "share", 403, manage=True, json=_ASK),
    _operation("GET", "/requests", "share"),
    _operation("GET", "/requests/{number}", "share", 404),
    _operation("DELETE", "/requests/{number}", "share", 404),
    _operation("GET", "/folders/{folder_id}/access", "share", 403, oversight=True),
    _operation("GET", "/folders/{folder_id}/content/{path}", "read", 404),
    _operation("HEAD", "/folders/{folder_id}/content/{path}", "read", 404),
    _operation("PUT", "/folders/{folder_id}/content/{path}", "add", 201, add=True, body=b"x"),
    # Members may not make links; test_links.py has those who may.
    _operation("GET", "/folders/{folder_id}/links", "share", manage=True),
    _operation("POST", "/folders/{folder_id}/links", "share", 403, manage=True, json={}),
    _operation("GET", "/files/{file_id}/links", "share", manage=True),
    _operation("POST", "/files/{file_id}/links", "share", 403, manage=True, json={}),
    _operation("GET", "/links", "share"),
    _operation("DELETE", "/links/{number}", "share", 404),
    _operation("GET", "/files/{file_id}", "read"),
    _operation("PATCH", "/files/{file_id}", "manage", manage=True, **_NAME),
    _operation("DELETE", "/files/{file_id}", "manage", 204, manage=True),
    _operation("POST", "/files/{file_id}/move", "manage", 404, **_NOWHERE),
    _operation("POST", "/files/{file_id}/restore", "manage", manage=True, trashed=True),
    _operation("GET", "/files/{file_id}/versions", "read", manage=True),
    _operation("POST", "/files/{file_id}/versions/{version}/restore", "manage", 404, manage=True),
    _operation("GET", "/files/{file_id}/versions/{version}/content", "read", 404, manage=True),
    _operation("HEAD", "/files/{file_id}/versions/{version}/content", "read", 404, manage=True),
    _operation("GET", "/files/{file_id}/history", "read", manage=True),
    _operation("GET", "/files/{file_id}/read-by", "read", manage=True),
    _operation("GET", "/files/{file_id}/digest", "read"),
    _operation("GET", "/files/{file_id}/content", "read"),
    _operation("HEAD", "/files/{file_id}/content", "read"),
    _operation("GET", "/files/{file_id}/grants", "share", 403, manage=True),
    _operation("POST", "/files/{file_id}/grants", "share", 403, **_SHARE),
    _operation("DELETE", "/files/{file_id}/grants/{number}", "share", 403, manage=True),
    _operation("GET", "/files/{file_id}/access", "share", 403, oversight=True),
]
"""Every operation of the schema."""

API = "api:"
"""What the names of its paths begin with; the schema has them all, but for itself."""

OPEN = "for anybody"
SIGNED_IN = "for people who have signed in"
STAFF = "for staff; the admin asks for permissions of its own"


def model_admin(*names: str) -> dict[str, str]:
    """The paths of a model in the admin: `app_model`."""
    found = {}
    for name in names:
        pages = ("changelist", "add", "history", "delete", "change")
        found.update({f"admin:{name}_{page}": STAFF for page in pages})
        found[f"admin/{name.replace('_', '/', 1)}/<path:object_id>/"] = STAFF
    return found


NO_FILE: dict[str, str] = {
    "home": OPEN,
    "healthz": OPEN,
    "readyz": OPEN,
    "jsi18n": OPEN,
    "api:openapi": OPEN,  # It says what there is, and nothing of anybody.
    # Requests, for people outside: test_asked.py has the table of who gets what there.
    "asked": OPEN,
    "asked_send": OPEN,
    "asked_receipt": OPEN,
    "asked_uploads": OPEN,
    "asked_upload": OPEN,
    "links:door": OPEN,  # Its secret is its path.
    "links:download": OPEN,
    "links:zip": OPEN,
    "links:file": OPEN,  # Below a link; OUTSIDERS says who is let in where.
    "links:file_download": OPEN,
    "links:folder": OPEN,
    "metrics": OPEN,  # It has a token of its own, and does not exist without one.
    "files:list": SIGNED_IN,
    "files:viewer": OPEN,  # The frame's document: empty, and the same for everybody.
    "files:upload": SIGNED_IN,
    "folders:new_in_root": SIGNED_IN,
    "folders:path_in_root": SIGNED_IN,
    "shared": SIGNED_IN,
    "recent": SIGNED_IN,
    "notices:list": SIGNED_IN,
    "notices:read": SIGNED_IN,  # It takes numbers of one's own notices, and knows no others.
    "notices:choose": SIGNED_IN,
    "trash": SIGNED_IN,
    "files:judge_passphrase": SIGNED_IN,
    "files:undo": SIGNED_IN,
    "suggest_people": SIGNED_IN,
    # For any id alike: tests/files/web/test_access_requests.py.
    "ask_for_access": SIGNED_IN,
    "access_requests": SIGNED_IN,
    "own_links": SIGNED_IN,  # It takes numbers of one's own, and knows no others.
    "access_request": SIGNED_IN,
    "uploads": SIGNED_IN,
    # Accounts
    "account_login": OPEN,
    "account_logout": OPEN,
    "account_inactive": OPEN,
    "account_signup": OPEN,
    "account_email_verification_sent": OPEN,
    "account_confirm_email": OPEN,
    "account_confirm_login_code": OPEN,
    "account_reset_password": OPEN,
    "account_reset_password_done": OPEN,
    "account_reset_password_from_key": OPEN,
    "account_reset_password_from_key_done": OPEN,
    "account_reauthenticate": SIGNED_IN,
    "account": SIGNED_IN,
    "tokens": SIGNED_IN,
    "token_new": SIGNED_IN,
    "token_revoke": SIGNED_IN,
    "account_email": SIGNED_IN,
    "account_change_password": SIGNED_IN,
    "account_set_password": SIGNED_IN,
    "mfa_authenticate": OPEN,
    "mfa_index": SIGNED_IN,
    "mfa_reauthenticate": SIGNED_IN,
    "mfa_activate_totp": SIGNED_IN,
    "mfa_deactivate_totp": SIGNED_IN,
    "mfa_view_recovery_codes": SIGNED_IN,
    "mfa_generate_recovery_codes": SIGNED_IN,
    "mfa_download_recovery_codes": SIGNED_IN,
    "mfa_login_webauthn": OPEN,
    "mfa_list_webauthn": SIGNED_IN,
    "mfa_add_webauthn": SIGNED_IN,
    "mfa_edit_webauthn": SIGNED_IN,
    "mfa_remove_webauthn": SIGNED_IN,
    "mfa_reauthenticate_webauthn": SIGNED_IN,
    "usersessions_list": SIGNED_IN,
    "command": SIGNED_IN,
    "program_authorize": SIGNED_IN,
    "program_code": SIGNED_IN,
    "program_confirm": SIGNED_IN,
    # For programs that have nothing yet: they present codes, and get a token for the right one.
    "program_begin": OPEN,
    "program_token": OPEN,
    "invitation": OPEN,
    "invitation_link": OPEN,
    # The admin
    "admin:index": STAFF,
    "admin:login": OPEN,
    "admin:logout": OPEN,
    "admin:password_change": STAFF,
    "admin:password_change_done": STAFF,
    "admin:autocomplete": STAFF,
    "admin:jsi18n": OPEN,
    "admin:view_on_site": OPEN,  # Behind the next one, which is closed.
    "closed": OPEN,
    "admin:app_list": STAFF,
    "admin/(?P<url>.*)$": STAFF,
    "admin:auth_user_password_change": STAFF,
    "admin:accounts_user_access": STAFF,
    "admin:accounts_user_transfer": STAFF,
    "admin:audit_auditevent_export": STAFF,
    "admin:files_filerecord_changelist": STAFF,
    "admin:files_filerecord_sharing": STAFF,
    "admin:files_filerecord_add": STAFF,
    "admin:files_grant_changelist": STAFF,
    "admin:files_grant_add": STAFF,
    "admin:files_masterkey_changelist": STAFF,
    "admin:files_accessrequest_changelist": STAFF,
    "admin:files_folder_changelist": STAFF,
    "admin:files_folder_add": STAFF,
    **model_admin(
        "auth_group",
        "accounts_user",
        "accounts_invitation",
        "audit_auditevent",
        "account_emailaddress",
        "mfa_authenticator",
        "accounts_token",
        "files_filerequest",
        "files_link",
        "notices_mail",
    ),
}


# --- Paths ------------------------------------------------------------------------------------


def patterns(
    resolver: URLResolver, route: str = "", spaces: tuple[str, ...] = ()
) -> Iterator[tuple[str, str]]:
    """Every path below: its entry's name, and its route."""
    for pattern in resolver.url_patterns:
        full = route + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            inner = (*spaces, pattern.namespace) if pattern.namespace else spaces
            yield from patterns(pattern, full, inner)
        elif isinstance(pattern, URLPattern):
            yield ":".join((*spaces, pattern.name)) if pattern.name else full, full


ALL = tuple(patterns(get_resolver()))
ROUTES = dict(ALL)
_NUMBER = re.compile(r"<int:\w+>")
_PARAMETER = re.compile(r"<(?:\w+:)?\w+>|\(\?P<\w+>[^)]*\)")


def address(name: str, value: object = "1") -> str:
    """The path of that entry, with `value` wherever it takes something.

    Where it takes a number and `value` is none, with one that nothing has.
    """
    number = str(value) if str(value).isdecimal() else "999999999"
    route = _PARAMETER.sub(str(value), _NUMBER.sub(number, ROUTES[name]))
    return "/" + route.replace("^", "").replace("$", "")


KNOCKS = [(name, door) for name, doors in DOORS.items() for door in doors]


def knock(client: Client, name: str, door: Door, wanted: object) -> Any:
    """The answer to one request for the thing with that id."""
    path = address(name, wanted)
    data: Any = {**door.data, **({door.named_by: str(wanted)} if door.named_by else {})}
    if door.named_by and door.method in {"GET", "HEAD"}:
        return client.generic(door.method, path, QUERY_STRING=urlencode(data))
    if door.method == "POST" and not door.content_type and not door.headers:
        return client.post(path, data)
    return client.generic(
        door.method, path, door.body, door.content_type or BYTES, headers=dict(door.headers)
    )


# --- People -----------------------------------------------------------------------------------

Item = FileRecord | Folder
Arrange = Callable[[Item, User, str], object]
NOW = timezone.now


def _group(user: User) -> Group:
    group = Group.objects.create(name=f"Team {uuid.uuid4()} of {user.username}")
    user.groups.add(group)
    return group


def _through_group(item: Item, user: User, level: str) -> Group:
    group = _group(user)
    give(item, group, level=level)
    return group


def _left_the_group(item: Item, user: User, level: str) -> None:
    user.groups.remove(_through_group(item, user, level))


def _group_deleted(item: Item, user: User, level: str) -> None:
    _through_group(item, user, level).delete()


def _superuser(item: Item, user: User, level: str) -> None:
    User.objects.filter(pk=user.pk).update(is_superuser=True, is_staff=True)


def _all_ended(item: Item, user: User, level: str) -> None:
    give(item, user, level=level, revoked_at=NOW())
    give(item, user, level=level, expires_at=NOW())
    give(item, _group(user), level=level, revoked_at=NOW())


def _one_of_several(item: Item, user: User, level: str) -> None:
    _all_ended(item, user, level)
    give(item, user, level=level)


def _owned_before(item: Item, user: User, level: str) -> None:
    owner = item.owner
    for one in (user, owner):
        type(item)._default_manager.filter(pk=item.pk).update(owner=one)


def _folder_above(item: Item) -> Folder:
    """A new folder of its owner's, into which it goes."""
    case = placing.add_folder(placing.root_of(item.owner), f"{uuid.uuid4()}", added_by=None)
    if isinstance(item, Folder):
        placing.leave(item)
        placing.graft(item, case)
    else:
        placing.leave(item)
        FileRecord.objects.filter(pk=item.pk).update(folder=case)
    if item.trashed_at is None:
        placing.enter(item, case)
    return case


def _on_the_folder(item: Item, user: User, level: str) -> None:
    give(_folder_above(item), user, level=level)


def _two_folders_up(item: Item, user: User, level: str) -> None:
    give(_folder_above(_folder_above(item)), _group(user), level=level)


def _on_the_folder_ended(item: Item, user: User, level: str) -> None:
    give(_folder_above(item), user, level=level, expires_at=NOW())


def _on_the_folder_asleep(item: Item, user: User, level: str) -> None:
    above = _folder_above(_folder_above(item))
    give(above, user, level=level)
    Folder.objects.filter(pk=above.pk).update(trashed_at=NOW())


def _moved_out(item: Item, user: User, level: str) -> None:
    _on_the_folder(item, user, level)
    item.refresh_from_db()
    _folder_above(item)


STRANGERS: dict[str, Arrange] = {
    "a stranger": lambda item, user, level: None,
    "expired": lambda item, user, level: give(item, user, level=level, expires_at=NOW()),
    "not yet": lambda item, user, level: give(
        item, user, level=level, starts_at=NOW() + timedelta(hours=1)
    ),
    "revoked": lambda item, user, level: give(item, user, level=level, revoked_at=NOW()),
    "left the group": _left_the_group,
    "group deleted": _group_deleted,
    "group grant revoked": lambda item, user, level: give(
        item, _group(user), level=level, revoked_at=NOW()
    ),
    "group grant expired": lambda item, user, level: give(
        item, _group(user), level=level, expires_at=NOW()
    ),
    "all ended": _all_ended,
    "owned it before": _owned_before,
    "of a folder, ended": _on_the_folder_ended,
    "of a folder that was put away": _on_the_folder_asleep,
    "of a folder that it left": _moved_out,
}
"""People to whom the file does not exist."""

POWERFUL: dict[str, Arrange] = {"a superuser": _superuser}
"""Strangers, too, wherever content is concerned."""

GUESTS: dict[str, Arrange] = {
    "granted": lambda item, user, level: give(item, user, level=level),
    "through a group": _through_group,
    "for a time": lambda item, user, level: give(
        item,
        user,
        level=level,
        starts_at=NOW() - timedelta(hours=1),
        expires_at=NOW() + timedelta(hours=1),
    ),
    "one of several": _one_of_several,
    "of its folder": _on_the_folder,
    "of a folder further up, through a group": _two_folders_up,
}
"""People who were let in."""


OUTSIDERS: dict[str, dict[str, int]] = {
    "link to the file": {
        "": 200,
        "download/": 200,
        "zip/": 404,
        "files/{file}/": 200,
        "files/{file}/download/": 200,
        "folders/{folder}/": 404,
        "files/{beside}/": 404,
        "files/{beside}/download/": 404,
        "files/x/": 404,
    },
    "link to its folder": {
        "": 200,
        "download/": 302,
        "zip/": 200,
        "files/{file}/": 200,
        "files/{file}/download/": 200,
        "folders/{folder}/": 200,
        "folders/{above}/": 404,
        "files/{beside}/": 404,
        "files/{beside}/download/": 404,
    },
    "link to the file beside": {"files/{file}/": 404, "files/{file}/download/": 404, "": 200},
    "with a password": {"download/": 302, "zip/": 302, "files/{file}/download/": 302, "": 200},
    **{
        kind: dict.fromkeys(("", "download/", "zip/", "files/{file}/download/"), 404)
        for kind in ("unknown", "ended", "revoked", "exhausted", "asleep", "put away", "off")
    },
}
"""People outside, by the link that they come by: what they are answered below it."""


def unknown(door: Door) -> object:
    """An id that nothing has."""
    return 999_999_999 if door.takes == GRANT else uuid.uuid4()
