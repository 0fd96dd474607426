"""The operator's side of the crash tests, in one process that outlives every kill.

Reads one JSON object a line and answers with one. What is to be killed runs in a fork of it, so a
command costs no start. It has the site's own settings, but no expiry and no grace: its sweep finds
at once what an hourly one finds in time.

    python -m tests.integration.crash_agent
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import sys
import traceback
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import django
from django.core.management import CommandError, call_command


def main() -> None:
    """Answer until the input ends."""
    django.setup()
    from django.conf import settings

    from files.upkeep import reconciliation

    settings.UPLOAD_EXPIRY = timedelta()
    settings.TRASH_TIME = timedelta()
    settings.KEEP_VERSIONS = 1
    # What a sweep leaves alone for a day, in case somebody is still at it: here nobody is.
    reconciliation.SETTLED = timedelta(seconds=-5)
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    # What commands print must not come between the answers.
    os.dup2(2, 1)
    for line in sys.stdin:
        order = json.loads(line)
        try:
            answer = ORDERS[order.pop("order")](**order)
        except Exception:
            answer = {"error": traceback.format_exc()}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def people() -> dict[str, Any]:
    """Beside alice: bob; and she may share files with him."""
    from django.contrib.auth.models import Permission

    from accounts.models import User

    User.objects.create_user("bob", "bob@example.org")
    _alice().user_permissions.add(Permission.objects.get(codename="add_grant"))
    return {}


def token() -> dict[str, Any]:
    """A token of alice's, which may add, and the folder of her own files."""
    from django.utils import timezone

    from accounts import tokens
    from files.tree import placing

    alice, end = _alice(), timezone.now() + timedelta(days=1)
    made = tokens.make(alice, name="crash", scopes=["add"], expires_at=end, actor=alice)
    return {"token": made.text, "root": str(placing.root_of(alice).pk)}


def look_up(name: str) -> dict[str, Any]:
    """The id of a file, and how many grants it has."""
    from files.models import FileRecord

    record = FileRecord.objects.get(name=name)
    return {"id": str(record.pk), "grants": record.grants.count()}


def run(argv: list[str]) -> dict[str, Any]:
    """Run a command in a process group of its own; whether it was killed."""
    from django.db import connections

    from files.vault import stored_objects

    # A fork must not share what is open: connections to the database and to the store.
    connections.close_all()
    stored_objects.storage()._client = None
    child = os.fork()
    if not child:
        os.setsid()
        try:
            call_command(*argv)
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    return {"killed": code < 0, "code": code}


def store(names: list[str], sizes: list[int]) -> dict[str, Any]:
    """Store files of alice's; see `content_of`."""
    from files.vault import storing

    made = {}
    for name, size in zip(names, sizes, strict=True):
        record = storing.store(_alice(), [content_of(name, size)], name=name, size=size)
        made[name] = str(record.pk)
    return made


def litter(size: int, pruned: str) -> dict[str, Any]:
    """Leave what a sweep has to take: an upload cut off in its middle, one of tus, a deletion."""
    from files.models import StoredObject
    from files.vault import continuing, removing, resumable, storing

    upload = storing.Upload(_alice(), name="cut.bin", at_most=size)
    upload.write(bytes(size))
    upload._writer.release()
    session = resumable.create(_alice(), name="left.bin", length=size)
    with continuing.Continuation(session, 0) as turn:
        turn.write(bytes(300_000))
        turn.settle()
    record = storing.store(_alice(), [b"deleted"], name="deleted.bin")
    record.delete()
    removing.doom(StoredObject.objects.filter(pk=record.current_id))
    _litter_of_the_trash(pruned)
    return {}


def _litter_of_the_trash(pruned: str) -> None:
    """A tree in the trash, and a file with three former versions, of which two go."""
    from django.utils import timezone

    from files.access.principals import Person
    from files.folders import trash
    from files.models import Conflict, KeptVersion
    from files.tree import placing
    from files.vault import storing
    from files.vault.destinations import Destination

    alice = _alice()
    root = placing.root_of(alice)
    tree = placing.add_folder(root, placing.free_name(root, "tree"), added_by=alice)
    below = placing.add_folder(tree, "below", added_by=alice)
    for folder in (tree, below):
        storing.store(alice, [b"in a tree"], name="t.bin", destination=Destination(folder))
    trash.put_away(tree, by=Person(alice), actor=alice)
    version = Destination(conflict=Conflict.VERSION)
    for text in (b"0", b"1", b"2", content_of(pruned, 1000)):
        file = storing.store(alice, [text], name=pruned, destination=version)
    KeptVersion.objects.filter(file=file).update(
        superseded_at=timezone.now() - timedelta(days=1000)
    )


def inspect(keys: dict[str, str] | None = None) -> dict[str, Any]:
    """Sweep, and tell what is there then; `failed` has what the commands complained of.

    `keys` are those of held files, by name.
    """
    from django.conf import settings

    from audit.models import AuditEvent
    from files.errors import VaultError
    from files.models import FileRecord, Grant, StoredObject
    from files.storage import StoreError
    from files.vault import opening, stored_objects, versions

    failed = [
        *_complaints("sweep"),
        *_complaints("verify_files", "--restart"),
        *_complaints("verify_audit"),
    ]
    second = io.StringIO()
    with contextlib.suppress(CommandError):  # It tells by its answer, too.
        call_command("sweep", "--dry-run", "--json", stdout=second)
    left = json.loads(second.getvalue())
    if any(left[name] for name in ("steps", "failed", "unknown_objects", "missing_objects")):
        failed.append(f"a second sweep still finds {left}")
    files = {}
    for record in FileRecord.objects.select_related("current"):
        digest = hashlib.sha256()
        try:
            for chunk in opening.open_file(record, (keys or {}).get(record.name)).chunks():
                digest.update(chunk)
            files[record.name] = [str(record.pk), digest.hexdigest()]
        except (VaultError, StoreError) as error:
            files[record.name] = [str(record.pk), repr(error)]
    former: dict[str, list[str]] = {}
    for record in FileRecord.objects.exclude(versions=None):
        kept = list(versions.of(record))
        if record.kept_bytes != sum(one.size for one in kept):
            failed.append(f"{record.name} says {record.kept_bytes} bytes of its former versions")
        former[record.name] = [_digest(versions.as_it_was(one)) for one in kept]
    pages = (
        stored_objects.storage()
        .client.get_paginator("list_objects_v2")
        .paginate(Bucket=settings.S3_BUCKET)
    )
    events = AuditEvent.objects.values_list("event", "file_id", "grant_id")
    return {
        "failed": failed,
        "files": files,
        "former": former,
        "rows": list(StoredObject.objects.values_list("object_name", "state")),
        "wrapped_by": list(StoredObject.objects.values_list("master_key_id", flat=True).distinct()),
        "fileless": StoredObject.objects.filter(file=None, kept=None).count(),
        "objects": [found["Key"] for page in pages for found in page.get("Contents", [])],
        "multiparts": [found.name for found in stored_objects.storage().multiparts()],
        "grants": [[pk, str(file)] for pk, file in Grant.objects.values_list("pk", "file_id")],
        "events": [
            [event, str(file), grant, count]
            for (event, file, grant), count in Counter(events).items()
        ],
    }


def remove(names: list[str]) -> dict[str, Any]:
    """Delete these files, as their owner does."""
    from files.models import FileRecord
    from files.vault import removing

    for record in FileRecord.objects.filter(name__in=names):
        removing.remove(record, actor=_alice())
    return {}


def content_of(name: str, size: int) -> bytes:
    """Bytes that belong to that name and to no other."""
    return hashlib.shake_128(name.encode()).digest(size)


def _digest(former: Any) -> str:
    from files.vault import opening

    digest = hashlib.sha256()
    for chunk in opening.open_file(former).chunks():
        digest.update(chunk)
    return digest.hexdigest()


def _alice() -> Any:
    from accounts.models import User

    return User.objects.get(username="alice")


def _complaints(*command: str) -> list[str]:
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            call_command(*command, stdout=said, stderr=said)
    except BaseException as error:
        return [f"{command[0]}: {error!r} {said.getvalue()[-2000:]}"]
    return []


ORDERS: dict[str, Callable[..., dict[str, Any]]] = {
    "people": people,
    "token": token,
    "look_up": look_up,
    "run": run,
    "store": store,
    "litter": litter,
    "inspect": inspect,
    "remove": remove,
}


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))
    main()
