"""Fewer connections to PostgreSQL than threads: nobody holds one who only waits for bytes.

And PgBouncer in between, with the configuration that we ship: the site and every command.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from files.crypto.fernetkey import generate_master_key
from tests.conftest import Weed
from tests.integration import services
from tests.integration.installation import Installation
from tests.integration.services import Deployment, Postgres
from tests.integration.tus import Client


@pytest.fixture(scope="module")
def database() -> Iterator[Postgres]:
    with services.postgres(migrated=True, max_connections="40") as running:
        yield running


@pytest.fixture(scope="module")
def server(
    tmp_path_factory: pytest.TempPathFactory, weed: Weed, database: Postgres
) -> Iterator[Deployment]:
    folder = tmp_path_factory.mktemp("pooling")
    served = Deployment(folder, weed, DATABASE_URL=database.url)
    served.start()
    try:
        yield served
    finally:
        served.kill()


HELD = """
import io, uuid
from urllib.parse import urlencode
from django.conf import settings
from django.db import connection
from securestore.wsgi import application
from accounts.models import User
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from accounts.session_store import SessionStore
from django.middleware.csrf import _get_new_csrf_string
from files.vault import stored_objects
from files.models import FileRecord

alice = User.objects.get(username="alice")
session = SessionStore()
session[SESSION_KEY] = str(alice.pk)
session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
session[HASH_SESSION_KEY] = alice.get_session_auth_hash()
session.save()
TOKEN = _get_new_csrf_string()
connection.close()
waits = []

import logging, sys, traceback
logging.getLogger("django.request").addHandler(logging.StreamHandler(sys.stderr))

def free(where):
    stats = connection.pool.get_stats()
    held = stats["pool_size"] - stats["pool_available"]
    assert held <= 0, f"{held} held while {where}"
    assert connection.connection is None, where
    waits.append(where)

class Body(io.BytesIO):
    def read(self, size=-1):
        free("a body arrives")
        return super().read(size)
    def readline(self, size=-1):
        free("a body arrives")
        return super().readline(size)

client = stored_objects.storage().client
main = __import__("threading").main_thread()
client.meta.events.register("before-send.s3", lambda **kwargs: free("the store is asked"))

def ask(method, path, body=b"", **headers):
    told = []
    environ = {
        "REQUEST_METHOD": method, "PATH_INFO": path.partition("?")[0], "SCRIPT_NAME": "",
        "QUERY_STRING": path.partition("?")[2], "SERVER_NAME": "127.0.0.1", "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1", "REMOTE_ADDR": "127.0.0.1", "HTTP_HOST": "127.0.0.1",
        "HTTP_COOKIE": f"{settings.SESSION_COOKIE_NAME}={session.session_key}; csrftoken={TOKEN}",
        "HTTP_X_CSRFTOKEN": TOKEN, "wsgi.input": Body(body), "wsgi.errors": io.StringIO(),
        "wsgi.url_scheme": "http", "wsgi.version": (1, 0), "wsgi.multithread": True,
        "wsgi.multiprocess": True, "wsgi.run_once": False, "CONTENT_LENGTH": str(len(body)),
        **headers,
    }
    answer = application(environ, lambda status, found, *_: told.append((status, dict(found))))
    content = b""
    for chunk in answer:
        free("an answer leaves")
        content += chunk
    answer.close()
    free("all is over")
    return int(told[0][0][:3]), told[0][1], content

TUS = {"HTTP_TUS_RESUMABLE": "1.0.0"}
BYTES = {**TUS, "CONTENT_TYPE": "application/offset+octet-stream"}
big = bytes(range(256)) * 4096 * 20
status, headers, _ = ask("POST", "/uploads/", big, HTTP_UPLOAD_LENGTH=str(len(big)), **BYTES)
assert status == 201, _
assert waits
file_id = headers["Securestore-File"]
status, headers, _ = ask("POST", "/uploads/", HTTP_UPLOAD_LENGTH=str(len(big)), **TUS)
where = "/uploads/" + headers["Location"].rpartition("/")[2]
half = 9_000_001
assert ask("PATCH", where, big[:half], HTTP_UPLOAD_OFFSET="0", **BYTES)[0] == 204
assert ask("HEAD", where, **TUS)[1]["Upload-Offset"] == str(half)
assert ask("PATCH", where, big[half:], HTTP_UPLOAD_OFFSET=str(half), **BYTES)[0] == 204
parts = [("csrfmiddlewaretoken", None, TOKEN.encode())]
parts += [("files", "a.bin", big), ("files", "b", b"b")]
body = b""
for name, filename, content in parts:
    told = f'form-data; name="{name}"' + (f'; filename="{filename}"' if filename else "")
    head = b"--x\\r\\nContent-Disposition: " + told.encode() + b"\\r\\n\\r\\n"
    body += head + content + b"\\r\\n"
body += b"--x--\\r\\n"
FORM = {"CONTENT_TYPE": "multipart/form-data; boundary=x"}
status, headers, page = ask("POST", "/files/upload/", body, **FORM)
assert status == 302, page
assert ask("GET", f"/files/{file_id}/download/")[2] == big
assert ask("GET", f"/files/{file_id}/download/", HTTP_RANGE="bytes=5-9000000")[2] == big[5:9000001]
ids = list(FileRecord.objects.values_list("pk", flat=True))
connection.close()
fields = urlencode([("file", each) for each in ids]).encode()
PLAIN = {"CONTENT_TYPE": "application/x-www-form-urlencoded"}
status, _, archive = ask("POST", "/files/download/", fields, **PLAIN)
assert status == 200 and archive[:2] == b"PK" and len(archive) > 3 * len(big)
for path in ("/files/", f"/files/{file_id}/", f"/files/{file_id}/history/", "/files/upload/"):
    assert ask("GET", path)[0] == 200
wrong = urlencode({"login": "alice", "password": "wrong"}).encode()
assert ask("POST", "/accounts/login/", wrong, HTTP_COOKIE=f"csrftoken={TOKEN}", **PLAIN)[0] == 200
assert len(set(waits)) == 4, set(waits)
print("nothing was held", len(waits))
"""


def test_no_connection_is_held_at_any_wait_for_the_client_or_the_store(server: Deployment) -> None:
    """Looked at whenever bytes are read, sent, or go to the store; at every door for bytes."""
    process = server.process(HELD)
    said, _ = process.communicate(timeout=300)
    assert process.returncode == 0
    # The site's log goes to the same place, before it.
    assert said.splitlines()[-1].startswith("nothing was held"), said


# --- PgBouncer ------------------------------------------------------------------------------------


def test_the_site_and_every_command_work_behind_pgbouncer(tmp_path: Path, weed: Weed) -> None:
    with services.postgres(max_connections="40") as database, services.pgbouncer(database) as pool:
        behind = {
            "DATABASE_POOLER": "pgbouncer",
            "DATABASE_SESSION_URL": pool.url("securestore_session"),
        }
        vault = Installation(
            tmp_path / "vault", weed, "behind-pgbouncer", pool.url("securestore"), more=behind
        )
        vault.run("manage.py migrate --verbosity 0")
        vault.run("manage.py setup_vault")
        vault.store("one", "two")
        vault.master_keys.insert(0, generate_master_key())
        vault.configure()
        for command in (
            "rotate_master_key",
            "key_report --check",
            "rotate_file_keys --older-than 0d --workers 3",
            "verify_files --workers 3",
            "verify_audit",
            "audit_anchor",
            "sweep",
            "backup",
            "restore_drill",
        ):
            vault.run(f"manage.py {command}")
        assert vault.read() == {"one", "two"}
        said = vault.run("manage.py doctor").stdout
        assert "ok    connections:" in said
        assert "ok    time-outs:" in said
        # What pg_dump sets for its session went to nobody else's.
        count = "from files.models import FileRecord\nprint(FileRecord.objects.count())"
        for _ in range(3):
            assert vault.python(count) == ["2"]
        kept = "SELECT count(*) FROM pg_stat_activity WHERE datname = 'postgres'"
        assert int(database.query(kept)[0]) < 30

        # The same site, with the keys and the bucket of the files that are there. It makes an alice
        # of its own, who can sign in.
        vault.python(
            "from accounts.models import User\n"
            "first = User.objects.filter(username='alice')\n"
            "assert first.update(username='first', email='first@example.org') == 1\n"
        )
        same = {
            "MASTER_KEYS": ",".join(vault.master_keys),
            "SECRET_KEY": vault.secret_key,
            "AUDIT_KEY": vault.audit_key,
            "S3_BUCKET": vault.bucket,
        }
        url = pool.url("securestore")
        server = Deployment(tmp_path, weed, DATABASE_URL=url, **behind, **same)
        server.start()
        try:
            client = Client(server.port).sign_in()

            def person(number: int) -> bytes:
                content = f"{number}".encode() * 1000
                made = client.create(len(content), f"of-{number}", data=content)
                return client.download(client.head(made)[1] or "")

            with ThreadPoolExecutor(24) as people:
                for number, content in enumerate(people.map(person, range(48))):
                    assert content == f"{number}".encode() * 1000
            assert '"status": 503' not in server.log
        finally:
            server.kill()


def test_programs_that_need_a_session_are_refused_without_one(tmp_path: Path, weed: Weed) -> None:
    with (
        services.postgres(migrated=True) as database,
        services.pgbouncer(database) as pool,
    ):
        behind = {"DATABASE_POOLER": "pgbouncer"}
        vault = Installation(
            tmp_path / "vault", weed, "no-session", pool.url("securestore"), more=behind
        )
        vault.run("manage.py setup_vault")
        said = vault.run("manage.py backup", code=1)
        assert "set DATABASE_SESSION_URL" in said.stderr
        assert "DATABASE_SESSION_URL" in vault.run("manage.py doctor").stdout
