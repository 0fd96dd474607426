"""Rows of a list: each shows its own, and no cached piece holds anything of another one."""

from __future__ import annotations

from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from files.lists.rows import Row
from files.web import rows
from tests.files.conftest import Store

PAGE = {"pick": True, "may_download": True, "who": "", "when": "Uploaded", "note": "", "until": ""}


def test_each_row_shows_its_own(alice: User, bob: User, store: Store) -> None:
    hostile = store(alice, name="<i>&.txt")
    other = store(bob, name="plain.pdf")
    with CaptureQueriesContext(connection) as queries:
        shown = rows.as_html([Row(hostile), Row(other)], user_id=alice.pk, **PAGE)
    first, second = shown.split("</tr>")[:2]
    assert "&lt;i&gt;&amp;.txt" in first
    assert "<i>&" not in first
    assert str(hostile.pk) in first
    assert str(other.pk) not in first
    assert ("you" in first, "bob" in first) == (True, False)
    assert ("plain.pdf" in second, "<bdi>bob</bdi>" in second) == (True, True)
    assert str(hostile.pk) not in second
    assert not queries
