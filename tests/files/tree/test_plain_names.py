"""What a search compares is filled in where it is missing, and nothing else is touched."""

from __future__ import annotations

import pytest

from accounts.models import User
from files.models import FileRecord, Folder
from files.tree import plain_names
from tests.files import trees
from tests.files.test_models import filed

pytestmark = pytest.mark.django_db


def test_what_is_missing_is_filled_in_batches(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plain_names, "AT_ONCE", 2)
    for number in range(5):
        filed(alice, name=f"Bür\u00f6 {number}")
    trees.folder(alice, "Stra\u00dfe", "\u0141\u00f3d\u017a")
    kept = filed(alice, name="kept")
    FileRecord.objects.exclude(pk=kept.pk).update(plain_name=None)
    FileRecord.objects.filter(pk=kept.pk).update(plain_name="as it was")
    Folder.objects.update(plain_name=None)
    assert plain_names.fill() == 8
    names = set(FileRecord.objects.values_list("plain_name", flat=True))
    assert names == {*(f"buro {number}" for number in range(5)), "as it was"}
    folders = set(Folder.objects.values_list("plain_name", flat=True))
    assert folders == {"", "strasse", "lodz"}
    assert plain_names.fill() == 0
