"""The default upload handler: refuses every file.

Django's own handlers keep a file in memory or in a temporary file on disk, as plaintext. A view
that takes files installs its own streaming handler; in any other view a file is out of place.
"""

from __future__ import annotations

from typing import Any, NoReturn

from django.core.exceptions import SuspiciousOperation
from django.core.files.uploadhandler import FileUploadHandler


class NoFilesHere(SuspiciousOperation):
    """A file came to a page that takes none."""


class RefusingUploadHandler(FileUploadHandler):
    """Answers 400 to a request that carries a file where none is expected."""

    def new_file(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise NoFilesHere("This page takes no files.")

    def receive_data_chunk(self, raw_data: bytes, start: int) -> NoReturn:
        raise NoFilesHere("This page takes no files.")

    def file_complete(self, file_size: int) -> None:
        return None
