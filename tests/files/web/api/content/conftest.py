"""Fixtures of the tests of a file in one request."""

from __future__ import annotations

import pytest

from accounts.models import User
from files.models import Folder
from files.tree import placing
from tests.files.web.api.callers import Caller


@pytest.fixture
def caller(alice: User) -> Caller:
    return Caller(alice)


@pytest.fixture
def cases(alice: User) -> Folder:
    return placing.add_folder(placing.root_of(alice), "Cases", added_by=alice)
