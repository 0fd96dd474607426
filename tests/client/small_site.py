"""A small real server of what the command asks for, where no site is needed: it can also misbehave.

Speaks HTTP/1.1 over loopback with the standard library alone. Files are in memory. `cuts` ends the
next bodies after so many bytes, in whichever direction they go; `refuse` answers the next requests
with a status.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import socket
import ssl
import threading
import uuid
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlsplit

from client.securestore_client.digests import ContentChain
from client.securestore_client.digests import field as byte_sequence

TOKEN = "ssv_" + "a" * 36


def chain_of(data: bytes) -> bytes:
    chain = ContentChain()
    chain.update(data)
    return chain.value


@dataclass
class Kept:
    """A file or a folder."""

    id: str
    name: str
    parent: str | None
    data: bytes | None = None
    version: int = 1
    trashed: bool = False
    locked_with: str = ""

    @property
    def etag(self) -> str:
        return f'"{self.id}-{self.version}"'

    def described(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "name": self.name,
            "kind": "folder" if self.data is None else "file",
            "size": len(self.data or b""),
            "owner": "alice",
            "folder_id": self.parent,
            "modified_at": "2026-11-30T08:00:00Z",
            "etag": self.etag,
            "custody": "held" if self.locked_with else "managed",
        }


@dataclass
class Upload:
    name: str
    folder: str
    length: int | None
    data: bytearray = field(default_factory=bytearray)
    file: str = ""


class SmallSite:
    """Use as a context manager, with TLS where it is given one. `asked` has each request's method
    and path, `connections` how many there were, of those as well that sent no request.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.tls = tls
        self.connections = 0
        self.hang_ups = 0
        """Connections that end before anything is said."""
        self.root = Kept(str(uuid.uuid4()), "", None)
        self.kept: dict[str, Kept] = {self.root.id: self.root}
        self.uploads: dict[str, Upload] = {}
        self.asked: list[tuple[str, str]] = []
        self.tokens: list[str] = []
        self.cuts: list[int] = []
        self.refuse: list[tuple[int, dict[str, str]]] = []
        self.expected = 0
        """Requests that said of which bytes the whole is to be."""
        self.lose_answers = 0
        self.lose_answers_to = ""
        """How paths end of which answers are lost."""
        self.gone_after: int | None = None
        """Requests after which it answers none any more."""
        self.spoil = False
        self.knows_no_batches = False
        self.tells_addresses = True
        self.forgets_digests = False
        """Whether replays have none: what was stored is no version any more."""
        self.answered: dict[str, tuple[str, int, Any, dict[str, str]]] = {}
        """By their `Idempotency-Key`: what was asked for, and how it is answered again."""
        self.links: list[dict[str, Any]] = []
        self.requests: list[dict[str, Any]] = []
        self.former: dict[str, list[str]] = {}
        """Versions of files, by their ids."""
        self.token = TOKEN
        """The only one that is taken."""
        self.lock = threading.RLock()
        self._server = _Server(self)

    @property
    def url(self) -> str:
        return f"http{'s' if self.tls else ''}://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    # --- What there is ----------------------------------------------------------------------------

    def add(self, path: str, data: bytes | None, **fields: Any) -> Kept:
        """A file, or with None a folder, and those above it."""
        *above, name = path.split("/")
        parent = self.root
        for each in above:
            parent = self.child(parent.id, each) or self.add_to(parent.id, each, None)
        return self.add_to(parent.id, name, data, **fields)

    def add_to(self, parent: str, name: str, data: bytes | None, **fields: Any) -> Kept:
        with self.lock:
            there = self.child(parent, name)
            if there is not None and data is not None:
                there.data, there.version = data, there.version + 1
                return there
            made = Kept(str(uuid.uuid4()), name, parent, data, **fields)
            self.kept[made.id] = made
            return made

    def child(self, parent: str, name: str) -> Kept | None:
        with self.lock:
            return next(
                (
                    one
                    for one in self.kept.values()
                    if one.parent == parent
                    and one.name.casefold() == name.casefold()
                    and not one.trashed
                ),
                None,
            )

    def at(self, path: str, root: str | None = None) -> Kept | None:
        found: Kept | None = self.kept.get(root or self.root.id)
        for name in filter(None, path.split("/")):
            found = self.child(found.id, name) if found is not None else None
        return found

    def content(self, path: str) -> bytes:
        found = self.at(path)
        assert found is not None, path
        assert found.data is not None, path
        return found.data

    def count(self, method: str) -> int:
        return sum(asked == method for asked, _ in self.asked)


class _Cut(Exception):
    pass


class _Server(ThreadingHTTPServer):
    """Counts connections, and has those of TLS be agreed upon by the thread that reads them."""

    daemon_threads = True

    def __init__(self, site: SmallSite) -> None:
        super().__init__(("127.0.0.1", 0), _handler_of(site))
        self._site = site

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, client = super().get_request()
        self._site.connections += 1
        if self._site.hang_ups:
            self._site.hang_ups -= 1
            connection.close()
            raise ConnectionAbortedError
        if self._site.tls is not None:
            connection = self._site.tls.wrap_socket(
                connection, server_side=True, do_handshake_on_connect=False
            )
        return connection, client

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: that a client hangs up is what tests are about."""


def _handler_of(site: SmallSite) -> type[BaseHTTPRequestHandler]:
    class Bound(_Handler):
        pass

    Bound.site = site
    return Bound


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # An answer is written in two pieces, and the second would wait 40 ms for word of the first.
    disable_nagle_algorithm = True
    site: SmallSite

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except (_Cut, ConnectionError):
            self.close_connection = True

    def _any(self) -> None:
        site = self.site
        site.asked.append((self.command, self.path))
        site.tokens.append(self.headers.get("Authorization", ""))
        self.arrived, self.sent = 0, b""
        if site.gone_after is not None and len(site.asked) > site.gone_after:
            raise _Cut
        if site.refuse:
            status, headers = site.refuse.pop(0)
            self._read()
            return self._problem(status, "busy", **headers)
        if self.headers.get("Authorization") != f"Bearer {site.token}":
            self._read()
            return self._problem(401, "token_refused")
        if self._key in site.answered:
            return self._replay(*site.answered[self._key])
        parts = urlsplit(self.path)
        self.query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        for method, pattern, act in _ROUTES:
            found = re.fullmatch(pattern, parts.path)
            if method == self.command and found:
                with site.lock if method not in {"PUT", "PATCH", "GET"} else threading.Lock():
                    act(self, *map(unquote, found.groups()))
                    return None
        self._read()
        return self._problem(404, "not_found")

    def __getattr__(self, name: str) -> Any:
        if name.startswith("do_"):
            return self._any
        raise AttributeError(name)

    # --- Reading and answering --------------------------------------------------------------------

    def _read(self, into: bytearray | None = None) -> bytes:
        length = int(self.headers.get("Content-Length") or 0)
        limit = self.site.cuts.pop(0) if self.site.cuts and length > 200 else None
        found = bytearray() if into is None else into
        for _ in range(0, length, 65_536):
            want = min(65_536, length - self.arrived)
            if limit is not None:
                want = min(want, limit - self.arrived)
            data = self.rfile.read(want) if want else b""
            found += data
            self.arrived += len(data)
            if limit is not None and self.arrived >= limit:
                raise _Cut
        self.sent = bytes(found)
        return self.sent

    @property
    def _key(self) -> str:
        return str(self.headers.get("Idempotency-Key", ""))

    def _replay(self, asked: str, status: int, body: Any, headers: dict[str, str]) -> None:
        sent = self._read()
        assert asked == f"{self.command} {self.path} {hashlib.sha256(sent).hexdigest()}"
        if body and "url" in body:
            body = {"id": body["id"]}
        if self.site.forgets_digests:
            headers = {name: said for name, said in headers.items() if name != "Repr_Digest"}
        self._answer(status, body, **{**headers, "Idempotent_Replay": "true"})

    def _answer(self, status: int, body: Any = None, **headers: str) -> None:
        if self._key and status < 400 and self._key not in self.site.answered:
            asked = f"{self.command} {self.path} {hashlib.sha256(self.sent).hexdigest()}"
            self.site.answered[self._key] = asked, status, body, headers
        data = b"" if body is None else json.dumps(body).encode()
        changes = self.command not in {"GET", "HEAD"}
        if self.site.lose_answers and changes and self.path.endswith(self.site.lose_answers_to):
            self.site.lose_answers -= 1
            raise _Cut
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Type", headers.get("Content_Type", "application/json"))
        if status != 204:
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _problem(self, status: int, code: str, **headers: str) -> None:
        self._answer(
            status, {"code": code, "detail": f"It is {code}.", "status": status}, **headers
        )

    def _json(self) -> Any:
        return json.loads(self._read() or b"{}")

    # --- Entries ----------------------------------------------------------------------------------

    def me(self) -> None:
        token = {"name": "t", "scopes": ["add", "read"], "folder_id": None}
        token["expires_at"] = "2027-01-01T00:00:00Z"
        self._answer(200, {"username": "alice", "root_id": self.site.root.id, "token": token})

    def folder(self, folder_id: str) -> None:
        found = self.site.kept.get(folder_id)
        if found is None or found.data is not None:
            return self._problem(404, "not_found")
        return self._answer(200, found.described())

    def item(self, folder_id: str) -> None:
        found = self.site.at(self.query["path"], folder_id)
        if found is None:
            return self._problem(404, "not_found")
        return self._answer(200, found.described())

    def by_id(self, file_id: str) -> None:
        found = self.site.kept.get(file_id)
        if found is None or found.data is None:
            return self._problem(404, "not_found")
        return self._answer(200, found.described())

    def entries(self, folder: str) -> None:
        found = sorted(
            (e for e in self.site.kept.values() if e.parent == folder and not e.trashed),
            key=lambda e: (e.data is not None, e.name.casefold()),
        )
        self._page([each.described() for each in found])

    def trash(self) -> None:
        self._page([e.described() for e in self.site.kept.values() if e.trashed])

    def search(self) -> None:
        words = self.query["q"].casefold().split()
        found = [e for e in self.site.kept.values() if e.parent and not e.trashed]
        self._page([e.described() for e in found if all(w in e.name.casefold() for w in words)])

    def _page(self, items: list[Any]) -> None:
        start, limit = int(self.query.get("after", "0")), min(int(self.query["limit"]), 50)
        more = str(start + limit) if start + limit < len(items) else None
        self._answer(200, {"items": items[start : start + limit], "next": more})

    def make_folders(self, folder_id: str) -> None:
        found = self.site.kept[folder_id]
        for name in self._json()["path"].split("/"):
            found = self.site.child(found.id, name) or self.site.add_to(found.id, name, None)
        self._answer(201, found.described())

    def digests(self) -> None:
        items = []
        for file_id in self._json()["files"]:
            data = self.site.kept[file_id].data
            assert data is not None
            sha256 = hashlib.sha256(data).hexdigest()
            chain = byte_sequence(chain_of(data))
            items.append({"id": file_id, "sha256": sha256, "content_chain": chain})
        self._answer(200, {"digests": items})

    def change(self, kind: str, entry_id: str) -> None:
        found, asked = self.site.kept[entry_id], self._json()
        found.name = asked["name"]
        self._answer(200, found.described())

    def move(self, kind: str, entry_id: str) -> None:
        found = self.site.kept[entry_id]
        found.parent = self._json()["to"]
        self._answer(200, found.described())

    def put_away(self, kind: str, entry_id: str) -> None:
        self._read()
        if self.site.kept[entry_id].trashed:
            return self._problem(404, "not_found")
        self.site.kept[entry_id].trashed = True
        return self._answer(204)

    def restore(self, kind: str, entry_id: str) -> None:
        self._read()
        if not self.site.kept[entry_id].trashed:
            return self._problem(404, "not_found")
        self.site.kept[entry_id].trashed = False
        return self._answer(200, self.site.kept[entry_id].described())

    def store_files(self, folder_id: str) -> None:
        files = self._json()["files"]
        if self.site.knows_no_batches:
            return self._problem(404, "not_found")
        assert self._key
        names = [one["name"].casefold() for one in files]
        if len(set(names)) < len(names) or any(self.site.child(folder_id, n) for n in names):
            return self._problem(409, "name_taken")
        told = []
        for one in files:
            data = base64.b64decode(one["content"])
            assert one["sha256"] == hashlib.sha256(data).hexdigest()
            made = self.site.add_to(folder_id, one["name"], data)
            sha256 = "0" * 64 if self.site.spoil else one["sha256"]
            told.append({"id": made.id, "name": made.name, "size": len(data), "sha256": sha256})
        return self._answer(201, {"files": told})

    def links(self, of: str = "") -> None:
        found = [one for one in self.site.links if of in {"", one["folder_id"]}]
        after = int(self.query.get("after", "0")) or 2**62
        left = [one for one in reversed(found) if one["id"] < after]
        self._answer(200, {"links": left[:2], "next": left[1]["id"] if left[2:] else None})

    def make_link(self, folder_id: str) -> None:
        self._read()
        number = len(self.site.links) + 1
        told = {"id": number, "status": "live", "folder_id": folder_id, "url": f"/l/{number}"}
        self.site.links.append(told)
        self._answer(201, told if self.site.tells_addresses else {"id": number})

    def end_link(self, number: str) -> None:
        self._read()
        self.site.links[int(number) - 1]["status"] = "revoked"
        self._answer(204)

    def end_token(self) -> None:
        self._read()
        self.site.token = ""
        self._answer(204)

    def requests(self) -> None:
        self._answer(200, {"requests": self.site.requests, "next": None})

    def versions(self, file_id: str) -> None:
        told = {"size": 3, "uploaded_at": "2026-11-30T08:00:00Z", "uploaded_by": None}
        found = [{"version": one, **told} for one in self.site.former.get(file_id, [])]
        self._answer(200, {"versions": found})

    def restore_version(self, file_id: str, version: str) -> None:
        self._read()
        if version not in self.site.former.get(file_id, []):
            return self._problem(404, "not_found")
        self.site.former[file_id].remove(version)
        return self._answer(200, self.site.kept[file_id].described())

    # --- Bytes ------------------------------------------------------------------------------------

    def put(self, root: str, path: str) -> None:
        data = self._read()
        told = self.headers.get("Repr-Digest", "")
        digest = f"sha-256={byte_sequence(hashlib.sha256(data).digest())}"
        if told and told != digest:
            return self._problem(400, "digest_mismatch")
        above, _, name = path.rpartition("/")
        folder = self.site.at(above, root or None)
        assert folder is not None
        if self.headers.get("If-None-Match") and self.site.child(folder.id, name):
            return self._problem(412, "precondition_failed")
        made = self.site.add_to(folder.id, name, data)
        if self.site.spoil:
            digest = f"sha-256={byte_sequence(bytes(32))}"
        body = {"file": made.described(), "outcome": "created", "key": None}
        return self._answer(201, body, Repr_Digest=digest)

    def bytes_of(self, root: str, path: str) -> None:
        self._send(self.site.at(path, root or None))

    def bytes_by_id(self, file_id: str) -> None:
        self._send(self.site.kept.get(file_id))

    def _send(self, found: Kept | None) -> None:
        if found is None or found.data is None:
            return self._problem(404, "not_found")
        if found.locked_with and self.headers.get("Securestore-Key") != found.locked_with:
            return self._problem(403, "locked")
        if self.headers.get("If-Match", found.etag) != found.etag:
            return self._problem(412, "changed")
        data, status, extra = found.data, 200, {}
        chosen = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        start, end = 0, len(data)
        if chosen and self.command == "GET":
            start, status = int(chosen[1]), 206
            end = int(chosen[2]) + 1 if chosen[2] else end
            extra["Content-Range"] = f"bytes {start}-{end - 1}/{len(data)}"
        self.send_response(status)
        sha256 = bytes(32) if self.site.spoil else hashlib.sha256(data).digest()
        chain = bytes(32) if self.site.spoil else chain_of(data)
        extra["Repr-Digest"] = f"sha-256={byte_sequence(sha256)}"
        extra["Securestore-Content-Chain"] = byte_sequence(chain)
        extra["Last-Modified"] = "Mon, 30 Nov 2026 08:00:00 GMT"
        for name, value in {**extra, "ETag": found.etag}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(end - start))
        self.end_headers()
        if self.command == "HEAD":
            return None
        body = data[start:end]
        if self.site.cuts and len(body) > 200:
            self.wfile.write(body[: self.site.cuts.pop(0)])
            self.wfile.flush()
            raise _Cut
        self.wfile.write(body)
        return None

    # --- Resumable uploads ------------------------------------------------------------------------

    def begin(self) -> None:
        pairs = [p.split(" ") for p in self.headers["Upload-Metadata"].split(",")]
        told = {name: base64.b64decode(value).decode() for name, value in pairs}
        length = self.headers.get("Upload-Length")
        upload_id = str(uuid.uuid4())
        folder = told.get("folder", self.site.root.id)
        upload = Upload(told["filename"], folder, int(length) if length else None)
        self.site.uploads[upload_id] = upload
        if upload.length == 0:
            upload.file = self.site.add_to(folder, upload.name, b"").id
        self._answer(201, Location=f"/uploads/{upload_id}")

    def stands(self, upload_id: str) -> None:
        upload = self.site.uploads.get(upload_id)
        if upload is None:
            return self._problem(404, "not_found")
        return self._state(200, upload)

    def give_up(self, upload_id: str) -> None:
        self.site.uploads.pop(upload_id, None)
        self._answer(204)

    def _state(self, status: int, upload: Upload) -> None:
        extra = {"Securestore_File": upload.file} if upload.file else {}
        chain = byte_sequence(chain_of(bytes(upload.data)))
        self._answer(
            status, Upload_Offset=str(len(upload.data)), Upload_Content_Chain=chain, **extra
        )

    def patch(self, upload_id: str) -> None:
        upload = self.site.uploads[upload_id]
        if self.headers["Upload-Offset"] != str(len(upload.data)):
            self._read()
            return self._answer(409, Upload_Offset=str(len(upload.data)))
        told = self.headers.get("Upload-Content-Chain")
        if told and told != byte_sequence(chain_of(bytes(upload.data))):
            self._read()
            return self._state(409, upload)
        if "Upload-Length" in self.headers:
            upload.length = int(self.headers["Upload-Length"])
        self._read(upload.data)
        expected = self.headers.get("Upload-Expected-Chain")
        self.site.expected += expected is not None
        if expected and expected != byte_sequence(chain_of(bytes(upload.data))):
            return self._state(460, upload)
        if len(upload.data) == upload.length:
            upload.file = self.site.add_to(upload.folder, upload.name, bytes(upload.data)).id
        return self._state(204, upload)


_API = "/api/v1"
_ROUTES: list[tuple[str, str, Any]] = [
    ("GET", f"{_API}/me", _Handler.me),
    ("GET", f"{_API}/folders/([^/]+)", _Handler.folder),
    ("GET", f"{_API}/folders/([^/]+)/item", _Handler.item),
    ("GET", f"{_API}/files/([^/]+)", _Handler.by_id),
    ("GET", f"{_API}/folders/([^/]+)/items", _Handler.entries),
    ("GET", f"{_API}/trash", _Handler.trash),
    ("GET", f"{_API}/search", _Handler.search),
    ("POST", f"{_API}/folders/([^/]+)/paths", _Handler.make_folders),
    ("POST", f"{_API}/folders/([^/]+)/files", _Handler.store_files),
    ("POST", f"{_API}/digests", _Handler.digests),
    ("GET", f"{_API}/links", _Handler.links),
    ("GET", f"{_API}/folders/([^/]+)/links", _Handler.links),
    ("POST", f"{_API}/folders/([^/]+)/links", _Handler.make_link),
    ("DELETE", f"{_API}/links/([^/]+)", _Handler.end_link),
    ("DELETE", f"{_API}/me/token", _Handler.end_token),
    ("GET", f"{_API}/requests", _Handler.requests),
    ("GET", f"{_API}/files/([^/]+)/versions", _Handler.versions),
    ("POST", f"{_API}/files/([^/]+)/versions/([^/]+)/restore", _Handler.restore_version),
    ("PATCH", f"{_API}/(files|folders)/([^/]+)", _Handler.change),
    ("POST", f"{_API}/(files|folders)/([^/]+)/move", _Handler.move),
    ("DELETE", f"{_API}/(files|folders)/([^/]+)", _Handler.put_away),
    ("POST", f"{_API}/(files|folders)/([^/]+)/restore", _Handler.restore),
    ("PUT", f"{_API}()/content/(.+)", _Handler.put),
    ("PUT", f"{_API}/folders/([^/]+)/content/(.+)", _Handler.put),
    ("GET", f"{_API}()/content/(.+)", _Handler.bytes_of),
    ("HEAD", f"{_API}()/content/(.+)", _Handler.bytes_of),
    ("GET", f"{_API}/folders/([^/]+)/content/(.+)", _Handler.bytes_of),
    ("HEAD", f"{_API}/folders/([^/]+)/content/(.+)", _Handler.bytes_of),
    ("GET", f"{_API}/files/([^/]+)/content", _Handler.bytes_by_id),
    ("HEAD", f"{_API}/files/([^/]+)/content", _Handler.bytes_by_id),
    ("POST", "/uploads/", _Handler.begin),
    ("HEAD", "/uploads/([^/]+)", _Handler.stands),
    ("PATCH", "/uploads/([^/]+)", _Handler.patch),
    ("DELETE", "/uploads/([^/]+)", _Handler.give_up),
]
