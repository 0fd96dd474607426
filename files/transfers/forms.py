"""Files from a multipart form (RFC 7578), streamed into the vault while the body arrives.

The only upload handler of its request. It runs before the form's CSRF token could be checked, so
nothing that it stores is a file until the view publishes it; whoever installs it must call
`abort` in a `finally`. Never buffers more than the writer's parts, never writes to disk.
"""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, Any

from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import FileUploadHandler, StopUpload
from django.http import HttpRequest
from django.http.multipartparser import MultiPartParser

from files.names import BadName
from files.vault import FileTooLarge, Upload, VaultError

if TYPE_CHECKING:
    from django.http import QueryDict
    from django.utils.datastructures import MultiValueDict

    from accounts.models import User


class BodyTooShort(VaultError):
    """The body ended before its declared length: the client has gone, or was cut off."""

    def __init__(self) -> None:
        super().__init__("The upload was cut off before it was complete. Nothing was stored.")


class CountedBody:
    """A request's body that counts what was read: a cut shows as nothing but a clean end."""

    def __init__(self, body: IO[bytes] | HttpRequest) -> None:
        self._body = body
        self.received = 0

    def read(self, size: int = -1) -> bytes:
        """As the body's own."""
        data = self._body.read(size)
        self.received += len(data)
        return data


class RawNames(MultiPartParser):
    """Leaves a file's name as it was sent: `names` has the one rule of what is kept."""

    def sanitize_file_name(self, file_name: str) -> str:
        return file_name


class ReceivedFile(UploadedFile[Any]):
    """A file of the form that is in the vault already. It has no content to read."""

    def __init__(self, field: str, upload: Upload) -> None:
        super().__init__(None, upload.name, upload.content_type, upload.size)
        self.field = field
        self.upload = upload

    def close(self) -> None:
        """Nothing is open. Django calls this at the end of a request, and when parsing fails."""


class VaultUploadHandler(FileUploadHandler):
    """Streams each file of the field `files` into an `Upload` of its own.

    `refused` collects the files that the rules refuse, as (name, error); the others go on.
    """

    chunk_size = 256 * 1024

    def __init__(self, request: HttpRequest, owner: User) -> None:
        super().__init__(request)
        self._owner = owner
        self._uploads: list[Upload] = []
        self._current: Upload | None = None
        self._parsing = False
        self._body_length = 0
        self._stopped = False
        self._interrupted = False
        self.refused: list[tuple[str, BadName | FileTooLarge]] = []

    def handle_raw_input(
        self,
        input_data: IO[bytes] | HttpRequest,
        META: dict[str, str],  # noqa: N803  the interface's name
        content_length: int,
        boundary: str,
        encoding: str | None = None,
    ) -> tuple[QueryDict, MultiValueDict[str, UploadedFile[Any]]] | None:
        """Parse here, over a body that counts, to tell a cut body from a complete one."""
        if self._parsing:
            return None
        self._parsing = True
        self._body_length = content_length
        body: Any = CountedBody(input_data)
        result = RawNames(META, body, [self], encoding).parse()
        if self._interrupted or (body.received < content_length and not self._stopped):
            raise BodyTooShort
        return result

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        super().new_file(*args, **kwargs)
        self._current = None
        if not self.file_name or self.field_name != "files":
            return
        try:
            self._current = Upload(
                self._owner,
                name=self.file_name,
                content_type=self.content_type,
                at_most=self._body_length,
            )
        except BadName as error:
            self.refused.append((self.file_name, error))
        else:
            self._uploads.append(self._current)

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        if self._current is None:
            return
        try:
            self._current.write(raw_data)
        except FileTooLarge as error:
            self.refused.append((self._current.name, error))
            self._current.abort()
            self._stopped = True
            # The rest of the body is not read: the answer is the same whatever it holds.
            raise StopUpload(connection_reset=True) from None

    def file_complete(self, file_size: int) -> UploadedFile[Any] | None:
        upload, self._current = self._current, None
        if upload is None:
            return None
        upload.finish()
        return ReceivedFile(self.field_name or "", upload)

    def upload_interrupted(self) -> None:
        # The body ended inside a file, at its declared length or before.
        self._interrupted = True

    def abort(self) -> None:
        """Take back every upload that was not published. Never raises."""
        for upload in self._uploads:
            upload.abort()
