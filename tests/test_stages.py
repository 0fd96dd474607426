"""A stage reads no file in vain, and every file that has a test for it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests import stages

UNIT = "not functional and not integration and not browser and not soak"
FUNCTIONAL = "functional and not integration and not browser and not soak"
TOGETHER = "integration and not alone and not soak"
BY_THE_CLOCK = "integration and alone and not soak"
ALL = [UNIT, FUNCTIONAL, TOGETHER, BY_THE_CLOCK, "soak", "browser"]


@pytest.fixture(autouse=True)
def tests_are_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stages, "HERE", tmp_path)


def test_where_the_tests_stand_marks_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkout's folder may be called as a mark is."""
    there = tmp_path / "soak" / "tests"
    there.mkdir(parents=True)
    monkeypatch.setattr(stages, "HERE", there)
    (there / "test_it.py").write_text("")
    assert [one for one in ALL if stages.may_have_any(there / "test_it.py", one)] == [
        UNIT,
        FUNCTIONAL,
    ]


@pytest.mark.parametrize(
    ("text", "read_by"),
    [
        ("def test_it(): ...", [UNIT, FUNCTIONAL]),
        ("from django.test import Client, override_settings", [FUNCTIONAL]),
        ("    from django.test import Client", [UNIT, FUNCTIONAL]),
        ("from django.test import RequestFactory", [UNIT, FUNCTIONAL]),
        ("@pytest.mark.integration", [UNIT, FUNCTIONAL, TOGETHER]),
        ("from django.test import Client  # integration", [FUNCTIONAL, TOGETHER]),
        ("integration alone", [UNIT, FUNCTIONAL, TOGETHER, BY_THE_CLOCK]),
        ("marks=pytest.mark.soak", [UNIT, FUNCTIONAL, "soak"]),
    ],
)
def test_a_stage_reads_what_may_have_a_test_for_it(
    tmp_path: Path, text: str, read_by: list[str]
) -> None:
    path = tmp_path / "test_it.py"
    path.write_text(text)
    assert [stage for stage in ALL if stages.may_have_any(path, stage)] == read_by
    assert stages.may_have_any(path, "")


def test_a_mark_may_be_that_of_the_folder_or_stand_beside_the_file(tmp_path: Path) -> None:
    there = tmp_path / "integration"
    there.mkdir()
    (there / "test_it.py").write_text("from django.test import Client")
    assert [one for one in ALL if stages.may_have_any(there / "test_it.py", one)] == [TOGETHER]
    (tmp_path / "conftest.py").write_text("params=[pytest.param(1, marks=pytest.mark.soak)]")
    (tmp_path / "test_it.py").write_text("from django.test import Client")
    read_by = [one for one in ALL if stages.may_have_any(tmp_path / "test_it.py", one)]
    assert read_by == [FUNCTIONAL, "soak"]


def test_only_files_of_tests_are_left_out(tmp_path: Path) -> None:
    config: Any = SimpleNamespace(option=SimpleNamespace(markexpr=TOGETHER))
    for name, left_out in (("test_it.py", True), ("conftest.py", None), ("test_it.txt", None)):
        (tmp_path / name).write_text("")
        assert stages.pytest_ignore_collect(tmp_path / name, config) is left_out
    assert stages.pytest_ignore_collect(tmp_path, config) is None


@pytest.mark.parametrize(("text", "named"), [("", False), ("# integration", True)])
def test_a_mark_that_its_file_does_not_name_ends_the_run(
    tmp_path: Path, text: str, named: bool
) -> None:
    path = tmp_path / "test_it.py"
    path.write_text(text)
    item: Any = SimpleNamespace(
        path=path, iter_markers=lambda: iter([SimpleNamespace(name="integration")])
    )
    if named:
        stages.pytest_collection_modifyitems([item])
    else:
        with pytest.raises(pytest.UsageError, match=r"would never read it: .*test_it\.py"):
            stages.pytest_collection_modifyitems([item])
