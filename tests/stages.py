"""Which tests are functional: those that go through the whole way of a request, or of a file.

A unit test asks one module, with a database in memory at most. A functional one asks the site as a
browser or a program does, by Django's client (middleware, session, permissions, template), or sends
bytes through the vault into S3 in memory and back. They take twice as long as all others, and
run as a stage of their own (`make functional`), so that unit tests answer within a minute.

A test is marked that asks for the client or the store, whose module names Django's client, or that
stands in a room of pages; a module that goes through the whole program otherwise marks itself.

And no process of a stage reads files that have no test for it: to load them all takes seconds of a
processor, several times in a run. What a file's tests are marked with is seen before it is loaded,
so a mark of a stage must stand in the file of its tests, in the `conftest.py` beside it, or be the
name of their folder.

This is a pytest plugin: `tests/conftest.py` names it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import chain, combinations
from pathlib import Path

import pytest
from _pytest.mark.expression import Expression, ExpressionMatcher
from django.test import Client

HERE = Path(__file__).parent

ROOMS = {"web"}
"""Folders whose modules answer requests."""

WAYS = {"client", "aws"}
"""Fixtures by which a test gets at the site, or at the store in memory."""

OTHERS = frozenset({"integration", "browser", "soak"})
"""Marks of tests that other stages run."""

MARKS = OTHERS | {"alone"}

_NAMES_CLIENT = re.compile(r"^from django\.test import .*\bClient\b", re.MULTILINE)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if isinstance(item, pytest.Function) and _is_functional(item):
            item.add_marker(pytest.mark.functional)
    if unnamed := {str(item.path) for item in items if _marks_of(item) not in marks_in(item.path)}:
        raise pytest.UsageError(
            "Marks of tests stand neither in their file, nor beside it, nor in its path, so their"
            f" stage would never read it: {', '.join(sorted(unnamed))}"
        )


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out a file of which no test can be asked for by `-m`."""
    if not (collection_path.name.startswith("test_") and collection_path.suffix == ".py"):
        return None
    return None if may_have_any(collection_path, config.option.markexpr) else True


def may_have_any(path: Path, expression: str) -> bool:
    """Whether that file may have a test with marks for which the expression holds."""
    if not expression:
        return True
    wanted = Expression.compile(expression)
    return any(wanted.evaluate(_among(marks)) for marks in marks_in(path))


def _among(marks: frozenset[str]) -> ExpressionMatcher:
    def has(name: str, /, **_arguments: str | int | bool | None) -> bool:
        return name in marks

    return has


@cache
def marks_in(path: Path) -> frozenset[frozenset[str]]:
    """Which marks of stages tests in that file may have, each test's together, by its text."""
    text, beside = path.read_text(), path.with_name("conftest.py")
    read = text + (beside.read_text() if beside.exists() else "")
    folders = MARKS & _folders(path)
    found: set[frozenset[str]] = set()
    for named in _subsets(mark for mark in MARKS if mark in read):
        marks = folders | named
        is_functional = bool(_NAMES_CLIENT.search(text)) and not marks & OTHERS
        found |= {marks | {"functional"}} if is_functional else {marks, marks | {"functional"}}
    return frozenset(found)


def _subsets(of: Iterable[str]) -> Iterator[frozenset[str]]:
    all_of = list(of)
    found = chain.from_iterable(combinations(all_of, size) for size in range(len(all_of) + 1))
    return map(frozenset, found)


def _marks_of(test: pytest.Item) -> frozenset[str]:
    marks = {mark.name for mark in test.iter_markers()} & (MARKS | {"functional"})
    return frozenset(marks | (MARKS & _folders(test.path)))


def _folders(path: Path) -> set[str]:
    """The names of its folders among the tests: what those above are called says nothing."""
    return set(path.relative_to(HERE).parts)


def _is_functional(test: pytest.Function) -> bool:
    if _marks_of(test) & OTHERS:
        return False
    asks = not WAYS.isdisjoint(test.fixturenames) or getattr(test.module, "Client", None) is Client
    return asks or not ROOMS.isdisjoint(_folders(test.path))
