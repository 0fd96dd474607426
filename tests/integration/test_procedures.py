"""What docs/operations.md says to do on a bad day, done: the very lines of the page, on the store.

A line that is no command of ours (an editor, systemctl, another tool) is done by the test: `by`
maps its beginning to what an operator does there. A line that the page has and the test does not
know fails it.
"""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from files.crypto.fernetkey import generate_master_key
from files.crypto.masterkey import LocalMasterKey
from tests.conftest import Weed
from tests.integration.installation import Installation
from tests.integration.postgresql import server
from tests.integration.procedures import commands

Action = Callable[[], object]

SIGNED_IN = """
from django.test import Client
from django.contrib.auth import get_user_model
user = get_user_model().objects.get(username="alice")
client = Client(headers={"host": "files.example.org"})
client.force_login(user, "accounts.backends.PasswordBackend")
print(client.cookies["sessionid"].value)
"""
STILL_IN = """
import sys
from django.test import Client
client = Client(headers={"host": "files.example.org"})
client.cookies["sessionid"] = sys.argv[1]
upload = "/uploads/00000000-0000-4000-8000-000000000000"
print(client.head(upload, headers={"Tus-Resumable": "1.0.0"}, secure=True).status_code)
"""


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory, weed: Weed) -> Installation:
    """Two files, of alice."""
    folder = tmp_path_factory.mktemp("procedures")
    site = Installation(folder, weed, f"procedures-{secrets.token_hex(6)}")
    site.migrate()
    site.store("one", "two")
    return site


@pytest.fixture
def site(stored: Installation, tmp_path: Path) -> Installation:
    """The same, of the test's own; the grace of doomed objects is over at once."""
    (tmp_path / "passphrase").write_text("seven green bottles hang on a wall\n")
    return stored.copy(tmp_path, DOOMED_GRACE_MINUTES="0")


def follow(
    site: Installation,
    block: list[str],
    *,
    by: dict[str, list[Action]] | None = None,
    words: dict[str, str] | None = None,
) -> list[str]:
    """Do every line of a block; what our own commands printed."""
    actions = {start: list(doings) for start, doings in (by or {}).items()}
    said = []
    for written in block:
        line = written
        for placeholder, value in (words or {}).items():
            line = line.replace(placeholder, value)
        if line.startswith(("manage.py ", "python -m ")):
            said.append(site.run(line, cwd=site.folder).stdout)
            continue
        start = next((start for start in actions if line.startswith(start)), None)
        assert start is not None, f"the test does not know what to do for: {line}"
        actions[start].pop(0)()
    assert not any(actions.values()), "the page no longer has a line that the test waits for"
    return said


def key_id(text: str) -> str:
    return LocalMasterKey(text).id


def nothing() -> None:
    """For a line that means nothing here: no service runs, and no proxy."""


def first(site: Installation, new: str) -> Action:
    def edit() -> None:
        site.master_keys = [new, *site.master_keys]
        site.configure()

    return edit


def only(site: Installation, key: str) -> Action:
    def edit() -> None:
        site.master_keys = [key]
        site.configure()

    return edit


def export(site: Installation) -> None:
    site.run("manage.py export_keys keys.export --passphrase-file passphrase", cwd=site.folder)


def test_planned_rotation(site: Installation) -> None:
    old, new = site.master_keys[0], generate_master_key()
    [block, *_] = commands("Rotate the master key")
    follow(
        site,
        block,
        by={"sudoedit": [first(site, new), only(site, new)], "curl": [nothing]},
        words={"<old id>": key_id(old)},
    )
    assert site.read() == {"one", "two"}


def test_backups_every_night(site: Installation, tmp_path: Path) -> None:
    [block, *_] = commands("Back up")
    follow(site, block, by={"aws s3 sync": [lambda: site.fetch_bucket(tmp_path / "objects")]})
    for line in commands("The drill")[0]:
        assert "The drill passed" in site.run(line, cwd=site.folder).stdout


def test_leaked_master_key(site: Installation, tmp_path: Path) -> None:
    old, new = site.master_keys[0], generate_master_key()
    stolen = tmp_path / "stolen.sqlite3"
    site.run("manage.py backup")
    shutil.copy(next((tmp_path / "backups").glob("*.sqlite3")), stolen)
    [block] = commands("Leaked master key")
    follow(
        site,
        block,
        by={"sudoedit": [first(site, new), only(site, new)]},
        words={"<old id>": key_id(old)},
    )
    assert site.read() == {"one", "two"}
    # The thief has the old key, the old database, and gets at the bucket as it is now.
    thief = Installation(
        tmp_path / "thief",
        site.weed,
        site.bucket,
        f"sqlite:///{stolen}",
        master_keys=[old],
        audit_key=site.audit_key,
    )
    found = thief.python(
        "from files.errors import FileDamaged\nfrom files.models import FileRecord\n"
        "from files.vault import opening\n"
        "for record in FileRecord.objects.select_related('current'):\n"
        "    try:\n        list(opening.open_file(record).chunks())\n        print('read')\n"
        "    except FileDamaged:\n        print('nothing')\n"
    )
    assert found == ["nothing", "nothing"]


def test_leaked_database(site: Installation) -> None:
    old, new = site.master_keys[0], generate_master_key()
    [cookie] = site.python(SIGNED_IN)
    assert site.python(STILL_IN, cookie) == ["403"]  # Known, and may not upload.

    def new_secrets() -> None:
        site.secret_key = secrets.token_urlsafe(64)
        first(site, new)()

    [block] = commands("Leaked database")
    follow(
        site,
        block,
        by={"sudoedit": [new_secrets, only(site, new)], "sudo systemctl": [nothing]},
        words={"<old id>": key_id(old)},
    )
    assert site.python(STILL_IN, cookie) == ["401"]
    assert site.read() == {"one", "two"}


def test_leaked_bucket(site: Installation) -> None:
    [block] = commands("Leaked bucket")
    by: dict[str, list[Action]] = {"sudoedit": [nothing], "sudo systemctl": [nothing]}
    follow(site, block, by=by)
    client = site.weed.client()
    name = client.list_objects_v2(Bucket=site.bucket)["Contents"][0]["Key"]
    client.put_object(Bucket=site.bucket, Key=name, Body=b"changed by the thief")
    client.put_object(Bucket=site.bucket, Key="ab/planted", Body=b"by the thief")
    verify, sweep = block[-2:]
    assert name in site.run(verify, code=1).stdout
    assert "ab/planted" in site.run(sweep).stdout


def test_lost_master_key(site: Installation) -> None:
    export(site)
    new = generate_master_key()
    [block] = commands("Lost master key")
    said = follow(site, block, by={"sudoedit": [only(site, new)]})
    assert "0 files made anew, 2 keys wrapped anew" in said[1]
    assert site.read() == {"one", "two"}


def test_lost_database_with_a_backup(site: Installation, tmp_path: Path) -> None:
    site.run("manage.py backup")
    site.store("after the backup")
    export(site)
    [path] = (tmp_path / "backups").glob("*.json")
    manifest = json.loads(path.read_text())
    for file in tmp_path.glob("db.sqlite3*"):
        file.unlink()

    def copy() -> None:
        shutil.copy(path.with_suffix(".sqlite3"), tmp_path / "db.sqlite3")

    with_a_backup, _ = commands("Lost database")
    follow(
        site,
        with_a_backup,
        by={"cp": [copy]},
        words={"<newest>": path.stem, "<anchor>": manifest["audit_anchor"]},
    )
    assert site.read() == {"one", "two", "after the backup"}


def test_lost_database_without_a_backup(site: Installation, tmp_path: Path) -> None:
    export(site)
    for file in tmp_path.glob("db.sqlite3*"):
        file.unlink()
    _, without = commands("Lost database")
    said = follow(site, without)
    assert "2 files made anew" in said[-1]
    assert "alice" in said[-1]
    assert site.read() == {"one", "two"}


def test_moved_bucket(site: Installation, tmp_path: Path) -> None:
    old, new = site.bucket, f"moved-{secrets.token_hex(6)}"
    client = site.weed.client()
    client.create_bucket(Bucket=new)

    def copy() -> None:
        for path in site.fetch_bucket(tmp_path / "objects"):
            name = str(path.relative_to(tmp_path / "objects"))
            client.upload_file(str(path), new, name)

    def settings() -> None:
        site.bucket = new
        site.configure()
        for found in client.list_objects_v2(Bucket=old)["Contents"]:
            client.delete_object(Bucket=old, Key=found["Key"])

    [block] = commands("Moved bucket")
    follow(
        site,
        block,
        by={
            "aws s3 sync": [copy, copy],
            "sudo systemctl stop": [lambda: site.store("late")],
            "sudo systemctl start": [nothing],
            "sudoedit": [settings],
        },
    )
    assert site.read() == {"one", "two", "late"}


def test_rescue_without_a_database(site: Installation, tmp_path: Path) -> None:
    export(site)
    for file in tmp_path.glob("db.sqlite3*"):
        file.unlink()
    [block] = commands("Rescue")
    follow(site, block, by={"aws s3 sync": [lambda: site.fetch_bucket(tmp_path / "bucket")]})
    for name in ("one", "two"):
        # Below its owner.
        [restored] = (tmp_path / "restored").glob(f"*/{name}")
        assert restored.read_bytes() == name.encode() * 100_000


def test_move_the_database(site: Installation, tmp_path: Path) -> None:
    with server() as database:
        url = f"postgres://{database['USER']}@/{database['HOST']}/postgres"
        file = tmp_path / "target"

        def install() -> None:
            file.touch(mode=0o600)

        def settings() -> None:
            site.database_url = url
            site.configure()

        [block] = commands("Move the database")
        said = follow(
            site,
            block,
            by={
                "sudo install -m 0600": [install],
                "echo": [lambda: file.write_text(f"{url}\n")],
                "sudoedit": [settings],
                "sudo systemctl restart": [nothing],
            },
            words={"/etc/securestore/target": str(file)},
        )
        assert "every row compared" in said[1]
        assert "The drill passed" in said[-1]
        assert site.read() == {"one", "two"}
        site.run("manage.py verify_audit")
