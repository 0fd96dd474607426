"""Resumable uploads at the site (tus 1.0.0): begun, asked how they stand, given up."""

from __future__ import annotations

import base64
from typing import Final
from urllib.parse import unquote

from ..digests import ContentChain, parse_field
from ..errors import ClientError, Different
from ..transport import AGAIN, BROKEN, Answer, Server, Trying, refusal
from .source import type_of
from .stored import Stored, Target

TUS: Final = {"Tus-Resumable": "1.0.0"}
BODY: Final = "application/offset+octet-stream"

PART: Final = 8 * 1024 * 1024
"""The server's parts. What ends with one leaves nothing over there."""

OTHER_CONTENT: Final = 460


class Upload:
    """An upload as this side knows it: what is safe, and the chain of what was sent."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.offset = 0
        self.chain: bytes | None = None
        self.sent = ContentChain()
        self.file_id = ""
        self.name = ""

    def take(self, answer: Answer) -> None:
        """Note what an answer says."""
        self.offset = int(answer.headers["Upload-Offset"])
        self.chain = parse_field(answer.headers.get("Upload-Content-Chain"))
        self.file_id = answer.headers.get("Securestore-File", "")
        self.name = answer.headers.get("Securestore-Name", "")

    def stored(self, size: int, target: Target) -> Stored:
        """The file that it became. Raises Different where it has other bytes than were sent."""
        if not self.file_id or (self.chain is not None and self.chain != self.sent.value):
            raise Different(f"{target.place}: what is stored is not what was sent.")
        name = unquote(self.name) if self.name else target.place.name
        return Stored(self.file_id, name, size, True, self.sent.value)


class Uploads:
    """The uploads of one site, from any thread."""

    def __init__(self, server: Server, conflict: str) -> None:
        self._server = server
        self._conflict = conflict

    def begin(self, said: dict[str, str], target: Target, modified: str | None) -> Upload:
        """A new one, of which `said` tells the length. Raises ClientError."""
        headers = TUS | said | {"Upload-Metadata": self._metadata(target, modified)}
        trying = Trying(self._server.patience)
        while True:
            try:
                # An upload of which no byte came is given up by the site itself.
                answer = self._server.exchange("POST", "/uploads/", headers, (), 0)
            except BROKEN as error:
                trying.again(error, self._server)
                continue
            if answer.status == 201:
                return Upload("/uploads/" + answer.headers["Location"].rpartition("/")[2])
            refused = refusal(answer)
            if answer.status not in AGAIN:
                raise refused
            trying.again(refused, self._server)

    def _metadata(self, target: Target, modified: str | None) -> str:
        told = {
            "filename": target.place.name,
            "filetype": type_of(target.place.name),
            "conflict": self._conflict,
            "folder": target.folder_id,
            "modified": modified or "",
        }
        pairs = (
            f"{name} {base64.b64encode(value.encode()).decode()}"
            for name, value in told.items()
            if value
        )
        return ",".join(pairs)

    def at(self, path: str) -> Upload:
        """Where an upload stands. Raises ClientError."""
        answer = self._server.ask("HEAD", path, headers=TUS)
        upload = Upload(path)
        upload.take(answer)
        return upload

    def give_up(self, path: str) -> None:
        """Have it forgotten."""
        try:
            self._server.ask("DELETE", path, headers=TUS, key=False, again=False)
        except ClientError:
            return  # It expires by itself.
