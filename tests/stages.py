"""Which tests are functional: those that ask the site as a browser or a program does.

Each goes through all of Django: middleware, session, permissions, template. They are more than half
of what tests without a server take, and run as a stage of their own (`make functional`), so that
the unit tests of the modules answer within a minute. A test is marked that asks for Django's
client, whose module names that class, or that stands in a room of pages; a module that goes through
the whole program in another way marks itself.

This is a pytest plugin: `tests/conftest.py` names it.
"""

from __future__ import annotations

import pytest
from django.test import Client

ROOMS = {"web"}
"""Folders whose modules answer requests."""

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
    asks = "client" in test.fixturenames or getattr(test.module, "Client", None) is Client
    return asks or not ROOMS.isdisjoint(test.path.parts)
