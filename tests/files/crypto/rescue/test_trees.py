"""Whole trees from an export: directories as people had them, on any system, and nowhere else."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from files.crypto.keyexport.entries import Above, Entry
from files.crypto.portable import same_file
from files.crypto.rescue.__main__ import main
from files.crypto.rescue.names import TRASH, Places
from tests.files.crypto.rescue.exports import PASSPHRASE, entry_of, export, make
from tests.hostile import hostile

CASES, INNER = Above(uuid4(), "Cases"), Above(uuid4(), "12: final?")
AWAY = "2026-02-03T04:05:06+00:00"


@pytest.fixture
def passphrase(tmp_path: Path) -> str:
    path = tmp_path / "passphrase"
    path.write_text(PASSPHRASE + "\n")
    return str(path)


def rescue(tmp_path: Path, passphrase: str, *entries: Entry, more: tuple[str, ...] = ()) -> int:
    keys = tmp_path / "keys"
    keys.unlink(missing_ok=True)
    export(keys, *entries)
    fixed = ("--export", keys, "--passphrase-file", passphrase, "--to", tmp_path / "out", *more)
    return main(["--all", str(tmp_path / "bucket"), *map(str, fixed)])


def found(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "rescued.jsonl"
    }


def entry(tmp_path: Path, content: bytes, **about: object) -> Entry:
    return make(tmp_path / "bucket", content, **about)[1]  # type: ignore[arg-type]


def test_the_tree_comes_back_below_its_owner(tmp_path: Path, passphrase: str) -> None:
    entries = [
        entry(tmp_path, b"1", folders=(CASES, INNER), name="a/b.txt"),
        entry(tmp_path, b"2", folders=(CASES,)),
        entry(tmp_path, b"3", folders=()),
        entry(tmp_path, b"4", folders=(), owner="bob"),
        entry(tmp_path, b"5", folders=(CASES,), trashed_at=AWAY),
        entry(tmp_path, b"6", folders=(replace(CASES, trashed_at=AWAY), INNER)),
        entry(tmp_path, b"7"),  # Of a release that knew no folders.
    ]
    expected = {
        "alice/Cases/12_ final_/a_b.txt": b"1",
        "alice/Cases/fox.txt": b"2",
        "alice/fox.txt": b"3",
        "bob/fox.txt": b"4",
        f"{TRASH}/alice/Cases/fox.txt": b"5",
        f"{TRASH}/alice/Cases/12_ final_/fox.txt": b"6",
        "fox.txt": b"7",
    }
    assert rescue(tmp_path, passphrase, *entries) == 0
    assert found(tmp_path / "out") == expected
    assert (tmp_path / "out" / "alice" / "Cases").stat().st_mode & 0o777 == 0o700
    # Once more: all of it is there already.
    assert rescue(tmp_path, passphrase, *entries) == 0
    assert found(tmp_path / "out") == expected


def test_a_former_version_has_the_time_of_its_upload_in_its_name(
    tmp_path: Path, passphrase: str
) -> None:
    now = entry(tmp_path, b"now", folders=(), version=2)
    before = entry(
        tmp_path,
        b"before",
        folders=(),
        file_id=now.file_id,
        written_at=1_600_000_000,
        version=1,
        uploaded_at="2026-01-02T03:04:05+00:00",
        superseded_at=AWAY,
    )
    without = tmp_path / "without"
    assert rescue(tmp_path, passphrase, now, before, more=("--without-versions",)) == 0
    assert found(tmp_path / "out") == {"alice/fox.txt": b"now"}
    (tmp_path / "out").rename(without)
    assert rescue(tmp_path, passphrase, now, before) == 0
    assert found(tmp_path / "out") == {
        "alice/fox.txt": b"now",
        "alice/fox (2026-01-02 03.04.05).txt": b"before",
    }


def test_names_that_are_one_elsewhere_are_told_apart_and_stay_so(
    tmp_path: Path, passphrase: str
) -> None:
    lower, upper = Above(uuid4(), "cases"), Above(uuid4(), "CASES")
    first = entry(tmp_path, b"1", folders=(lower,))
    second = entry(tmp_path, b"2", folders=(upper,))
    clash = entry(tmp_path, b"3", folders=(), name="Cases")
    assert rescue(tmp_path, passphrase, first, second, clash) == 0
    before = found(tmp_path / "out")
    assert sorted(before) == sorted(
        [
            "alice/cases/fox.txt",
            f"alice/CASES ({upper.folder_id.hex[:8]})/fox.txt",
            f"alice/Cases ({clash.file_id.hex[:8]})",
        ]
    )
    # A run that goes on finds the directories of the first, whatever comes first this time.
    late = entry(tmp_path, b"4", folders=(upper,), name="late.txt")
    assert rescue(tmp_path, passphrase, late, second, clash, first) == 0
    added = {f"alice/CASES ({upper.folder_id.hex[:8]})/late.txt": b"4"}
    assert found(tmp_path / "out") == {**before, **added}


def test_nothing_is_written_through_a_link(tmp_path: Path, passphrase: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "alice").symlink_to(outside)
    assert rescue(tmp_path, passphrase, entry(tmp_path, b"1", folders=(CASES,))) == 1
    assert list(outside.iterdir()) == []


@given(
    named=st.lists(
        st.tuples(hostile, st.lists(hostile, max_size=32), st.booleans()), min_size=1, max_size=4
    )
)
def test_no_path_leaves_the_target_and_none_is_given_twice(
    tmp_path_factory: pytest.TempPathFactory, named: list[tuple[str, list[str], bool]]
) -> None:
    target = tmp_path_factory.mktemp("target").resolve()
    places = Places(target, [])
    paths = []
    for name, above, asleep in named:
        folders = tuple(Above(uuid4(), one) for one in above)
        wanted = replace(entry_of(name), owner=name, folders=folders)
        path = places.path_for(replace(wanted, trashed_at=AWAY if asleep else ""))
        assert path.parent.is_dir()
        assert path.parent.resolve().is_relative_to(target)
        assert len(os.fsencode(path)) < 4096
        paths.append(same_file(str(path)))
    assert len(set(paths)) == len(paths)
