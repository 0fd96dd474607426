"""Static files are collected anew where anything differs, and only there."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.test import override_settings

from launcher import static_files


class Collected:
    """Sources, what was collected of them, and how often."""

    def __init__(self, folder: Path) -> None:
        self.source, self.root, self.note = folder / "source", folder / "root", folder / "note"
        self.times = 0
        for name in ("page.css", "js/page.js"):
            self._write(self.source / name, "first")

    def again(self) -> bool:
        """Whether a start collects."""
        before = self.times
        static_files.collect(self.note, self._collect)
        return self.times > before

    def _collect(self) -> None:
        self.times += 1
        for path in self.source.rglob("*.*"):
            self._write(self.root / path.relative_to(self.source), path.read_text())

    def _write(self, path: Path, text: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@pytest.fixture
def collected(tmp_path: Path) -> Iterator[Collected]:
    made = Collected(tmp_path)
    with override_settings(
        STATIC_ROOT=str(made.root),
        STATICFILES_DIRS=[str(made.source)],
        STATICFILES_FINDERS=["django.contrib.staticfiles.finders.FileSystemFinder"],
    ):
        yield made


def test_the_next_start_finds_what_the_first_has_left(collected: Collected) -> None:
    assert [collected.again() for _ in range(3)] == [True, False, False]


def later(path: Path) -> None:
    status = path.stat()
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1))


@pytest.mark.parametrize(
    "change",
    [
        lambda one: (one.source / "new.css").write_text("new"),
        lambda one: (one.source / "page.css").unlink(),
        lambda one: (one.source / "page.css").rename(one.source / "other.css"),
        lambda one: (one.source / "page.css").write_text("longer than it was"),
        lambda one: later(one.source / "page.css"),
        lambda one: (one.root / "page.css").unlink(),
        lambda one: (one.root / "js/page.js").write_text(""),
        lambda one: later(one.root / "page.css"),
        lambda one: (one.root / "foreign.css").write_text("not ours"),
        lambda one: one.note.unlink(),
        lambda one: one.note.write_text("of an older release"),
        lambda one: one.note.write_bytes(b"\xff" * 1000),
    ],
)
def test_whatever_changed_is_collected_again(
    collected: Collected, change: Callable[[Collected], object]
) -> None:
    assert collected.again()
    change(collected)
    assert collected.again()
    assert not collected.again()


def test_other_ways_to_store_them_collect_again(collected: Collected) -> None:
    assert collected.again()
    with override_settings(STATIC_URL="/elsewhere/"):
        assert collected.again()


def test_another_release_of_what_collects_collects_again(
    collected: Collected, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    module = tmp_path / "storage.py"
    module.write_text("of this release")
    monkeypatch.setattr("inspect.getfile", lambda kind: str(module))
    assert [collected.again(), collected.again()] == [True, False]
    module.write_text("of the next release")
    assert [collected.again(), collected.again()] == [True, False]


def test_what_failed_is_tried_again(collected: Collected) -> None:
    assert collected.again()
    (collected.source / "page.css").write_text("changed since")

    def fail() -> None:
        raise SystemExit(1)

    with pytest.raises(SystemExit):
        static_files.collect(collected.note, fail)
    assert not collected.note.exists()
    assert collected.again()
