"""Files from a multipart form (RFC 7578), streamed into the vault while the body arrives.

The only upload handler of its request. It runs before the form's CSRF token could be checked, so
nothing that it stores is a file until the view publishes it; whoever installs it must call
`abort` in a `finally`. Never buffers more than the writer's parts, never writes to disk.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import IO, TYPE_CHECKING, Any, cast
from urllib.parse import unquote

from django.conf import settings
from django.core.exceptions import TooManyFilesSent
from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import FileUploadHandler, StopUpload
from django.http import Http404, HttpRequest, multipartparser
from django.http.multipartparser import MultiPartParser
from django.utils.translation import gettext

from accounts.models import User
from files.access.principals import Person
from files.crypto.stream.layout import FRAME_PAYLOAD
from files.errors import FileTooLarge, MayNotAdd, NameTaken, TooManyUploads, VaultError
from files.records.names import BadName
from files.vault.destinations import Destination
from files.vault.storing import Upload
from files.web.transfers import bodies
from files.web.transfers.boundaries import Pieces
from files.web.transfers.destinations import BadDestination, destination
from files.web.transfers.moments import parse_moment
from runtime.slowness import TooSlow

if TYPE_CHECKING:
    from django.http import QueryDict
    from django.utils.datastructures import MultiValueDict


MAX_FILES = 100
"""Files that one form takes."""


class BodyTooShort(VaultError):
    """The body ended before its declared length: the client has gone, or was cut off."""

    def __init__(self) -> None:
        super().__init__(
            gettext("The upload was cut off before it was complete. Nothing was stored.")
        )


class BodyTooSlow(VaultError):
    """The body came too slowly to be waited for."""

    def __init__(self, slow: TooSlow) -> None:
        super().__init__(
            gettext("%(slow)s Nothing was stored. Try again on a faster line.") % {"slow": slow}
        )


class NoForm(VaultError):
    """The body is no multipart form at all, or not one that could be read."""

    def __init__(self, problem: str) -> None:
        super().__init__(
            gettext(
                "%(problem)s Nothing was stored. Files are sent as multipart/form-data (RFC "
                "7578) in the field “files”, or by tus to /uploads/."
            )
            % {"problem": problem}
        )


class TooManyFiles(VaultError):
    """More files than one form takes. `count` of them came; None is more than are counted."""

    def __init__(self, count: int | None) -> None:
        most = settings.DATA_UPLOAD_MAX_NUMBER_FILES
        sent = gettext("more than %(most)d") % {"most": most} if count is None else str(count)
        super().__init__(
            gettext(
                "There were %(sent)s files in the form, and it takes %(max_files)s at most. "
                "Nothing was stored. Send them again, %(max_files)s or fewer at a time; with "
                "JavaScript turned on, this page sends any number, one after the other."
            )
            % {"sent": sent, "max_files": MAX_FILES}
        )


class WrongField(VaultError):
    """A file came in another field than the one that files are taken from."""

    def __init__(self, field: str) -> None:
        super().__init__(
            gettext(
                "It came in the field “%(field)s”, and files are taken from the field “files”. "
                "It was not stored: send it again in that field."
            )
            % {"field": field}
        )


class BadTime(VaultError):
    """What a form says of the times of its files makes no sense."""

    def __init__(self, problem: str) -> None:
        super().__init__(
            gettext(
                "The field “modified” is not usable: %(problem)s Nothing was stored. Send one "
                "for each file, in their order, as RFC 3339 has it; or none."
            )
            % {"problem": problem}
        )


class CountedBody:
    """A request's body that counts what was read: a cut shows as nothing but a clean end."""

    def __init__(self, body: IO[bytes] | HttpRequest) -> None:
        self._body = body
        self.received = 0
        self.at_most: int | None = None
        """Bytes that the next reading brings, at most: a piece that ends with a frame is not
        copied on its way."""

    def read(self, size: int = -1) -> bytes:
        """As the body's own, or less."""
        if self.at_most is not None:
            size = self.at_most if size < 0 else min(size, self.at_most)
            self.at_most = None
        data = self._body.read(size)
        self.received += len(data)
        return data


_LONGEST_HEADER = 1024  # Django's own bound.
_IS_FIELD = re.compile(rb"^content-disposition[ \t]*:", re.IGNORECASE | re.MULTILINE)


class PlainParts(multipartparser.Parser):
    """The parts of a form, refused where one is not what its bytes are.

    Django undoes base64, keeps what is packed or quoted-printable as it came, and reads the text
    of every field in the form's character set. RFC 7578 (4.7) has all of it out of use.
    """

    def __iter__(self) -> Iterator[Any]:
        for kind, headers, stream in super().__iter__():
            for name in ("content-encoding", "content-transfer-encoding"):
                # Bytes where a value is not ASCII: no coding, and refused as one.
                value, _ = headers.get(name, ("", {}))
                bodies.refuse_coding(name.title(), str(value))
            if kind == multipartparser.RAW:
                _refuse_unread_headers(stream)
            if kind == multipartparser.FIELD:
                _, parameters = headers.get("content-type", ("", {}))
                bodies.refuse_charset(_text(parameters.get("charset", "utf-8")))
                _, disposition = headers.get("content-disposition", ("", {}))
                if _text(disposition.get("name", "")) == "_charset_":
                    bodies.refuse_charset("_charset_")
            yield kind, headers, stream


def _refuse_unread_headers(stream: multipartparser.LazyStream) -> None:
    """Django leaves out a header that is not UTF-8, and with it the whole file, without a word."""
    begins = stream.read(_LONGEST_HEADER)
    stream.unget(begins)
    headers, end, _ = begins.partition(b"\r\n\r\n")
    if end and _IS_FIELD.search(headers):  # Without an end it was cut off there.
        raise bodies.Refused(
            400,
            gettext("The name of a file could not be read"),
            gettext(
                "Nothing was stored. Names are read as UTF-8: rename the file, or send it with "
                "another program."
            ),
        )


def _text(value: str | bytes) -> str:
    return value.decode("ascii", "replace") if isinstance(value, bytes) else value


# Django has no hook for it, and the rule holds for every form: one who reads others' parts would
# not know that it was left out.
multipartparser.Parser = PlainParts  # type: ignore[misc]
# Nor for this: what it finds is the same.
multipartparser.BoundaryIter = Pieces  # type: ignore[misc]


class RawNames(MultiPartParser):
    """Leaves a file's name as it was sent: `names` has the one rule of what is kept.

    And tells the fields that came so far, while files come.

    But for `%22`, `%0A` and `%0D`: browsers send a quotation mark and the two ends of a line so,
    and nothing else (WHATWG HTML, 4.10.22.8). A name that has these three characters itself cannot
    be told from it in a form; by tus it can.
    """

    def said(self, field: str) -> str:
        """What came last in that field so far; empty where nothing did."""
        fields: QueryDict | None = getattr(self, "_post", None)
        return (fields.get(field) if fields is not None else None) or ""

    def sanitize_file_name(self, file_name: str) -> str:
        return re.sub("%(?:22|0A|0D)", lambda sent: unquote(sent[0]), file_name)


class ReceivedFile(UploadedFile[Any]):
    """A file of the form that is in the vault already. It has no content to read."""

    def __init__(self, field: str, upload: Upload, number: int) -> None:
        """`number` counts the files of the form, refused ones too, from 0."""
        super().__init__(None, upload.name, upload.content_type, upload.size)
        self.field = field
        self.upload = upload
        self.number = number

    def close(self) -> None:
        """Nothing is open. Django calls this at the end of a request, and when parsing fails."""


class VaultUploadHandler(FileUploadHandler):
    """Streams each file of the field `files` into an `Upload` of its own.

    `refused` collects the files that the rules refuse, as (name, error); the others go on. Where
    they go is said by the fields `folder` and `conflict`, before the files or after them.
    """

    chunk_size = FRAME_PAYLOAD

    def __init__(self, request: HttpRequest, owner: User) -> None:
        super().__init__(request)
        self._owner = owner
        self._uploads: list[Upload] = []
        self._current: Upload | None = None
        self._parser: RawNames | None = None
        self._body: CountedBody | None = None
        self._parsing = False
        self._body_length = 0
        self._stopped = False
        self._interrupted = False
        self.count = 0
        """Files that came, whatever became of them."""
        self.refused: list[tuple[str, BadName | VaultError]] = []
        self._said: dict[tuple[str, str], Destination] = {}
        self.misdirected: Exception | None = None
        """Why nothing can go where it was to go; then the rest of the body is not read."""

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
        self._body = body = CountedBody(input_data)
        try:
            self._parser = RawNames(META, cast("Any", body), [self], encoding)
            result = self._parser.parse()
        except TooManyFilesSent:
            raise TooManyFiles(None) from None
        if self.count > MAX_FILES:
            raise TooManyFiles(self.count)
        if self._interrupted or (body.received < content_length and not self._stopped):
            raise BodyTooShort
        return result

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        super().new_file(*args, **kwargs)
        self._current = None
        if not self.file_name:
            return
        self.count += 1
        if self.count > MAX_FILES:
            # All are counted, to say how many there were. None is kept, so none needs to stay.
            self.abort()
            return
        if self.field_name != "files":
            self.refused.append((self.file_name, WrongField(str(self.field_name))))
            return
        try:
            self._current = Upload(
                self._owner,
                name=self.file_name,
                content_type=self.content_type,
                at_most=self._body_length,
                destination=self._destination(self._has("folder"), self._has("conflict")),
            )
        except (BadName, TooManyUploads, NameTaken) as error:
            self.refused.append((self.file_name, error))
        except (BadDestination, Http404, MayNotAdd) as error:
            self.misdirected = error
            self._stopped = True
            raise StopUpload(connection_reset=True) from None
        else:
            self._uploads.append(self._current)

    def _has(self, field: str) -> str:
        return "" if self._parser is None else self._parser.said(field)

    def _destination(self, folder: str, conflict: str) -> Destination:
        """Where that is, asked once. Raises BadDestination, Http404."""
        if (folder, conflict) not in self._said:
            found = destination(Person(self._owner), folder=folder, conflict=conflict)
            self._said[folder, conflict] = found
        return self._said[folder, conflict]

    def direct(self, files: Sequence[ReceivedFile], fields: QueryDict) -> list[ReceivedFile]:
        """Send the files where the whole form says: its fields may have come after them.

        Those that are left: one whose name is taken, and that was to be refused then, is not.
        Raises BadDestination, Http404, MayNotAdd.
        """
        meant = self._destination(fields.get("folder") or "", fields.get("conflict") or "")
        left = []
        for file in files:
            try:
                if file.upload.destination != meant:
                    file.upload.direct(meant)
            except NameTaken as error:
                self.refused.append((file.upload.name, error))
            else:
                left.append(file)
        return left

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
        if self._body is not None:
            self._body.at_most = FRAME_PAYLOAD - self._current.size % FRAME_PAYLOAD

    def file_complete(self, file_size: int) -> UploadedFile[Any] | None:
        upload, self._current = self._current, None
        if upload is None:
            return None
        upload.finish()
        return ReceivedFile(self.field_name or "", upload, self.count - 1)

    def upload_interrupted(self) -> None:
        # The body ended inside a file, at its declared length or before.
        self._interrupted = True

    def date(self, files: Iterable[ReceivedFile], times: Sequence[str]) -> None:
        """Note when the originals were changed; `times` has one for each file of the form, or none.

        An empty one says nothing. Raises BadTime.
        """
        if not times:
            return
        if len(times) != self.count:
            text = gettext("there are %(times)d for %(files)d files.")
            raise BadTime(text % {"times": len(times), "files": self.count})
        try:
            moments = [parse_moment(text) if text.strip() else None for text in times]
        except ValueError as error:
            raise BadTime(str(error)) from None
        for file in files:
            file.upload.modified_at = moments[file.number]

    def abort(self) -> None:
        """Take back every upload that was not published. Never raises."""
        for upload in self._uploads:
            upload.abort()
