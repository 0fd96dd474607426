"""What a link leads to: a folder, what is below it, and a locked file with its key."""

from __future__ import annotations

import io
import zipfile

from django.test import Client

from accounts.models import User
from files.models import FileRecord, Folder
from files.tree import placing
from files.vault import storing
from files.vault.destinations import Destination
from tests.files.conftest import KEY
from tests.files.web.outside.links.following import body, linked


def test_a_folder_is_seen_as_zip_and_file_by_file(
    record: FileRecord, case: Folder, maker: User, held_record: FileRecord
) -> None:
    held = held_record
    inner = placing.add_folder(case, "Inner", added_by=maker)
    storing.store(maker, [b"deep"], name="deep.txt", destination=Destination(inner))
    placing.leave(held)
    FileRecord.objects.filter(pk=held.pk).update(folder=case)
    placing.enter(FileRecord.objects.get(pk=held.pk), case)
    path, link = linked(case, most=2)
    visitor = Client()
    page = visitor.get(path).content
    assert b"a.bin" in page
    assert b"Inner" in page
    assert b"deep.txt" in visitor.get(f"{path}folders/{inner.pk}/").content
    assert b"NOT INCLUDED.txt" in visitor.get(f"{path}zip/").content
    packed = visitor.post(f"{path}zip/")
    archive = zipfile.ZipFile(io.BytesIO(body(packed)))
    assert sorted(archive.namelist()) == ["Inner/", "Inner/deep.txt", "NOT INCLUDED.txt", "a.bin"]
    link.refresh_from_db()
    assert link.used == 1
    # A locked file takes its key, as inside.
    of_held = f"{path}files/{held.pk}/"
    locked = visitor.get(f"{of_held}download/")
    assert locked.status_code == 403
    assert b'name="key"' in locked.content
    assert visitor.post(of_held, {"key": KEY[:-3] + "aa="}).status_code == 403
    opened = visitor.post(of_held, {"key": KEY})
    assert opened.status_code == 302
    assert len(body(visitor.get(opened["Location"]))) == held.size
    link.refresh_from_db()
    assert link.used == 2
    assert visitor.get(path).status_code == 404
