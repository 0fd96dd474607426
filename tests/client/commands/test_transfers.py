"""`put`, `get`, `open`: folders with all below them, and what cannot go takes nothing with it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from client.securestore_client.api import Api, Entry
from client.securestore_client.errors import CONFLICT, ClientError
from client.securestore_client.places import Place
from tests.client.conftest import Run, content
from tests.client.small_site import SmallSite


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


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_folders_come_with_all_below_them(run: Run, small_site: SmallSite, at_home: Path) -> None:
    for number in range(120):
        small_site.add(f"Cases/12/{number}.txt", b"%d" % number)
    small_site.add("Cases/12/inner/deep.txt", b"deep")
    small_site.add("Cases/12/empty", None)
    assert run("get", "Cases/12", "--to", "out") == 0
    assert (at_home / "out/12/inner/deep.txt").read_bytes() == b"deep"
    assert (at_home / "out/12/empty").is_dir()
    assert len(list((at_home / "out/12").glob("*.txt"))) == 120


def test_what_is_here_is_not_written_over(
    run: Run, small_site: SmallSite, at_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small_site.add("a.txt", b"theirs")
    (at_home / "a.txt").write_bytes(b"mine")
    assert run("get", "a.txt") == 6
    assert (at_home / "a.txt").read_bytes() == b"mine"
    assert run("get", "a.txt", "--force") == 0
    assert (at_home / "a.txt").read_bytes() == b"theirs"
    capsys.readouterr()
    assert run("get", "a.txt", "--json") == 0
    [told] = json.loads(capsys.readouterr().out)["items"]
    assert told["outcome"] == "unchanged"


@pytest.mark.parametrize("name", ["..", "a/b", "nul\0"])
def test_a_name_that_leads_elsewhere_is_refused(
    run: Run, small_site: SmallSite, at_home: Path, name: str
) -> None:
    small_site.add_to(small_site.add("Cases", None).id, name, b"x")
    assert run("get", "Cases") == 1
    assert names(at_home) == ["Cases"]
    assert names(at_home / "Cases") == []


def test_a_locked_file_opens_with_its_key_from_a_file(
    run: Run, small_site: SmallSite, at_home: Path
) -> None:
    small_site.add("offer.pdf", content(300), locked_with="k" * 44)
    (at_home / "offer.pdf.key").write_text("k" * 44 + "\n")
    assert run("open", "offer.pdf", "--key-file", "offer.pdf.key") == 0
    assert (at_home / "offer.pdf").read_bytes() == content(300)
    (at_home / "wrong.key").write_text("w" * 44)
    assert run("open", "offer.pdf", "--key-file", "wrong.key", "--output", "other") == 4
    assert not (at_home / "other").exists()


def test_a_locked_file_opens_with_a_key_that_is_typed(
    run: Run, small_site: SmallSite, at_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_site.add("offer.pdf", content(300), locked_with="four words of mine")
    monkeypatch.setattr("getpass.getpass", lambda *_, **__: "four words of mine")
    assert run("open", "offer.pdf") == 0
    assert (at_home / "offer.pdf").read_bytes() == content(300)
