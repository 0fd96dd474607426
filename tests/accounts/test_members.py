"""The group that new people belong to."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Permission

from accounts.members import ensure_members_group
from accounts.models import User


def test_members_upload_and_download(db: None) -> None:
    ann = User.objects.create_user("ann")
    ann.groups.add(ensure_members_group())
    assert ann.get_all_permissions() == {"files.add_filerecord", "files.download_filerecord"}


def test_what_an_administrator_added_stays(db: None) -> None:
    group = ensure_members_group()
    share = Permission.objects.get(codename="add_grant", content_type__app_label="files")
    group.permissions.add(share)
    assert ensure_members_group() == group
    assert group.permissions.count() == 3


def test_before_the_files_are_migrated_it_says_so(db: None) -> None:
    Permission.objects.filter(codename="download_filerecord").delete()
    with pytest.raises(RuntimeError, match="run `migrate` first"):
        ensure_members_group()
