"""What Django asks about one file is answered as the querysets do; anything else is answered no."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group
from django.contrib.auth.models import Permission as Row

from accounts.models import User
from files.access import rule
from files.access.permissions import Permission
from files.models import FileRecord, Folder, Item
from tests.files import trees
from tests.files.conftest import give
from tests.files.test_models import filed, placed

NEEDS = {
    FileRecord: {
        "files.view_filerecord": "download",
        Permission.DOWNLOAD: "download",
        "files.change_filerecord": "manage",
        "files.delete_filerecord": "manage",
        Permission.SHARE: "manage",
        Permission.SHARE_OWN: "manage",
        Permission.UPLOAD: None,
        Permission.LINK: None,
    },
    Folder: {
        "files.view_folder": "download",
        Permission.DOWNLOAD: "download",
        "files.add_folder": "add",
        Permission.UPLOAD: "add",
        "files.change_folder": "manage",
        "files.delete_folder": "manage",
        Permission.SHARE: "manage",
        Permission.SHARE_OWN: "manage",
        "files.view_filerecord": None,
        Permission.LINK: None,
    },
}
"""The least level of a grant that answers yes; None: nobody's."""


@pytest.mark.parametrize("level", [None, "download", "add", "manage"])
@pytest.mark.parametrize("kind", NEEDS)
def test_a_permission_is_used_on_what_a_grant_reaches_that_is_wide_enough(
    alice: User, bob: User, kind: type[Item], level: str | None
) -> None:
    case = trees.folder(alice, "Case")
    item: Item = placed(alice, case) if kind is FileRecord else case
    if level is not None:
        give(case, bob, level=level)
    bob.user_permissions.set(Row.objects.all())
    bob = User.objects.get(pk=bob.pk)
    rank = -1 if level is None else rule.LEVELS[level]
    for perm, least in NEEDS[kind].items():
        may = least is not None and rank >= rule.LEVELS[least]
        assert bob.has_perm(perm, item) is may, perm


@pytest.mark.parametrize("kind", NEEDS)
def test_who_may_not_use_a_function_at_all_uses_it_on_nothing_of_their_own(
    alice: User, kind: type[Item]
) -> None:
    item: Item = placed(alice) if kind is FileRecord else trees.folder(alice, "Case")
    alice.groups.clear()
    alice = User.objects.get(pk=alice.pk)
    for perm, least in NEEDS[kind].items():
        may = least is not None and perm not in set(Permission)
        assert alice.has_perm(perm, item) is may, perm


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
