"""The API over real connections, with programs that nobody here wrote.

curl runs the lines of docs/api.md as they stand; tuspy uploads with a token; rclone fetches, whole
and in ranges; connections are cut.
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import io
import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tusclient.client import TusClient

from tests.conftest import Weed
from tests.integration.tus import Server

PAGE = Path(__file__).parents[2] / "docs" / "api.md"

EXAMPLES = int(os.environ.get("API_EXAMPLES", "50"))
"""Requests that are made up of each operation, in a long run."""

CHECKS = (
    *("not_a_server_error", "status_code_conformance"),
    *("content_type_conformance", "response_schema_conformance"),
)

_MAKE = """
from datetime import timedelta
from django.utils import timezone
from accounts import tokens
from accounts.models import Token, User
user = User.objects.get(username="alice")
User.objects.filter(pk=user.pk).update(is_staff=True, is_superuser=True)
made = tokens.make(user, name="tests", scopes=list(Token.Scope.values), actor=user,
                   expires_at=timezone.now() + timedelta(days=1))
open({path!r}, "w").write(made.text)
"""


@dataclass(frozen=True)
class Program:
    """A program with a token for everything, and where it asks."""

    server: Server
    token: str

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.port}"

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Any:
        """Status, headers and body of the answer."""
        line = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=60)
        with closing(line):
            line.request(method, f"/api/v1{path}", body, {**self.headers, **headers})
            answer = line.getresponse()
            return answer.status, answer.headers, answer.read()


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory, weed: Weed) -> Iterator[Program]:
    folder = tmp_path_factory.mktemp("api")
    server = Server(folder, weed)
    server.manage("shell", "--no-imports", code=_MAKE.format(path=str(folder / "token")))
    server.start()
    yield Program(server, (folder / "token").read_text())
    server.kill()


def test_the_lines_of_the_page_run_as_they_stand(program: Program, tmp_path: Path) -> None:
    [lines] = re.findall(r"## In short.*?```sh\n(.*?)```", PAGE.read_text(), re.DOTALL)
    (tmp_path / "report.pdf").write_bytes(content := os.urandom(300_000))
    done = subprocess.run(
        ["/bin/sh", "-eux", "-c", lines],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "TOKEN": program.token, "SITE": program.url},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "copy.pdf").read_bytes() == content
    digest = base64.b64encode(hashlib.sha256(content).digest()).decode()
    assert f"sha-256=:{digest}:" in done.stdout


@pytest.mark.parametrize("size", [0, 1, 262_144, 9_000_001])
def test_there_and_back_byte_for_byte(program: Program, size: int) -> None:
    content = os.urandom(size)
    status, _, body = program.ask("PUT", f"/content/{size}.bin", content)
    assert status == 201, body
    status, headers, back = program.ask("GET", f"/content/{size}.bin")
    assert (status, back) == (200, content)
    assert int(headers["Content-Length"]) == size


def test_half_a_body_is_no_file(program: Program) -> None:
    """The connection is cut in the middle, and nothing is left: no file, no folder."""
    path = "/api/v1/content/cut/a.bin?parents=1"
    head = f"PUT {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 600000\r\n"
    head += f"Authorization: Bearer {program.token}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", program.server.port), timeout=60) as line:
        line.sendall(head.encode() + b"x" * 300_000)
        line.shutdown(socket.SHUT_WR)
        answer = line.recv(65536)
    assert not answer or b" 400 " in answer.split(b"\r\n", 1)[0]
    status, _, body = program.ask("GET", "/content/cut/a.bin")
    assert (status, json.loads(body)["code"]) == (404, "not_found")
    _, _, body = program.ask("GET", "/search?q=cut")
    assert json.loads(body)["items"] == []


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("a%FF", "path_not_usable"),
        ("a//b", "path_not_usable"),
        ("../a", "name_not_usable"),
        ("e%CC%81", "name_not_usable"),
    ],
)
def test_paths_arrive_as_they_were_sent(program: Program, path: str, code: str) -> None:
    status, headers, body = program.ask("PUT", f"/content/{path}", b"x")
    assert (status, json.loads(body)["code"]) == (400, code)
    assert headers["Content-Type"] == "application/problem+json"


def test_tuspy_uploads_with_a_token(program: Program) -> None:
    content = os.urandom(3_000_000)
    there = TusClient(f"{program.url}/uploads/", headers=program.headers)
    uploader = there.uploader(
        file_stream=io.BytesIO(content), chunk_size=700_000, metadata={"filename": "tuspy.bin"}
    )
    uploader.upload()
    status, _, back = program.ask("GET", "/content/tuspy.bin")
    assert (status, back) == (200, content)


def rclone(program: Program, folder: Path, *words: str) -> subprocess.CompletedProcess[bytes]:
    """rclone as it is installed with the tests, with no configuration but the token's header."""
    return subprocess.run(
        [Path(sys.executable).with_name("rclone"), "--config", "", *words],
        cwd=folder,
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "RCLONE_HEADER": f"Authorization: Bearer {program.token}",
            "RCLONE_HTTP_URL": f"{program.url}/api/v1/content/Rclone",
            "RCLONE_RETRIES": "1",
        },
        capture_output=True,
        check=False,
        timeout=120,
    )


def given(program: Program, name: str, size: int) -> bytes:
    """A file in the folder that rclone looks at."""
    content = os.urandom(size)
    status, _, body = program.ask("PUT", f"/content/Rclone/{name}?parents=1", content)
    assert status == 201, body
    return content


def test_rclone_copies_an_address(program: Program, tmp_path: Path) -> None:
    content = given(program, "whole.bin", 3_000_001)
    address = f"{program.url}/api/v1/content/Rclone/whole.bin"
    done = rclone(program, tmp_path, "copyurl", address, "copy.bin")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "copy.bin").read_bytes() == content


def test_rclone_fetches_by_several_ranges_at_once(program: Program, tmp_path: Path) -> None:
    """Each of them is a 206 of the same version, and together they are the file."""
    content = given(program, "many.bin", 12 * 2**20 + 12_345)
    done = rclone(
        program,
        tmp_path,
        *("copyto", ":http:many.bin", "copy.bin", "--dump", "headers", "-vv"),
        *("--multi-thread-cutoff", "1M", "--multi-thread-chunk-size", "2M"),
        *("--multi-thread-streams", "4"),
    )
    told = done.stderr.decode()
    assert done.returncode == 0, told
    assert (tmp_path / "copy.bin").read_bytes() == content
    asked = set(re.findall(r"^Range: bytes=(\d+-\d+)", told, re.MULTILINE))
    assert len(asked) == 7
    assert told.count("206 Partial Content") == 7
    assert len(set(re.findall(r"^Etag: (.+)$", told, re.MULTILINE))) == 1


@pytest.mark.parametrize(("offset", "count"), [(0, 1), (262_143, 2), (1_000_000, -1)])
def test_rclone_reads_a_part(program: Program, tmp_path: Path, offset: int, count: int) -> None:
    content = given(program, f"part-{offset}.bin", 1_200_000)
    words = ("--offset", str(offset), "--count", str(count))
    done = rclone(program, tmp_path, "cat", f":http:part-{offset}.bin", *words)
    assert done.returncode == 0, done.stderr
    assert done.stdout == content[offset : offset + count if count > 0 else None]


def test_rclone_leaves_nothing_of_what_it_may_not_have(program: Program, tmp_path: Path) -> None:
    given(program, "refused.bin", 1000)
    refused = Program(program.server, "ssv_" + "0" * 36)
    address = f"{program.url}/api/v1/content/Rclone/refused.bin"
    done = rclone(refused, tmp_path, "copyurl", address, "copy.bin")
    assert done.returncode != 0
    assert b"401" in done.stderr
    assert not (tmp_path / "copy.bin").exists()


# --- What nobody thought of ---------------------------------------------------------------------


def real(program: Program) -> str:
    """A configuration with ids of what there is, so that operations get as far as their work."""
    _, _, body = program.ask("PUT", "/content/There/a.txt?parents=1", b"1")
    program.ask("PUT", "/content/There/a.txt", b"2")
    file = json.loads(body)["file"]
    _, _, body = program.ask("GET", f"/files/{file['id']}/versions")
    version = json.loads(body)["versions"][0]["version"]
    _, _, body = program.ask("PUT", "/content/Going/b.txt?parents=1", b"1")
    going = json.loads(body)["file"]
    return f"""
        [parameters]
        "path.file_id" = "{file["id"]}"
        "path.folder_id" = "{file["folder_id"]}"
        "path.version" = "{version}"
        [[operations]]
        include-name = "DELETE /api/v1/files/{{file_id}}"
        parameters = {{ "path.file_id" = "{going["id"]}" }}
        [[operations]]
        include-name = "DELETE /api/v1/folders/{{folder_id}}"
        parameters = {{ "path.folder_id" = "{going["folder_id"]}" }}
    """


def schemathesis(program: Program, folder: Path, config: str, examples: int) -> str:
    """No 500, and no answer that the schema does not have: the same requests in every run."""
    (folder / "schemathesis.toml").write_text(config)
    done = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "--config-file", "schemathesis.toml"),
            *("run", f"{program.url}/api/v1/openapi.json"),
            *("--url", program.url, "--header", f"Authorization: Bearer {program.token}"),
            *("--checks", ",".join(CHECKS)),
            # It would end the token of all that come after it.
            *("--exclude-path", "/api/v1/me/token"),
            *("--phases", "examples,coverage,fuzzing", "--seed", "20261130"),
            *("--max-examples", str(examples), "--generation-database", "none", "--no-color"),
            # Deadlines are the machine's.
            *("--request-timeout", "60", "--suppress-health-check", "all"),
            "--continue-on-failure",
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    [figures] = re.findall(r"^ *([0-9]+ generated.*)$", done.stdout, re.MULTILINE)
    return str(figures)


def test_schemathesis_finds_nothing(
    program: Program, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """A few requests of each operation, at a file and a folder that there are."""
    record_property("schemathesis", schemathesis(program, tmp_path, real(program), 3))


@pytest.mark.soak
@pytest.mark.parametrize("there", [False, True])
def test_schemathesis_finds_nothing_in_long(
    program: Program, tmp_path: Path, there: bool, record_property: Callable[[str, object], None]
) -> None:
    config = real(program) if there else ""
    record_property("schemathesis", schemathesis(program, tmp_path, config, EXAMPLES))
