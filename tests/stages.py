"""Which tests are functional: those that go through the whole way of a request, or of a file.

A unit test asks one module, with a database in memory at most. A functional one asks the site as a
browser or a program does, by Django's client (middleware, session, permissions, template), or sends
bytes through the vault into S3 in memory and back. They take twice as long as all others, and
run as a stage of their own (`make functional`), so that unit tests answer within a minute.

A test is marked that asks for the client or the store, whose module names Django's client, or that
stands in a room of pages; a module that goes through the whole program otherwise marks itself.
This is a pytest plugin: `tests/conftest.py` names it.
"""

from __future__ import annotations

import pytest
from django.test import Client

ROOMS = {"web"}
"""Folders whose modules answer requests."""

WAYS = {"client", "aws"}
"""Fixtures by which a test gets at the site, or at the store in memory."""

OTHERS = {"integration", "browser", "soak"}
"""Marks of tests that other stages run."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if isinstance(item, pytest.Function) and _is_functional(item):
            item.add_marker(pytest.mark.functional)


def _is_functional(test: pytest.Function) -> bool:
    if any(mark.name in OTHERS for mark in test.iter_markers()):
        return False
    asks = not WAYS.isdisjoint(test.fixturenames) or getattr(test.module, "Client", None) is Client
    return asks or not ROOMS.isdisjoint(test.path.parts)
