"""The default upload handler: no page takes a file that does not say so."""

from __future__ import annotations

import pytest
from django.conf import settings
from django.core.exceptions import SuspiciousOperation
from django.test import Client, RequestFactory
from django.utils.module_loading import import_string

from accounts.models import User
from files.models import FileRecord
from files.web.transfers.refuse import RefusingUploadHandler
from tests.files.multipart import CONTENT_TYPE, body, field, file
from tests.files.test_models import filed


def test_it_is_the_only_handler() -> None:
    [name] = settings.FILE_UPLOAD_HANDLERS
    assert import_string(name) is RefusingUploadHandler


def test_a_file_in_any_other_page_is_refused(alice: User) -> None:
    record = filed(alice)
    client = Client(enforce_csrf_checks=True)
    client.force_login(alice)
    client.get("/files/upload/")
    address = f"/files/{record.id}/delete/"
    response = client.post(address, body(file("a", b"1")), CONTENT_TYPE)
    assert response.status_code == 400
    assert FileRecord.objects.exists()


def test_a_multipart_form_without_a_file_is_taken() -> None:
    request = RequestFactory().post("/", body(field("a", "1")), CONTENT_TYPE)
    assert request.POST.dict() == {"a": "1"}


def test_no_byte_of_a_file_is_kept() -> None:
    handler = RefusingUploadHandler()
    with pytest.raises(SuspiciousOperation):
        handler.new_file("field", "name", "text/plain", 1)
    with pytest.raises(SuspiciousOperation):
        handler.receive_data_chunk(b"1", 0)
