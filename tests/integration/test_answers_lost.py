"""`securestore`, whose answers are lost when the site has done the work: it is done once."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from client.securestore_client.api import Api
from client.securestore_client.places import parse
from client.securestore_client.transport import Server
from tests.integration.commanding import Command, Ended
from tests.integration.losing import GAVE_UP, LosingProxy
from tests.integration.prepared import launched

MIB = 2**20
LARGE = 9 * MIB + 12_345


@dataclass
class Place:
    """The site, a command that reaches it, and the same behind a network that loses answers."""

    command: Command
    behind: Command
    network: LosingProxy
    api: Api
    """What looks at the site: this process."""
    seen: int = field(default=0)
    """The number of the last event that was looked at."""

    def file(self, name: str, size: int, seed: int = 0) -> bytes:
        """A file here, of bytes that no other one has."""
        content = random.Random(f"{name}{seed}").randbytes(size)  # noqa: S311 - content
        path = self.command.here / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return content

    def ok(self, *words: str | Path) -> list[dict[str, Any]]:
        """Run it on a sound network; what it tells of each thing."""
        done = self.command.run(*words, "--json")
        assert done.code == 0, done.err
        told: list[dict[str, Any]] = json.loads(done.out)["items"]
        return told

    def lost(
        self,
        wanted: str,
        *words: str | Path,
        times: int = 1,
        says: bytes = b"",
        stdin: Path | None = None,
    ) -> Ended:
        """Run it where the answers to those requests are lost."""
        self.events()
        self.network.lose(wanted, times, says=says)
        done = self.behind.run(*words, stdin=stdin)
        assert len(self.network.lost) == times, (self.network.lost, done.err)
        return done

    def events(self) -> list[str]:
        """What the log has of changes since it was looked at last."""
        found = list(self.api.audit(self.seen))
        self.seen = found[-1]["id"] if found else self.seen
        return [one["event"] for one in found if one["event"] in CHANGES]

    def versions(self, path: str) -> int:
        """How many a file has had before the current one."""
        return len(self.api.versions(self.api.entry(parse(path))))


CHANGES = {
    *("file_uploaded", "version_added", "version_restored", "folder_created", "renamed", "moved"),
    *("put_away", "restored", "grant_created", "grant_changed", "grant_revoked"),
    *("link_created", "link_revoked", "request_created", "request_ended"),
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("lost")
    (folder / "site").mkdir()
    with launched(folder / "site") as site, LosingProxy(site.port) as network:
        command = Command(site, folder)
        with closing(Server(site.url, command.token)) as server:
            behind = Command(site, folder, port=network.port)
            yield Place(command, behind, network, Api(server))


# --- Bytes --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "says"),
    [(0, b""), (1000, b""), (MIB, GAVE_UP), (LARGE, b""), (LARGE, GAVE_UP)],
    ids=["empty", "cut", "gave-up", "large-cut", "large-gave-up"],
)
def test_a_version_is_one(place: Place, size: int, says: bytes) -> None:
    """In one request, and in parts: the last one of these makes it a file."""
    name = f"v-{size}-{len(says)}.bin"
    place.file(name, size + 1)
    place.ok("put", name)
    place.file(name, size, seed=1)
    lost, times = ("^PATCH", 1) if size == LARGE else ("^PUT", 2)
    done = place.lost(lost, "put", name, times=times, says=says)
    assert done.code == 0, done.err
    assert place.events() == ["version_added"]
    assert place.versions(name) == 1


def test_what_is_new_and_must_be(place: Place) -> None:
    """The condition does not hold any more of what the request itself has stored."""
    place.file("new.bin", 1000)
    done = place.lost("^PUT", "put", "new.bin", "--conflict", "refuse")
    assert done.code == 0, done.err
    assert place.events() == ["file_uploaded"]


@pytest.mark.parametrize(
    ("size", "lost"), [(0, "^POST /uploads/"), (0, "^PATCH"), (1000, "^PATCH")]
)
def test_a_name_with_a_number_is_one(place: Place, size: int, lost: str) -> None:
    name = f"n-{size}-{lost[1:5].lower()}.bin"
    place.file(name, 10)
    place.ok("put", name)
    place.file(name, size, seed=1)
    done = place.lost(lost, "put", name, "--conflict", "rename")
    assert done.code == 0, done.err
    assert place.events() == ["file_uploaded"]


@pytest.mark.parametrize("size", [10, LARGE])
def test_standard_input_is_one_file(place: Place, size: int) -> None:
    place.file("stream", size)
    lost = "^PATCH" if size == LARGE else "^PUT"
    words = ("put", "-", "--name", f"s-{size}.bin")
    done = place.lost(lost, *words, stdin=place.command.here / "stream")
    assert done.code == 0, done.err
    assert place.events() == ["file_uploaded"]


@pytest.mark.parametrize("way", [("put", "many", "--to", "Many"), ("sync", "many", "ssv:Synced")])
def test_a_folder_of_small_files_is_stored_once(place: Place, way: tuple[str, ...]) -> None:
    for number in range(6):
        place.file(f"many/{number}.bin", 100)
    lost = "^POST .*/files " if way[0] == "put" else "^PUT"
    done = place.lost(lost, *way)
    assert done.code == 0, done.err
    events = place.events()
    assert events.count("file_uploaded") == 6
    assert "version_added" not in events


# --- Across two runs ----------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1000, LARGE])
@pytest.mark.parametrize("conflict", ["version", "rename"])
def test_a_command_that_gave_up_is_given_again(
    place: Place, size: int, conflict: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It had stored all of it and heard nothing: what it noted, or what is there, tells."""
    name = f"two-{size}-{conflict}.bin"
    place.file(name, 20)
    place.ok("put", name)
    place.file(name, size, seed=1)
    in_one = size == 1000 and conflict == "version"
    monkeypatch.setitem(place.behind.env, "SECURESTORE_PATIENCE", "0")
    words = ("put", name, "--conflict", conflict)
    done = place.lost("^PUT" if in_one else "^PATCH", *words)
    assert done.code == 8, done.err
    # By the same address: what was noted is of one site.
    again = place.behind.run(*words, "--json")
    assert again.code == 0, again.err
    [told] = json.loads(again.out)["items"]
    assert place.events() == ["version_added" if conflict == "version" else "file_uploaded"]
    number = f"two-{size}-{conflict} (2).bin"
    assert told["path"] == (name if conflict == "version" else number)
    assert place.versions(name) == (1 if conflict == "version" else 0)


# --- Names, places, the trash -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lost", "line", "events"),
    [
        ("/paths ", "mkdir #/M/a/b", ["folder_created"] * 3),
        ("^PATCH", "mv #/D/f.bin #/D/g.bin", ["renamed"]),
        ("^PATCH", "mv #/D/In #/D/Inner", ["renamed"]),
        ("/move ", "mv #/D/f.bin #/E", ["moved"]),
        ("/move ", "mv #/D/In #/E", ["moved"]),
        ("^DELETE", "rm #/D/f.bin", ["put_away"]),
        ("^DELETE", "rm -r #/D", ["put_away"]),
        ("/restore ", "restore id:@#/D/f.bin", ["restored"]),
        ("/restore ", "restore id:@#/D", ["restored"]),
        ("/grants ", "share #/D group:Members", ["grant_created"]),
        ("^DELETE", "unshare #/E Members", ["grant_revoked"]),
    ],
)
def test_each_is_done_once_and_told(
    place: Place, lost: str, line: str, events: list[str], request: pytest.FixtureRequest
) -> None:
    """`#` is a folder of its own; `@` the id of something that is in the trash before."""
    own = f"own-{request.node.callspec.id.encode().hex()[-40:]}"
    place.file(f"{own}/D/f.bin", 50)
    for name in ("D/In", "E"):
        (place.command.here / own / name).mkdir()
    place.ok("put", own)
    place.ok("share", f"{own}/E", "group:Members")
    line, at, gone = line.replace("#", own).partition("@")
    if at:
        line += place.ok("rm", "-r", gone)[0]["id"]
    done = place.lost(lost, *line.split(), says=GAVE_UP if line.startswith("rm") else b"")
    assert done.code == 0, done.err
    assert place.events() == events


def test_a_former_version_is_current_once(place: Place) -> None:
    place.file("old.bin", 10)
    place.ok("put", "old.bin")
    place.file("old.bin", 20, seed=1)
    place.ok("put", "old.bin")
    [former] = place.ok("versions", "old.bin")
    done = place.lost("/restore ", "versions", "old.bin", "--restore", former["version"])
    assert done.code == 0, done.err
    assert place.events() == ["version_restored"]
    assert place.versions("old.bin") == 1


def test_a_sync_that_deletes_deletes_once(place: Place) -> None:
    place.file("gone/a.bin", 10)
    place.file("gone/b.bin", 10)
    place.ok("sync", "gone", "ssv:Gone")
    (place.command.here / "gone/b.bin").unlink()
    done = place.lost("^DELETE", "sync", "gone", "ssv:Gone", "--delete", "--yes")
    assert done.code == 0, done.err
    assert place.events() == ["put_away"]


# --- People outside -----------------------------------------------------------------------------


def test_a_link_that_was_not_told_is_ended(place: Place) -> None:
    place.ok("mkdir", "Linked")
    done = place.lost("/links ", "link", "Linked", "--json")
    assert done.code == 0, done.err
    [made] = json.loads(done.out)["items"]
    assert made["url"]
    assert place.events() == ["link_created", "link_revoked", "link_created"]
    live = [one["id"] for one in place.ok("links", "Linked") if one["status"] == "live"]
    assert live == [made["id"]]
    done = place.lost("^DELETE", "unlink", str(made["id"]))
    assert done.code == 0, done.err
    assert place.events() == ["link_revoked"]


def test_a_request_that_was_not_told_is_ended(place: Place) -> None:
    place.ok("mkdir", "Wanted")
    done = place.lost("/requests ", "request", "Wanted", "--title", "Papers", "--json")
    assert done.code == 0, done.err
    [made] = json.loads(done.out)["items"]
    assert made["address"]
    assert place.events() == ["request_created", "request_ended", "request_created"]
    live = [one["id"] for one in place.ok("requests", "Wanted") if not one["ended_at"]]
    assert live == [made["id"]]
    done = place.lost("^DELETE", "requests", "--end", str(made["id"]))
    assert done.code == 0, done.err
    assert place.events() == ["request_ended"]
