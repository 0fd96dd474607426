"""The API and the command through the shipped proxy, over TLS: what arrives is what was sent.

nginx undoes escapes, resolves dots and could merge slashes: none of it may change a path's meaning.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tusclient.client import TusClient

from client import build
from launcher.ports import LOOPBACK
from tests.conftest import Weed
from tests.integration.deployment import Deployment, people

TOKEN = """
import sys
from datetime import timedelta
from django.utils import timezone
from accounts import tokens
from accounts.models import User
user = User.objects.get(username="visitor")
until = timezone.now() + timedelta(days=1)
for networks in sys.argv[1:]:
    print(tokens.make(user, name="tests", scopes=["read", "add", "manage"], actor=user,
                      expires_at=until, networks=networks).text)
"""
PROBLEM = "application/problem+json"


@dataclass(frozen=True)
class Proxied:
    """A program with a token, and the site's address as it knows it."""

    site: Deployment
    folder: Path
    token: str
    from_here: str
    from_elsewhere: str

    @property
    def url(self) -> str:
        return f"https://{LOOPBACK}:{self.site.port}"

    @property
    def certificate(self) -> str:
        return str(self.site.folder / "certificate.pem")

    def curl(self, *words: str, path: str, token: str = "", body: bytes = b"") -> tuple[int, str]:
        """One request by curl, which sends a path as it stands: the status, and what was said."""
        done = subprocess.run(
            [
                *("curl", "-sS", "--path-as-is", "--cacert", self.certificate, "-K", "-"),
                # From an address that is not the proxy's own, which the site trusts.
                *("--interface", "127.0.0.2"),
                *(("--data-binary", "@body") if body else ()),
                *("-w", "\n%{http_code} %{content_type}", *words, f"{self.url}{path}"),
            ],
            cwd=self._with(body),
            input=f'header = "Authorization: Bearer {token or self.token}"\n',
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        said, _, told = done.stdout.rpartition("\n")
        status, kind = told.split(" ", 1)
        if int(status) >= 400 and said:
            assert kind == PROBLEM, (status, kind, said)
        return int(status), said

    def _with(self, body: bytes) -> Path:
        (self.folder / "body").write_bytes(body)
        return self.folder


@pytest.fixture(scope="module")
def proxied(tmp_path_factory: pytest.TempPathFactory, weed: Weed) -> Iterator[Proxied]:
    folder = tmp_path_factory.mktemp("proxied")
    (folder / "here").mkdir()
    site = Deployment(folder, weed, servers=1, ALLOWED_HOSTS=f"files.example.org,{LOOPBACK}")
    with site.running():
        people(site.installation, 0)
        texts = site.installation.python(TOKEN, "", "127.0.0.0/8", "192.0.2.0/24")
        yield Proxied(site, folder / "here", *texts)


def test_a_file_there_and_back_its_ranges_and_its_head(proxied: Proxied) -> None:
    content = os.urandom(9_000_001)
    put = ("-X", "PUT", "-H", "Expect:")
    path = "/api/v1/content/Pr%C3%BCfung/%F0%9F%A9%B7%2050%25.bin"
    status, said = proxied.curl(*put, path=f"{path}?parents=1", body=content)
    assert status == 201, said
    file = json.loads(said)["file"]
    for address in (path, f"/api/v1/files/{file['id']}/content"):
        assert proxied.curl("-o", "back", path=address)[0] == 200
        assert (proxied.folder / "back").read_bytes() == content
        assert proxied.curl("-o", "back", "-r", "8388600-8388700", path=address)[0] == 206
        assert (proxied.folder / "back").read_bytes() == content[8388600:8388701]
        far = f"Range: bytes={'9' * 23}-"
        assert proxied.curl("-H", far, path=address)[0] == 416
        status, head = proxied.curl("-I", path=address)
        digest = base64.b64encode(hashlib.sha256(content).digest()).decode()
        assert (status, f"sha-256=:{digest}:" in head) == (200, True)
        assert proxied.curl("-H", f"If-None-Match: {file['etag']}", path=address)[0] == 304
    held = proxied.curl(*put, path="/api/v1/content/held?custody=held", body=b"secret")[1]
    key = f"Securestore-Key: {json.loads(held)['key']}"
    assert proxied.curl("-H", key, path="/api/v1/content/held") == (200, "secret")
    logs = "".join(log.read_text() for log in proxied.site.folder.glob("*.log"))
    assert json.loads(held)["key"] not in logs
    assert proxied.token not in logs


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("content/a%2Fb", "path_not_usable"),
        ("content/a%2fb?parents=1", "path_not_usable"),
        ("content%2Fa", "path_not_usable"),
        ("content//a", "path_not_usable"),
        ("content/a//b?parents=1", "path_not_usable"),
        ("content/a/", "path_not_usable"),
        ("content/a%FF", "path_not_usable"),
        ("content/x/../b", "name_not_usable"),
        ("content/./b", "name_not_usable"),
        ("content/%2e%2e/b", "name_not_usable"),
        ("content/e%CC%81", "name_not_usable"),
        ("content/a%0A", "name_not_usable"),
        ("content/missing/b", "folder_missing"),
    ],
)
def test_a_path_means_what_was_written(proxied: Proxied, path: str, code: str) -> None:
    status, said = proxied.curl("-X", "PUT", path=f"/api/v1/{path}", body=b"x")
    assert (status, json.loads(said)["code"]) == (409 if code == "folder_missing" else 400, code)
    if code != "folder_missing":
        assert proxied.curl(path=f"/api/v1/{path}")[0] == 400


def test_what_changes_the_meaning_of_a_body_is_refused(proxied: Proxied) -> None:
    for header, status in {
        # One that is here already as a whole, nginx passes on with its length.
        "Transfer-Encoding: chunked": 411,
        "Content-Encoding: gzip": 415,
        "Content-Range: bytes 0-0/9": 400,
        "Upload-Concat: partial": 501,
    }.items():
        put = ("-X", "PUT", "-H", "Expect:", "-H", header)
        told = proxied.curl(*put, path="/api/v1/content/odd", body=b"x" * 3_000_000)
        assert told[0] == status, header
    assert proxied.curl(path="/api/v1/content/odd")[0] == 404


def test_a_network_is_that_of_the_client_and_not_what_it_says(proxied: Proxied) -> None:
    me = "/api/v1/me"
    assert proxied.curl(path=me, token=proxied.from_here)[0] == 200
    said = ("-H", "X-Forwarded-For: 192.0.2.7", "-H", "Forwarded: for=192.0.2.7")
    assert proxied.curl(path=me, token=proxied.from_elsewhere)[0] == 401
    assert proxied.curl(*said, path=me, token=proxied.from_elsewhere)[0] == 401


def test_tuspy_uploads_through_it(proxied: Proxied, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", proxied.certificate)
    content = os.urandom(3_000_000)
    there = TusClient(f"{proxied.url}/uploads/", {"Authorization": f"Bearer {proxied.token}"})
    there.uploader(
        file_stream=io.BytesIO(content), chunk_size=700_000, metadata={"filename": "tuspy.bin"}
    ).upload()
    assert proxied.curl("-o", "back", path="/api/v1/content/tuspy.bin")[0] == 200
    assert (proxied.folder / "back").read_bytes() == content


def test_the_command_goes_through_it(proxied: Proxied) -> None:
    build.build(proxied.folder / "program")
    (proxied.folder / "token").write_text(proxied.token)
    content = os.urandom(20_000_000)
    (proxied.folder / "large.bin").write_bytes(content)

    def run(*words: str, **more: str) -> Any:
        return subprocess.run(
            [sys.executable, str(proxied.folder / "program" / build.ONE_FILE), *words],
            cwd=proxied.folder,
            env={
                **{"PATH": os.environ["PATH"], "HOME": str(proxied.folder)},
                **{"SECURESTORE_KEYRING": "off", "SECURESTORE_SERVER": proxied.url},
                **{"SECURESTORE_TOKEN_FILE": "token", "SSL_CERT_FILE": proxied.certificate},
                **more,
            },
            capture_output=True,
            check=False,
            timeout=300,
        )

    for words in (("put", "large.bin"), ("get", "large.bin", "--output", "again.bin")):
        done = run(*words)
        assert done.returncode == 0, done.stderr
    assert (proxied.folder / "again.bin").read_bytes() == content
    # Without the certificate there is no connection at all, nothing is sent, and no wait mends it.
    refused = run("ls", SSL_CERT_FILE="/dev/null")
    assert refused.returncode == 8
    assert b"certificate that cannot be trusted" in refused.stderr
