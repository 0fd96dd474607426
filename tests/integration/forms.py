"""Form uploads over raw sockets, cut at a byte of the test's choice, and what they left behind."""

from __future__ import annotations

import re
import socket
import sqlite3
import struct
import time
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from launcher.ports import LOOPBACK
from tests.files.multipart import CONTENT_TYPE, Part, body, field
from tests.integration.tus import Client, Server

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

UPLOAD = "/files/upload/"


def form(client: Client, *parts: Part) -> bytes:
    """The body of an upload, with the token first, as the page sends it."""
    return body(field("csrfmiddlewaretoken", client.headers["X-CSRFToken"]), *parts)


def post(client: Client, data: bytes) -> tuple[int, str]:
    """POST a whole form; the status and the page, or where it leads."""
    answer, content = client.request("POST", UPLOAD, data, **{"Content-Type": CONTENT_TYPE})
    return answer.status, answer.headers.get("Location") or content.decode()


def begin(client: Client, data: bytes, declared: int) -> socket.socket:
    """Announce a form of `declared` bytes and send those of `data`."""
    lines = {
        "Host": f"{LOOPBACK}:{client.port}",
        **client.headers,
        "Content-Type": CONTENT_TYPE,
        "Content-Length": str(declared),
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    connection = socket.create_connection((LOOPBACK, client.port), timeout=60)
    connection.sendall(f"POST {UPLOAD} HTTP/1.1\r\n{head}\r\n".encode())
    with suppress(ConnectionError):  # It may answer, and close, before it has read all.
        connection.sendall(data)
    return connection


def reset(connection: socket.socket) -> None:
    """Be gone with an RST."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def answer(connection: socket.socket) -> tuple[int, str]:
    """The status and the page of what comes back, up to the end of the connection."""
    received = b""
    with connection, suppress(ConnectionError):
        while chunk := connection.recv(65536):
            received += chunk
            head, _, page = received.partition(b"\r\n\r\n")
            told = re.search(rb"(?i)content-length: (\d+)", head)
            if told and len(page) >= int(told[1]):
                break
    head, _, page = received.partition(b"\r\n\r\n")
    return int(head[9:12]), page.decode()


@dataclass
class Site:
    """The server, and a look behind it: its rows and its objects."""

    server: Server
    store: S3Client

    def rows(self, query: str) -> list[Any]:
        """A look into the database, beside the server."""
        with closing(sqlite3.connect(self.server.database, timeout=30)) as database:
            return database.execute(query).fetchall()

    def events(self, name: str) -> int:
        return int(
            self.rows(f"SELECT count(*) FROM audit_auditevent WHERE event = '{name}'")[0][0]  # noqa: S608
        )

    def files(self) -> list[str]:
        return [row[0] for row in self.rows("SELECT name FROM files_filerecord")]

    def objects(self) -> set[str]:
        listed = self.store.list_objects_v2(Bucket=self.server.bucket).get("Contents", [])
        return {found["Key"] for found in listed}

    def is_tidy(self) -> bool:
        """Whether rows, files and objects are one to one, and nothing is unfinished."""
        return not self.untidy()

    def untidy(self) -> list[str]:
        """What should not be there."""
        rows = self.rows("SELECT object_name, state FROM files_storedobject")
        begun = self.store.list_multipart_uploads(Bucket=self.server.bucket).get("Uploads", [])
        return [
            *(f"row {state}" for _name, state in rows if state not in {"live", "kept", "damaged"}),
            *(f"object {name}" for name in {name for name, _state in rows} ^ self.objects()),
            *(f"multipart {upload['Key']}" for upload in begun),
        ]


def eventually(holds: Callable[[], bool], seconds: float = 30) -> bool:
    """Whether it holds within that time; the server goes on after a client has gone."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
