"""Uploads: what is there afterwards is what was here, whatever happened on the way."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path

import pytest

from client.securestore_client import putting
from client.securestore_client.api import Api, Entry
from client.securestore_client.errors import CONFLICT, ClientError
from client.securestore_client.left import Left, state_folder
from client.securestore_client.places import Place
from tests.client.conftest import MIB, Run
from tests.client.small_site import SmallSite

LARGE = 3 * MIB + 12_345


def content(size: int, seed: int = 0) -> bytes:
    return random.Random(seed).randbytes(size)  # noqa: S311 - content


@pytest.mark.parametrize("size", [0, 1, 4096, 262_144, 262_145, 900_000])
def test_a_small_file_goes_in_one_request(
    run: Run, small_site: SmallSite, at_home: Path, size: int
) -> None:
    (at_home / "a.bin").write_bytes(content(size))
    assert run("put", "a.bin") == 0
    assert small_site.content("a.bin") == content(size)
    assert small_site.count("PUT") == 1


@pytest.mark.parametrize(("ahead", "patches"), [(LARGE, 1), (LARGE - 1, 2)])
def test_a_large_file_is_resumable(
    run: Run,
    small_site: SmallSite,
    at_home: Path,
    ahead: int,
    patches: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In one request, what it has to be known beforehand; a larger one's last part by itself."""
    monkeypatch.setattr(putting, "AHEAD", ahead)
    (at_home / "a.bin").write_bytes(content(LARGE))
    assert run("put", "a.bin", "--to", "Cases/12") == 0
    assert small_site.content("Cases/12/a.bin") == content(LARGE)
    assert (small_site.count("PUT"), small_site.count("PATCH")) == (0, patches)
    assert small_site.expected == 1, "the whole is said by the request that completes it"
    assert not list(state_folder().rglob("*.json")), "nothing is left to go on with"


@pytest.mark.parametrize("ahead", [0, MIB, 4 * MIB])
@pytest.mark.parametrize("seed", range(5))
def test_cut_connections_are_gone_on_with(
    run: Run,
    small_site: SmallSite,
    at_home: Path,
    seed: int,
    ahead: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(putting, "AHEAD", ahead)
    (at_home / "a.bin").write_bytes(content(LARGE))
    chance = random.Random(seed)  # noqa: S311 - where it is cut
    small_site.cuts = [chance.randrange(1, MIB) for _ in range(6)]
    assert run("put", "a.bin") == 0
    assert small_site.content("a.bin") == content(LARGE)
    assert len(small_site.cuts) < 3, "most of them were made"


def test_an_answer_that_was_lost_is_asked_for(
    run: Run, small_site: SmallSite, at_home: Path
) -> None:
    (at_home / "a.bin").write_bytes(content(LARGE))
    (at_home / "b.bin").write_bytes(content(5000))
    small_site.lose_answers = 3
    assert run("put", "a.bin", "b.bin", "--at-once", "1") == 0
    assert small_site.content("a.bin") == content(LARGE)
    assert small_site.content("b.bin") == content(5000)


def test_an_upload_that_was_killed_is_gone_on_with(
    run: Run, small_site: SmallSite, at_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (at_home / "a.bin").write_bytes(content(LARGE))
    monkeypatch.setenv("SECURESTORE_PATIENCE", "0")
    small_site.cuts = [MIB + 77]
    assert run("put", "a.bin") != 0
    [upload] = small_site.uploads.values()
    assert len(upload.data) == MIB + 77
    assert run("put", "a.bin") == 0
    assert small_site.content("a.bin") == content(LARGE)
    assert len(small_site.uploads) == 1, "the same upload"


def test_another_file_of_the_same_name_and_size_is_another_upload(
    run: Run, small_site: SmallSite, at_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = at_home / "a.bin"
    path.write_bytes(content(LARGE))
    monkeypatch.setenv("SECURESTORE_PATIENCE", "0")
    small_site.cuts = [MIB]
    assert run("put", "a.bin") != 0
    # The time, too, is as it was: then only the bytes tell.
    note = next(state_folder().rglob("*.json"))
    noted = json.loads(note.read_text())
    path.write_bytes(content(LARGE, seed=1))
    stat = path.stat()
    note.write_text(json.dumps({**noted, "shape": [LARGE, stat.st_mtime_ns, stat.st_ino]}))
    assert run("put", "a.bin") == 0
    assert small_site.content("a.bin") == content(LARGE, seed=1)


def test_two_at_the_same_upload_do_not_meet(
    run: Run, small_site: SmallSite, at_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (at_home / "a.bin").write_bytes(content(LARGE))
    with Left(small_site.url, "a.bin", str(at_home / "a.bin")).held():
        assert run("put", "a.bin") == 6
    assert "Another process" in capsys.readouterr().err


def test_what_is_there_already_is_not_sent_again(
    run: Run, small_site: SmallSite, at_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(6):
        (at_home / f"{number}.bin").write_bytes(content(500, number))
    assert run("put", *(f"{n}.bin" for n in range(6))) == 0
    (at_home / "3.bin").write_bytes(content(500, 33))
    capsys.readouterr()
    assert run("put", "--json", *(f"{n}.bin" for n in range(6))) == 0
    told = json.loads(capsys.readouterr().out)
    outcomes = {each["source"]: each["outcome"] for each in told["items"]}
    assert outcomes.pop("3.bin") == "stored"
    assert set(outcomes.values()) == {"unchanged"}
    assert small_site.content("3.bin") == content(500, 33)


def test_a_name_that_is_taken_is_refused_where_that_was_asked_for(
    run: Run, small_site: SmallSite, at_home: Path
) -> None:
    small_site.add("a.bin", b"others")
    (at_home / "a.bin").write_bytes(b"mine")
    assert run("put", "a.bin", "--conflict", "refuse") == 6
    assert small_site.content("a.bin") == b"others"


def test_what_arrives_as_something_else_is_told(
    run: Run, small_site: SmallSite, at_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (at_home / "a.bin").write_bytes(content(5000))
    small_site.spoil = True
    assert run("put", "a.bin") == 7
    assert "not what was sent" in capsys.readouterr().err


def test_folders_go_with_all_below_them(
    run: Run, small_site: SmallSite, at_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (at_home / "Scans/inner/empty").mkdir(parents=True)
    (at_home / "Scans/one.txt").write_text("one")
    (at_home / "Scans/inner/two.txt").write_text("two")
    (at_home / "Scans/link").symlink_to("one.txt")
    assert run("put", "Scans", "--to", "Cases") == 0
    assert small_site.content("Cases/Scans/one.txt") == b"one"
    assert small_site.content("Cases/Scans/inner/two.txt") == b"two"
    empty = small_site.at("Cases/Scans/inner/empty")
    assert empty is not None
    assert empty.data is None
    assert small_site.at("Cases/Scans/link") is None
    assert "link is left out" in capsys.readouterr().err


def test_one_that_fails_does_not_stop_the_others(
    run: Run, small_site: SmallSite, at_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (at_home / "a.txt").write_text("a")
    assert run("put", "--json", "a.txt", "none.txt") == 5
    told = json.loads(capsys.readouterr().out)
    assert [each["path"] for each in told["failed"]] == ["none.txt"]
    assert small_site.content("a.txt") == b"a"


@pytest.mark.parametrize("size", [0, 10, MIB - 1, MIB, 2 * MIB + 9])
def test_standard_input(
    run: Run, small_site: SmallSite, at_home: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    path = at_home / "stream"
    path.write_bytes(content(size))
    small_site.cuts = [5000, 70_000] if size > MIB else []
    with path.open("rb") as file:
        monkeypatch.setattr("sys.stdin", type("In", (), {"buffer": file}))
        assert run("put", "-", "--name", "dump.sql", "--to", "Backups") == 0
    assert small_site.content("Backups/dump.sql") == content(size)


def test_a_busy_site_is_waited_for(run: Run, small_site: SmallSite, at_home: Path) -> None:
    (at_home / "a.txt").write_text("a")
    small_site.refuse = [(503, {}), (429, {"Retry_After": "0"})]
    assert run("put", "a.txt") == 0
    assert small_site.content("a.txt") == b"a"


def test_a_file_that_changes_while_it_is_sent_is_told(
    run: Run, small_site: SmallSite, at_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = at_home / "a.bin"
    path.write_bytes(content(900_000))
    before = putting.Putter._small

    def and_change(self: putting.Putter, *arguments: object) -> putting.Stored:
        stored = before(self, *arguments)  # type: ignore[arg-type]
        with path.open("ab") as file:
            file.write(b"more")
        return stored

    monkeypatch.setattr(putting.Putter, "_small", and_change)
    assert run("put", "a.bin") == 7


@pytest.fixture
def odd(at_home: Path) -> Path:
    """A folder with names that are no UTF-8, as old disks have them, among sound ones."""
    folder = at_home / "odd"
    for name in (b"a.txt", b"M\xfcller.txt", b"M\xfcller/in.txt", b"z/b.txt"):
        path = Path(os.fsdecode(os.fsencode(folder) + b"/" + name))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name)
    return folder


@pytest.mark.parametrize("way", [["put", "odd"], ["sync", "odd", "ssv:odd"]])
def test_a_name_that_is_no_utf_8_is_named_and_takes_nothing_with_it(
    run: Run, small_site: SmallSite, odd: Path, capsys: pytest.CaptureFixture[str], way: list[str]
) -> None:
    assert run(*way, "--json") == 1
    failed = json.loads(capsys.readouterr().out)["failed"]
    assert [one["code"] for one in failed] == ["bad_name", "bad_name"]
    assert small_site.content("odd/a.txt") == b"a.txt"
    assert small_site.content("odd/z/b.txt") == b"z/b.txt"


def test_a_name_that_is_no_utf_8_can_be_given_another(
    run: Run, small_site: SmallSite, odd: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = os.fsdecode(os.fsencode(odd) + b"/M\xfcller.txt")
    assert run("put", path) == 1
    assert run("put", path, "--to", os.fsdecode(b"\xfc")) == 2
    assert run("put", path, "--name", "Müller.txt") == 0
    assert small_site.content("Müller.txt") == b"M\xfcller.txt"
    assert "not UTF-8" in capsys.readouterr().err


def test_a_folder_that_the_site_cannot_have_takes_no_other_with_it(
    run: Run, small_site: SmallSite, at_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = Api.make_folders

    def made(api: Api, place: Place) -> str:
        if place.name == "b":
            raise ClientError("A file is in the way.", CONFLICT, "not_a_folder")
        return make(api, place)

    monkeypatch.setattr(Api, "make_folders", made)
    for name in ("x/a", "x/b/c", "x/d/e"):
        (at_home / name).parent.mkdir(parents=True, exist_ok=True)
        (at_home / name).write_bytes(b"1")
    assert run("put", "x") == CONFLICT
    assert small_site.content("x/a") == small_site.content("x/d/e") == b"1"
    assert run("sync", "x", "ssv:y") == CONFLICT
    assert small_site.content("y/a") == small_site.content("y/d/e") == b"1"


def test_a_name_that_the_site_does_not_take_takes_no_other_with_it(
    run: Run, small_site: SmallSite, at_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry, content_path = Api.entry, Api.content_path

    def refused(name: str) -> None:
        if "\\" in name:
            raise ClientError("It is kept as “b.txt”: send that.", code="name_not_usable")

    def asked(api: Api, place: Place) -> Entry:
        refused(place.name)
        return entry(api, place)

    def sent(api: Api, place: Place) -> str:
        refused(place.name)
        return content_path(api, place)

    monkeypatch.setattr(Api, "entry", asked)
    monkeypatch.setattr(Api, "content_path", sent)
    (at_home / "x").mkdir()
    for name in ("a.txt", "a\\b.txt"):
        (at_home / "x" / name).write_text(name)
    assert run("put", "x") == 1
    assert small_site.content("x/a.txt") == b"a.txt"
