"""What Django asks about one file is answered as the querysets do; anything else is answered no."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group

from accounts.models import User
from files.access.permissions import Permission
from files.models import FileRecord
from tests.files.test_models import filed


@pytest.mark.parametrize("perm", ["files.add_filerecord", "files.other", "auth.view_group", ""])
def test_other_questions_about_a_file_are_answered_no(alice: User, perm: str) -> None:
    assert not alice.has_perm(perm, filed(alice))


def test_a_question_about_anything_else_is_answered_no(alice: User, root: User) -> None:
    assert not alice.has_perm(Permission.DOWNLOAD, object())
    assert not root.has_perm("auth.view_group", Group.objects.create(name="Team"))


def test_a_record_that_is_gone_is_nobodys(alice: User) -> None:
    record = filed(alice)
    FileRecord.objects.all().delete()
    assert not alice.has_perm(Permission.DOWNLOAD, record)
