"""Bodies of multipart forms (RFC 7578), built byte by byte so that tests can cut or bend them."""

from __future__ import annotations

from dataclasses import dataclass

BOUNDARY = "a-boundary-that-no-file-holds"
CONTENT_TYPE = f"multipart/form-data; boundary={BOUNDARY}"


@dataclass(frozen=True)
class Part:
    """One part of the body: a file where it has a `filename`, else a plain field."""

    name: str
    content: bytes
    filename: str | None = None
    kind: str = "application/octet-stream"

    def encode(self) -> bytes:
        head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{self.name}"'
        if self.filename is not None:
            head += f'; filename="{self.filename}"\r\nContent-Type: {self.kind}'
        return head.encode() + b"\r\n\r\n" + self.content + b"\r\n"


def file(filename: str, content: bytes, field: str = "files") -> Part:
    return Part(field, content, filename)


def field(name: str, value: str) -> Part:
    return Part(name, value.encode())


def body(*parts: Part) -> bytes:
    """The whole body, closed as it should be."""
    return b"".join(part.encode() for part in parts) + f"--{BOUNDARY}--\r\n".encode()
