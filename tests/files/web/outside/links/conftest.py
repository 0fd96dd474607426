"""Fixtures of the tests of a link from outside."""

from __future__ import annotations

import pytest

from accounts.models import User
from files.models import FileRecord, Folder
from files.tree import placing
from files.vault import storing
from files.vault.destinations import Destination
from tests.files.sharing.links.makers import may_link
from tests.files.web.outside.links.following import CONTENT


@pytest.fixture
def maker(alice: User) -> User:
    return may_link(alice)


@pytest.fixture
def case(maker: User) -> Folder:
    above = placing.add_folder(placing.root_of(maker), "Above", added_by=maker)
    return placing.add_folder(above, "Case", added_by=maker)


@pytest.fixture
def record(s3: object, maker: User, case: Folder) -> FileRecord:
    return storing.store(maker, [CONTENT], name="a.bin", destination=Destination(case))
