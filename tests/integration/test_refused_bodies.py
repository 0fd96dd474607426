"""A body that nobody wants, however long: its sender is told why, through the proxy and without."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from launcher.ports import LOOPBACK
from tests.conftest import Weed
from tests.integration.deployment import HOST, Deployment, people
from tests.integration.test_api_proxy import TOKEN

SIZE = 24_000_000
"""Bytes of a body: more than the kernel, the proxy and the web server hold on the way."""


@dataclass(frozen=True)
class Refusing:
    site: Deployment
    folder: Path
    token: str

    def curl(self, *words: str, path: str, direct: bool) -> tuple[int, str]:
        """The status, and what was said."""
        if direct:
            where = f"http://{LOOPBACK}:{self.site.servers[0].transfers.port}"
            to: tuple[str, ...] = ("-H", f"Host: {HOST}", "-H", "X-Forwarded-Proto: https")
        else:
            where = f"https://{LOOPBACK}:{self.site.port}"
            to = ("--cacert", str(self.site.folder / "certificate.pem"))
        done = subprocess.run(
            [
                *("curl", "-sS", "-H", "Expect:", "-w", "\n%{http_code}"),
                *to,
                *words,
                f"{where}{path}",
            ],
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        said, _, status = done.stdout.rpartition("\n")
        assert done.returncode == 0, (done.stderr, status, said[:500])
        return int(status), said


@pytest.fixture(scope="module")
def refusing(tmp_path_factory: pytest.TempPathFactory, weed: Weed) -> Iterator[Refusing]:
    folder = tmp_path_factory.mktemp("refusing")
    site = Deployment(folder, weed, servers=1, ALLOWED_HOSTS=f"{HOST},{LOOPBACK}")
    (folder / "here").mkdir()
    (folder / "here" / "body").write_bytes(os.urandom(SIZE))
    with site.running():
        people(site.installation, 0)
        token, _ = site.installation.python(TOKEN, "", "192.0.2.0/24")
        yield Refusing(site, folder / "here", token)


PUT = ("-X", "PUT", "--data-binary", "@body")
PATCH = (
    *("-X", "PATCH", "--data-binary", "@body", "-H", "Tus-Resumable: 1.0.0"),
    *("-H", "Content-Type: application/offset+octet-stream", "-H", "Upload-Offset: 0"),
)
NOBODY = "00000000-0000-4000-8000-000000000000"
DOORS = {
    "who is not known": (401, "token_missing", "/api/v1/content/a", PUT, ""),
    "a packed body": (
        415,
        "unsupported_media_type",
        "/api/v1/content/a",
        (*PUT, "-H", "Content-Encoding: gzip"),
        "token",
    ),
    "a missing folder": (409, "folder_missing", "/api/v1/content/missing/a", PUT, "token"),
    "an upload that is not there": (404, "", f"/uploads/{NOBODY}/", PATCH, "token"),
    "a form of who is not signed in": (302, "", "/files/upload/", ("-F", "file=@body"), ""),
    "a form that is too long": (413, "", "/accounts/login/", ("-F", "file=@body"), ""),
    "an address that is not there": (413, "", "/nowhere/", PUT, ""),
    "a method that is not taken": (413, "", "/api/v1/me", PUT, "token"),
    "a link that is not there": (404, "", f"/r/{'x' * 30}/send/", ("-F", "file=@body"), ""),
}


@pytest.mark.parametrize("direct", [False, True], ids=["proxy", "direct"])
@pytest.mark.parametrize("door", DOORS)
def test_it_is_told_why(refusing: Refusing, door: str, direct: bool) -> None:
    status, words, path, body, token = DOORS[door]
    who = ("-H", f"Authorization: Bearer {refusing.token}") if token else ()
    for _ in range(4):
        told = refusing.curl(*body, *who, path=path, direct=direct)
        assert told[0] == status, told
        assert words in told[1]
