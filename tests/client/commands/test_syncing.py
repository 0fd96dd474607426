"""`sync`: afterwards both sides have the same, and nothing was deleted that was not asked for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.client.conftest import Run
from tests.client.small_site import SmallSite


@pytest.fixture
def photos(at_home: Path) -> Path:
    folder = at_home / "Photos"
    (folder / "2026/empty").mkdir(parents=True)
    (folder / "a.jpg").write_bytes(b"a")
    (folder / "2026/b.jpg").write_bytes(b"b")
    return folder


def below(folder: Path) -> dict[str, bytes]:
    found = {path for path in folder.rglob("*") if path.is_file()}
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


def test_up_and_down_again(run: Run, small_site: SmallSite, photos: Path, at_home: Path) -> None:
    assert run("sync", photos, "ssv:Backup/Photos") == 0
    assert small_site.content("Backup/Photos/2026/b.jpg") == b"b"
    assert small_site.at("Backup/Photos/2026/empty") is not None
    assert run("sync", "ssv:Backup/Photos", "again") == 0
    assert below(at_home / "again") == below(photos)
    assert (at_home / "again/2026/empty").is_dir()


def test_only_what_differs_travels(run: Run, small_site: SmallSite, photos: Path) -> None:
    assert run("sync", photos, "ssv:Photos") == 0
    small_site.asked = []
    (photos / "a.jpg").write_bytes(b"A")
    assert run("sync", photos, "ssv:Photos") == 0
    assert small_site.count("PUT") == 1
    assert small_site.content("Photos/a.jpg") == b"A"
    small_site.add("Photos/2026/b.jpg", b"B")
    small_site.asked = []
    assert run("sync", "ssv:Photos", photos) == 0
    assert sum("content" in path for _, path in small_site.asked) == 1
    assert (photos / "2026/b.jpg").read_bytes() == b"B"


def test_what_only_the_target_has_stays(run: Run, small_site: SmallSite, photos: Path) -> None:
    small_site.add("Photos/theirs.jpg", b"theirs")
    assert run("sync", photos, "ssv:Photos") == 0
    assert small_site.content("Photos/theirs.jpg") == b"theirs"
    (photos / "mine.jpg").write_bytes(b"mine")
    assert run("sync", "ssv:Photos", photos) == 0
    assert (photos / "mine.jpg").read_bytes() == b"mine"


def test_deleting_asks(
    run: Run, small_site: SmallSite, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_site.add("Photos/old.jpg", b"old")
    small_site.add("Photos/older/x.jpg", b"old")
    assert run("sync", photos, "ssv:Photos", "--delete") == 2, "nobody is here to be asked"
    assert small_site.at("Photos/old.jpg") is not None
    assert run("sync", photos, "ssv:Photos", "--delete", "--yes") == 0
    assert small_site.at("Photos/old.jpg") is None
    assert small_site.at("Photos/older") is None
    assert small_site.content("Photos/a.jpg") == b"a"


@pytest.mark.parametrize(("said", "left"), [("y\n", False), ("\n", True), ("no\n", True)])
def test_deleting_here_asks(
    run: Run,
    small_site: SmallSite,
    photos: Path,
    monkeypatch: pytest.MonkeyPatch,
    said: str,
    left: bool,
) -> None:
    small_site.add("Photos/a.jpg", b"a")
    terminal = type("In", (), {"isatty": lambda _: True, "readline": lambda _: said})()
    monkeypatch.setattr("sys.stdin", terminal)
    assert run("sync", "ssv:Photos", photos, "--delete") == 0
    assert (photos / "2026").exists() == left
    assert (photos / "a.jpg").exists()


def test_nothing_is_deleted_where_the_source_was_not_read_whole(
    run: Run, small_site: SmallSite, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small_site.add("Photos/old.jpg", b"old")
    small_site.add("Photos/a.jpg", None)  # A folder where a file should be.
    assert run("sync", photos, "ssv:Photos", "--delete", "--yes") == 1
    assert small_site.at("Photos/old.jpg") is not None
    assert "Nothing is deleted" in capsys.readouterr().err


def test_a_dry_run_changes_nothing(
    run: Run, small_site: SmallSite, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small_site.add("Photos/old.jpg", b"old")
    assert run("sync", photos, "ssv:Photos", "--delete", "--dry-run", "--json") == 0
    told = {each["path"]: each["outcome"] for each in json.loads(capsys.readouterr().out)["items"]}
    assert told == {
        "Photos/a.jpg": "would_send",
        "Photos/2026/b.jpg": "would_send",
        "Photos/old.jpg": "would_delete",
    }
    assert small_site.count("PUT") == 0
    assert small_site.at("Photos/old.jpg") is not None
    assert run("sync", "ssv:Photos", photos, "--delete", "--dry-run") == 0
    assert sorted(below(photos)) == ["2026/b.jpg", "a.jpg"]


def test_links_are_neither_followed_nor_deleted(
    run: Run, small_site: SmallSite, photos: Path, at_home: Path
) -> None:
    outside = at_home / "outside"
    outside.mkdir()
    (outside / "secret").write_text("secret")
    (photos / "out").symlink_to(outside)
    small_site.add("Photos/out", b"theirs")
    assert run("sync", photos, "ssv:Photos", "--delete", "--yes") == 0
    assert small_site.content("Photos/out") == b"theirs"
    small_site.add("Photos/out", None)
    assert run("sync", "ssv:Photos", photos) == 1, "something else has this name here"
    assert (outside / "secret").read_text() == "secret"
    assert (photos / "out").is_symlink()


def test_a_locked_file_is_left_out(
    run: Run, small_site: SmallSite, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small_site.add("Photos/a.jpg", b"other", locked_with="k" * 44)
    assert run("sync", photos, "ssv:Photos") == 0
    assert small_site.content("Photos/a.jpg") == b"other"
    assert run("sync", "ssv:Photos", photos) == 0
    assert "is locked" in capsys.readouterr().err
    assert (photos / "a.jpg").read_bytes() == b"a"


@pytest.mark.parametrize("words", [("Photos", "Backup"), ("ssv:Photos", "ssv:Backup")])
def test_it_has_to_be_said_which_side_is_the_site(run: Run, words: tuple[str, str]) -> None:
    assert run("sync", *words) == 2
