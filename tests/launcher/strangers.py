"""Who has no business in the store, and speaks HTTP and gRPC to whatever listens.

HTTP/2 (RFC 9113) is written out by hand, so that each attempt is exactly what is sent, whether or
not the other side likes it.
"""

import http.client
import socket
import ssl
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from tests.launcher.sockets import Listener

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, SETTINGS, PING, WINDOW_UPDATE = 0, 1, 4, 6, 8
END_STREAM, END_HEADERS = 1, 4
LONGEST = 16_384  # bytes of a frame, where nobody asked for more


@dataclass(frozen=True)
class Way:
    """How one connects: in the clear, or in TLS with or without a certificate."""

    name: str
    tls: ssl.SSLContext | None = None

    def connect(self, listener: Listener) -> socket.socket:
        plain = listener.connect()
        if self.tls is None:
            return plain
        try:
            return self.tls.wrap_socket(plain)
        except OSError:
            plain.close()
            raise


def trusting_anybody(alpn: str) -> ssl.SSLContext:
    """A client that does not mind who answers."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols([alpn])
    return context


# --- HTTP ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Request:
    method: str
    target: str
    headers: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        return f"{self.method} {self.target} {dict(self.headers)}"


def requests(bucket: str, key: str) -> Iterator[Request]:
    """All that empties the store, tells what is in it, or makes a place in it; then as a page of
    another origin and a name that was rebound can send it.
    """
    targets = [
        f"/col/delete?collection={bucket}",
        f"/collection/info?collection={bucket}",
        "/dir/assign",
        f"/dir/assign?collection={bucket}",
        "/dir/lookup?volumeId=1",
        "/dir/status",
        "/cluster/status",
        "/vol/grow?count=1",
        "/vol/status",
        "/vol/vacuum?garbageThreshold=0.0001",
        "/submit",
        "/ui/index.html",
        "/1,01637037d6",
        "/metrics",
        "/debug/pprof/",
        "/",
        f"/{bucket}",
        f"/{bucket}/",
        f"/{bucket}/{key}",
        f"/{bucket}?delete",
        f"/{bucket}?policy",
        f"/{bucket}?lifecycle",
        f"/{bucket}?location",
        f"/buckets/{bucket}/?recursive=true&ignoreRecursiveError=true",
        f"/buckets/{bucket}/{key}",
        "/etc/iam/identity.json",
        "/.tus/",
        "/?Action=ListUsers&Version=2010-05-08",
        "/?Action=CreateUser&UserName=mallory",
        "/login",
        "/api/collections",
        "/object-store/buckets",
    ]
    page = (("Origin", "https://evil.example"), ("Host", "rebound.evil.example"))
    asks = ("Access-Control-Request-Method", "DELETE")
    for target in targets:
        for method in ("GET", "POST", "PUT", "DELETE"):
            yield Request(method, target)
        for method in ("GET", "POST"):
            yield Request(method, target, page)
        yield Request("OPTIONS", target, (*page, asks))


def status(way: Way, listener: Listener, request: Request) -> int:
    """What HTTP comes back; 0 for none."""
    try:
        with way.connect(listener) as connection:
            headers = {"Host": "localhost", "Connection": "close", **dict(request.headers)}
            lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
            body = "" if request.method == "GET" else "Content-Length: 0\r\n"
            connection.sendall(
                f"{request.method} {request.target} HTTP/1.1\r\n{lines}{body}\r\n".encode()
            )
            response = http.client.HTTPResponse(connection, method=request.method)
            response.begin()
            return response.status
    except (OSError, http.client.HTTPException):
        return 0


def obeyed(way: Way, listener: Listener, bucket: str, key: str) -> Iterator[str]:
    """Each request that was not refused."""
    for request in requests(bucket, key):
        answer = status(way, listener, request)
        if 0 < answer < http.client.BAD_REQUEST:
            yield f"{listener}, {way.name}: {request} -> {answer}"
        if answer == 0 and way.tls is not None:
            # Turned away before it was read: so is any other.
            return


# --- gRPC ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Call:
    """A method of one of SeaweedFS's services and the strings of its message, by their number."""

    method: str
    fields: tuple[tuple[int, str], ...] = ()

    @property
    def message(self) -> bytes:
        # Protocol Buffers: a key of field and wire type 2, a length, the bytes. All are short.
        return b"".join(
            bytes([number << 3 | 2, len(text)]) + text.encode() for number, text in self.fields
        )

    def __str__(self) -> str:
        return self.method


def calls(bucket: str, key: str) -> list[Call]:
    folder = f"/buckets/{bucket}"
    return [
        Call("/master_pb.Seaweed/CollectionDelete", ((1, bucket),)),
        Call("/master_pb.Seaweed/CollectionList"),
        Call("/master_pb.Seaweed/VolumeList"),
        Call("/master_pb.Seaweed/Assign", ((4, bucket),)),
        Call("/volume_server_pb.VolumeServer/DeleteCollection", ((1, bucket),)),
        Call("/volume_server_pb.VolumeServer/VolumeServerStatus"),
        Call("/filer_pb.SeaweedFiler/DeleteCollection", ((1, bucket),)),
        Call("/filer_pb.SeaweedFiler/DeleteEntry", ((1, folder), (2, key))),
        Call("/filer_pb.SeaweedFiler/ListEntries", ((1, folder),)),
        Call("/filer_pb.SeaweedFiler/LookupDirectoryEntry", ((1, folder), (2, key))),
        Call("/filer_pb.SeaweedFiler/GetFilerConfiguration"),
        Call("/iam_pb.SeaweedIdentityAccessManagement/GetConfiguration"),
        Call("/grpc.health.v1.Health/Check"),
        Call("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"),
    ]


def is_answered(way: Way, listener: Listener, call: Call) -> bool:
    """Whether a gRPC server takes the call at all: answers on its stream, be it with an error."""
    try:
        with way.connect(listener) as connection:
            connection.sendall(
                PREFACE
                + _frame(SETTINGS, 0, 0, b"")
                + _frame(HEADERS, END_HEADERS, 1, _header_block(call.method))
                + _frame(
                    DATA, END_STREAM, 1, struct.pack(">BI", 0, len(call.message)) + call.message
                )
            )
            while True:
                head = _exactly(connection, 9)
                length, kind = int.from_bytes(head[:3], "big"), head[3]
                # What an HTTP/1 server says is no frame of HTTP/2.
                if kind not in {HEADERS, SETTINGS, PING, WINDOW_UPDATE} or length > LONGEST:
                    return False
                if kind == HEADERS:
                    return True
                _exactly(connection, length)
    except OSError:
        return False


def _header_block(method: str) -> bytes:
    """HPACK (RFC 7541, 6.2.2): literals with new names, without Huffman and without indexing."""
    headers = {
        ":method": "POST",
        ":scheme": "http",
        ":path": method,
        ":authority": "localhost",
        "content-type": "application/grpc",
        "te": "trailers",
    }
    return b"".join(
        b"\0" + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode()
        for name, value in headers.items()
    )


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def _exactly(connection: socket.socket, count: int) -> bytes:
    """That many bytes, or `ConnectionError`."""
    parts = b""
    while len(parts) < count:
        more = connection.recv(min(count - len(parts), 65_536))
        if not more:
            raise ConnectionError("closed")
        parts += more
    return parts
