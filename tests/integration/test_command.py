"""`securestore` against the site as users run it, cut and killed; every byte is compared."""

from __future__ import annotations

import json
import random
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from benchmarks.site import MeasuredSite
from tests.integration.commanding import Command
from tests.integration.cutting import CuttingProxy
from tests.integration.prepared import launched

MIB = 2**20
LARGE = 24 * MIB + 12_345
MEMORY = 64 * MIB


@dataclass(frozen=True)
class Place:
    site: MeasuredSite
    command: Command
    folder: Path

    @property
    def here(self) -> Path:
        return self.command.here

    def file(self, name: str, size: int, seed: int = 0) -> bytes:
        """A file here, of bytes that no other one has."""
        content = random.Random(f"{name}{seed}").randbytes(size)  # noqa: S311 - content
        path = self.here / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return content

    def there(self, path: str) -> bytes:
        """What the site has, as another program gets it."""
        done = subprocess.run(
            [
                *("curl", "--silent", "--fail", "--header"),
                f"Authorization: Bearer {self.command.token}",
                f"{self.site.url}/api/v1/content/{path}",
            ],
            capture_output=True,
            check=True,
        )
        return done.stdout

    def ok(self, *words: str | Path, stdin: Path | None = None) -> bytes:
        done = self.command.run(*words, stdin=stdin)
        assert done.code == 0, done.err
        assert done.peak <= MEMORY, done.peak
        return done.out


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("command")
    (folder / "site").mkdir()
    with launched(folder / "site") as site:
        yield Place(site, Command(site, folder), folder)


@pytest.mark.parametrize("size", [0, 1, 262_144, 5 * MIB, LARGE])
def test_there_and_back(place: Place, size: int) -> None:
    content = place.file(f"back/{size}.bin", size)
    place.ok("put", f"back/{size}.bin", "--to", "Back")
    assert place.there(f"Back/{size}.bin") == content
    place.ok("get", f"Back/{size}.bin", "--to", "back", "--output", f"back/again-{size}")
    assert (place.here / f"back/again-{size}").read_bytes() == content
    assert place.ok("cat", f"Back/{size}.bin") == content


def test_standard_input(place: Place) -> None:
    content = place.file("stream", LARGE)
    place.ok("put", "-", "--name", "s.bin", "--to", "Back", stdin=place.here / "stream")
    assert place.there("Back/s.bin") == content


def test_the_same_name_is_a_version_and_the_same_bytes_are_none(place: Place) -> None:
    place.file("v.txt", 100)
    place.ok("put", "v.txt")
    again = json.loads(place.ok("put", "v.txt", "--json"))
    assert again["items"][0]["outcome"] == "unchanged"
    content = place.file("v.txt", 100, seed=1)
    assert json.loads(place.ok("put", "v.txt", "--json"))["items"][0]["outcome"] == "stored"
    assert place.there("v.txt") == content
    [former] = json.loads(place.ok("versions", "v.txt", "--json"))["items"]
    place.ok("versions", "v.txt", "--restore", former["version"])
    assert place.there("v.txt") != content
    place.file("v.txt", 100, seed=2)
    assert place.command.run("put", "v.txt", "--conflict", "refuse").code == 6
    told = json.loads(place.ok("put", "v.txt", "--conflict", "rename", "--json"))
    assert told["items"][0]["path"] == "v (2).txt"


def test_looking_and_changing(place: Place) -> None:
    for name in ("a", "b"):
        place.file(f"tree/{name}.txt", 10)
    place.ok("put", "tree", "--to", "Look")
    assert "a.txt" in place.ok("ls", "Look/tree").decode()
    assert "b.txt" in place.ok("find", "b.txt").decode()
    tree = json.loads(place.ok("tree", "Look", "--json"))["items"]
    assert [one["path"] for one in tree] == [
        *("Look/tree", "Look/tree/a.txt", "Look/tree/b.txt"),
    ]
    place.ok("mv", "Look/tree/a.txt", "Look/c.txt")
    place.ok("mv", "Look/c.txt", "Look/tree")
    place.ok("mkdir", "Look/empty/inner")
    place.ok("rm", "Look/tree/c.txt")
    assert place.command.run("cat", "Look/tree/c.txt").code == 5
    place.ok("restore", "c.txt")
    assert len(place.ok("cat", "Look/tree/c.txt")) == 10
    place.ok("rm", "--recursive", "Look/empty")
    assert json.loads(place.ok("who", "Look", "--json"))["items"][0]["owner"] == "root"
    read = json.loads(place.ok("who", "Look", "--read", "--json"))["items"]
    assert [one["username"] for one in read] == ["root"]
    assert b"root" in place.ok("who", "Look/tree/b.txt", "--read")
    assert json.loads(place.ok("history", "Look/tree/b.txt", "--json"))["items"]
    assert json.loads(place.ok("audit", "--json"))["items"][0]["id"] == 1
    assert json.loads(place.ok("whoami", "--json"))["username"] == "root"


def test_links_across_the_account(place: Place) -> None:
    place.ok("mkdir", "Outside/a", "Outside/b")
    made = [json.loads(place.ok("link", f"Outside/{n}", "--json"))["items"][0]["id"] for n in "ab"]
    listed = json.loads(place.ok("links", "--json"))["items"]
    assert [one["id"] for one in listed] == made[::-1]
    place.ok("unlink", *map(str, made))
    states = {one["status"] for one in json.loads(place.ok("links", "--json"))["items"]}
    assert states == {"revoked"}
    asked = json.loads(place.ok("request", "Outside/a", "--title", "Papers", "--json"))["items"][0]
    assert [one["id"] for one in json.loads(place.ok("requests", "--json"))["items"]] == [
        asked["id"]
    ]
    place.ok("requests", "--end", str(asked["id"]))
    assert json.loads(place.ok("requests", "--json"))["items"][0]["ended_at"] is not None


def test_sync_makes_both_sides_alike(place: Place) -> None:
    for number in range(30):
        place.file(f"sync/{number % 3}/{number}.bin", 1000 + number)
    place.ok("sync", "sync", "ssv:Sync")
    place.ok("sync", "ssv:Sync", "copy")
    assert same(place.here / "sync", place.here / "copy")
    assert json.loads(place.ok("sync", "sync", "ssv:Sync", "--json"))["items"] == []
    (place.here / "sync/0/0.bin").unlink()
    place.ok("sync", "sync", "ssv:Sync", "--delete", "--yes")
    place.ok("sync", "ssv:Sync", "copy", "--delete", "--yes")
    assert same(place.here / "sync", place.here / "copy")


def test_what_is_refused(place: Place) -> None:
    assert place.command.run("cat", "Nothing/at/all").code == 5
    assert place.command.run("get", "none").code == 5
    place.file("x.txt", 5)
    place.ok("mkdir", "Taken")
    place.file("Taken", 5)
    assert place.command.run("put", "Taken").code == 6
    place.command.env["SECURESTORE_TOKEN_FILE"], kept = (
        str(place.here / "x.txt"),
        place.command.env["SECURESTORE_TOKEN_FILE"],
    )
    try:
        assert place.command.run("ls").code == 3
        (place.here / "x.txt").write_text("ssv_" + "0" * 36)
        refused = place.command.run("ls", "--json")
        assert refused.code == 3
        assert json.loads(refused.out)["error"]["code"] == "token_invalid"
    finally:
        place.command.env["SECURESTORE_TOKEN_FILE"] = kept


def same(one: Path, other: Path) -> bool:
    """Whether two folders have the same files with the same bytes, and nothing half beside."""

    def content(folder: Path) -> dict[str, bytes]:
        found = (path for path in folder.rglob("*") if path.is_file())
        return {str(path.relative_to(folder)): path.read_bytes() for path in found}

    return content(one) == content(other)


# --- Cut and killed -----------------------------------------------------------------------------


def cut_and_killed(place: Place, times: int, seed: int) -> None:
    """`put`, `get` and `sync` in turn, each cut or killed by chance, then given again."""
    chance = random.Random(seed)  # noqa: S311 - where it breaks
    network = CuttingProxy(place.site.port, chance, cuts=0, least=5_000, most=40 * MIB, both=True)
    with network:
        command = Command(place.site, place.folder, port=network.port)
        for number in range(times):
            kind = ("put", "get", "sync")[number % 3]
            size = int(1000 * (LARGE / 1000) ** chance.random())
            name = f"cut/{seed}-{number}"
            content = place.file(f"{name}/f.bin", size)
            words: tuple[str, ...] = ("put", f"{name}/f.bin", "--to", f"Cut/{seed}-{number}")
            if kind != "put":
                place.ok(*words)
                place.file(f"{name}/g.bin", 5000)
            if kind == "get":
                words = ("get", f"Cut/{seed}-{number}/f.bin", "--output", f"{name}/got")
            elif kind == "sync":
                words = ("sync", name, f"ssv:Cut/{seed}-{number}")
            network.allow(chance.randrange(1, 4))
            for _ in range(chance.randrange(3)):
                command.killed(*words, after=chance.uniform(0.1, 1.5))
                if kind == "get" and (place.here / name / "got").exists():
                    assert (place.here / name / "got").read_bytes() == content
                    (place.here / name / "got").unlink()
            done = command.run(*words)
            assert done.code == 0, (number, words, done.err)
            assert done.peak <= MEMORY
            if kind == "get":
                assert (place.here / name / "got").read_bytes() == content
            assert place.there(f"Cut/{seed}-{number}/f.bin") == content
            if kind == "sync":
                small = (place.here / name / "g.bin").read_bytes()
                assert place.there(f"Cut/{seed}-{number}/g.bin") == small
            left = [path.name for path in (place.here / name).iterdir()]
            assert not [found for found in left if found.startswith(".")], "nothing half is left"


def test_cut_and_killed(place: Place) -> None:
    cut_and_killed(place, 9, seed=15)


@pytest.mark.soak
def test_two_hundred_cuts_and_kills(place: Place) -> None:
    cut_and_killed(place, 200, seed=200)
