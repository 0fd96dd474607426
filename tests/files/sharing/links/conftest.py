"""Fixtures of the tests of links."""

from __future__ import annotations

import pytest

from accounts.models import User
from tests.files.sharing.links.makers import may_link


@pytest.fixture
def maker(alice: User) -> User:
    return may_link(alice)
