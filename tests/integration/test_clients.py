"""Downloads by programs that we did not write: they resume, and fetch in pieces at once.

curl, wget and aria2 are Debian's. Each is signed in by the cookie of a session; the bytes that it
leaves on disk are compared with those that went in.
"""

import hashlib
import json
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from benchmarks.site import MeasuredSite
from benchmarks.visitor import Visitor, body_of
from tests.integration.prepared import launched

SIZE = 12 * 2**20 + 12_345
"""No multiple of a frame or of anything that a client would choose."""

CUTS = [1, 262_144, 5_000_001, SIZE - 1]


@dataclass(frozen=True)
class Stored:
    """A file at the site, and what it holds."""

    site: MeasuredSite
    visitor: Visitor
    url: str
    content: bytes

    @property
    def cookie(self) -> str:
        return f"Cookie: {self.visitor.cookie}"

    def same_as(self, path: Path) -> bool:
        """Compared by digest: nobody wants to read the difference of 12 MiB."""
        return _digest(path.read_bytes()) == _digest(self.content)


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stored]:
    with launched(tmp_path_factory.mktemp("site")) as site:
        visitor = Visitor(site.port)
        visitor.sign_in()
        pieces = [next(body_of(SIZE)) for _ in range(SIZE // 2**18 + 1)]
        content = b"".join(pieces)[:SIZE]
        file_id = visitor.upload_form("content.bin", SIZE, [content])
        yield Stored(site, visitor, f"{site.url}/files/{file_id}/download/", content)


def run(*command: str | Path, cwd: Path) -> str:
    """Run a client to its end; what it said."""
    program = shutil.which(str(command[0]))
    assert program, f"{command[0]} is missing: `make integration` installs it"
    done = subprocess.run(
        [program, *map(str, command[1:])],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.parametrize("cut", CUTS)
def test_curl_resumes(stored: Stored, tmp_path: Path, cut: int) -> None:
    out = tmp_path / "out"
    out.write_bytes(stored.content[:cut])
    said = run(
        *("curl", "--silent", "--show-error", "--fail", "--continue-at", "-"),
        *("--header", stored.cookie, "--write-out", "%{http_code} %{size_download}"),
        *("--output", out, stored.url),
        cwd=tmp_path,
    )
    assert said == f"206 {SIZE - cut}"
    assert stored.same_as(out)


@pytest.mark.parametrize("cut", CUTS)
def test_wget_resumes(stored: Stored, tmp_path: Path, cut: int) -> None:
    out = tmp_path / "out"
    out.write_bytes(stored.content[:cut])
    said = run(
        *("wget", "--no-config", "--no-verbose", "--server-response", "--continue"),
        *("--header", stored.cookie, "--output-document", out, stored.url),
        cwd=tmp_path,
    )
    assert "206 Partial Content" in said
    assert f"content-range: bytes {cut}-{SIZE - 1}/{SIZE}" in said.lower()
    assert stored.same_as(out)


def test_wget_leaves_a_whole_file_alone(stored: Stored, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.write_bytes(stored.content)
    said = run(
        *("wget", "--no-config", "--server-response", "--continue"),
        *("--header", stored.cookie, "--output-document", out, stored.url),
        cwd=tmp_path,
    )
    assert "416 " in said
    assert stored.same_as(out)


ARIA2 = (
    *("aria2c", "--no-conf", "--quiet=false", "--log-level=info", "--log=aria2.log"),
    *("--max-connection-per-server=4", "--split=4", "--min-split-size=1M"),
    *("--file-allocation=none", "--allow-overwrite=false", "--out=out"),
)


def ranges_of(log: Path) -> set[str]:
    """The ranges that aria2 asked for."""
    return {line for line in log.read_text().splitlines() if line.startswith("Range: ")}


def ended(stored: Stored, agent: str) -> list[dict[str, Any]]:
    """What the log says of this client's downloads, once none of them is under way."""
    path = f"file:{stored.site.data / 'db.sqlite3'}?mode=ro"
    deadline = time.monotonic() + 30
    while True:
        # The last bytes reach a client before the server has noted that they went out.
        with closing(sqlite3.connect(path, uri=True)) as database:
            [(under_way,)] = database.execute(
                "SELECT count(*) FROM files_downloadsession WHERE NOT settled AND user_agent = ?",
                [agent],
            ).fetchall()
            rows = database.execute(
                "SELECT data FROM audit_auditevent"
                " WHERE event = 'file_downloaded' AND user_agent = ? ORDER BY id",
                [agent],
            ).fetchall()
        if (rows and not under_way) or time.monotonic() > deadline:
            assert not under_way, "a download would be another event later"
            return [json.loads(data) for (data,) in rows]
        time.sleep(0.05)


def test_aria2_fetches_four_pieces_at_once(stored: Stored, tmp_path: Path) -> None:
    # A name of its own: a download that another test left unfinished is not this one.
    agent = "aria2 in four pieces"
    said = (f"--header={stored.cookie}", f"--user-agent={agent}")
    run(*ARIA2, *said, stored.url, cwd=tmp_path)
    [event] = ended(stored, agent)
    assert event["outcome"] == "complete"
    assert stored.same_as(tmp_path / "out")
    assert len(ranges_of(tmp_path / "aria2.log")) >= 3, "it split the file"


def test_aria2_resumes(stored: Stored, tmp_path: Path) -> None:
    (tmp_path / "out").write_bytes(stored.content[:5_000_001])
    run(*ARIA2, "--continue=true", f"--header={stored.cookie}", stored.url, cwd=tmp_path)
    assert stored.same_as(tmp_path / "out")
    assert ranges_of(tmp_path / "aria2.log")


# --- The name that a file gets -------------------------------------------------------------------

NAMES = {
    # The file's own name; the one of a client that knows no `filename*`.
    "report.pdf": "report.pdf",
    "50%20off.txt": "50_20off.txt",
    "Prüfung.txt": "Prufung.txt",
    'say "cheese".txt': "say _cheese_.txt",
    "a; b=c, d.txt": "a; b=c, d.txt",
    "it's.txt": "it's.txt",
    "文件 🩷.txt": "__ _.txt",
    "Straße%2F..%2F.txt": "Strasse_2F.._2F.txt",
}


def named(stored: Stored, name: str) -> None:
    """Give the stored file that name, as no form would have to carry it."""
    with closing(sqlite3.connect(stored.site.data / "db.sqlite3", timeout=30)) as database:
        database.execute("UPDATE files_filerecord SET name = ?", [name])
        database.commit()


@pytest.mark.parametrize(("name", "plain"), list(NAMES.items()))
def test_curl_saves_under_a_name(stored: Stored, tmp_path: Path, name: str, plain: str) -> None:
    named(stored, name)
    run(
        *("curl", "--silent", "--show-error", "--fail", "--remote-name", "--remote-header-name"),
        *("--header", stored.cookie, stored.url),
        cwd=tmp_path,
    )
    [path] = tmp_path.iterdir()
    assert path.name in {name, plain}
    assert stored.same_as(path)


@pytest.mark.parametrize("name", NAMES)
def test_wget_and_aria2_save_under_the_name_itself(
    stored: Stored, tmp_path: Path, name: str
) -> None:
    named(stored, name)
    (tmp_path / "wget").mkdir()
    run(
        *("wget", "--no-config", "--no-verbose", "--content-disposition", "--no-iri"),
        *("--restrict-file-names=nocontrol", "--header", stored.cookie, stored.url),
        cwd=tmp_path / "wget",
    )
    run("aria2c", "--no-conf", "--dir=aria2", f"--header={stored.cookie}", stored.url, cwd=tmp_path)
    [by_wget] = (tmp_path / "wget").iterdir()
    [by_aria2] = (tmp_path / "aria2").iterdir()
    # wget undoes `%20` once more in what it has read from `filename*`.
    assert by_wget.name in {name, name.replace("%20", " ")}
    assert by_aria2.name == name
    assert stored.same_as(by_wget)
    assert stored.same_as(by_aria2)
