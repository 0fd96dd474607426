"""A process that changes trees: `python -m tests.integration.tree_worker CONFIGURATION SEED COUNT`.

Two owners make, fill, rename, move, put away and bring back folders of one another's as chance has
it. Says `ready`, begins when its input ends, and says what became of each step. A refusal in words
is as good as a success; anything else ends the process. A count of 0 goes on until it is killed.
"""

from __future__ import annotations

import json
import random
import sys
from itertools import count
from typing import Any

import django


def main() -> None:
    django.setup()
    from tests.audit.databases import as_default

    steps, limit = random.Random(int(sys.argv[2])), int(sys.argv[3])  # noqa: S311
    with as_default(json.loads(sys.argv[1])):
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        sys.stdin.read()
        for number in range(limit) if limit else count():
            sys.stdout.write(_step(steps, number) + "\n")
            sys.stdout.flush()


def _step(steps: random.Random, number: int) -> str:
    from accounts.models import User
    from files.access.principals import Person
    from files.errors import VaultError
    from files.folders import making, moving, trash
    from files.models import FileRecord, Folder

    actor = User.objects.get(username=steps.choice(["alice", "bob"]))
    by: dict[str, Any] = {"by": Person(actor), "actor": actor}
    folders = list(Folder.objects.select_related("owner"))
    items: list[FileRecord | Folder] = [one for one in folders if not one.is_root]
    items += FileRecord.objects.select_related("owner")
    folder = steps.choice(folders)
    moves = ["move"] * 3
    what = steps.choice(["make", "path", "add", "rename", *moves, "put away", "restore"])
    try:
        if what == "make":
            making.create_folder(folder, steps.choice("abc"), **by)
        elif what == "path":
            making.make_path(folder, steps.choices("abc", k=3), **by)
        elif what == "add":
            _add(folder, steps.choice("abc"))
        elif not items:
            return "nothing"
        elif what == "rename":
            making.rename(steps.choice(items), steps.choice("abc"), **by)
        elif what == "move":
            moving.move(steps.choice(items), folder, rename=steps.random() < 0.5, **by)
        elif what == "put away":
            trash.put_away(steps.choice(items), **by)
        else:
            away = [one for one in items if one.trashed_at]
            trash.restore(steps.choice(away or items), **by)
    except VaultError as error:
        # A path goes on through what another has made: none is ever told that the name is taken.
        return f"{what}: {type(error).__name__}" if what == "path" else type(error).__name__
    return what


def _add(folder: Any, name: str) -> None:
    """A file of that name, as an upload's last transaction makes it."""
    from django.db import transaction

    from files.tree import placing
    from tests.files.test_models import filed

    with transaction.atomic():
        parent = placing.lock_folder(folder)
        record = filed(parent.owner, name=placing.free_name(parent, name), folder=parent)
        placing.enter(record, parent)


if __name__ == "__main__":
    main()
