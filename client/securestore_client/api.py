"""The site's API as this program uses it: every path and every shape of an answer stands here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlencode

from .digests import parse_field, parse_sha256
from .errors import NOT_FOUND, USAGE, ClientError, Refused, Unreachable
from .places import Place
from .transport import Answer, Server

if TYPE_CHECKING:
    from datetime import datetime

API: Final = "/api/v1"
PAGE: Final = 200
BATCH: Final = 100
"""Files whose digests are asked for at once."""

TRIES: Final = 3
"""How often something is made whose address was not told."""


@dataclass(frozen=True)
class Entry:
    """A file or a folder at the site."""

    id: str
    name: str
    is_folder: bool
    size: int = 0
    modified_at: str = ""
    etag: str = ""
    is_locked: bool = False
    folder_id: str = ""
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Content:
    """What is known of a file's bytes before they are fetched."""

    size: int
    etag: str
    sha256: bytes | None = None
    chain: bytes | None = None
    modified_at: str = ""


@dataclass(frozen=True)
class Digests:
    """What a file at the site has, where that is known."""

    sha256: bytes | None
    chain: bytes | None


def entry_of(raw: Mapping[str, Any]) -> Entry:
    """An entry as it is answered."""
    return Entry(
        id=str(raw["id"]),
        name=str(raw["name"]),
        is_folder=raw["kind"] == "folder",
        size=int(raw.get("size") or 0),
        modified_at=str(raw.get("modified_at") or raw.get("created_at") or ""),
        etag=str(raw.get("etag") or ""),
        is_locked=raw.get("custody") == "held",
        folder_id=str(raw.get("folder_id") or raw.get("parent_id") or ""),
        raw=raw,
    )


class Api:
    """One site, as the person of the token."""

    def __init__(self, server: Server) -> None:
        self.server = server

    # --- Who, and where ---------------------------------------------------------------------------

    @cached_property
    def me(self) -> dict[str, Any]:
        """Who the token is of, and what it may do."""
        found: dict[str, Any] = self.server.ask("GET", f"{API}/me").json()
        return found

    @property
    def root(self) -> str:
        """The folder that paths begin in: of one's own files, or the only one of the token."""
        return str(self.me["root_id"] or self.me["token"]["folder_id"])

    def end_token(self) -> None:
        """End the token that is presented."""
        try:
            self.server.ask("DELETE", f"{API}/me/token", key=False)
        except Refused as refused:
            # It opens nothing any more: its end was not told, and was made.
            if refused.status != 401 or not refused.after_cut:
                raise

    def base_of(self, place: Place) -> str:
        """The id of the folder that a place is below."""
        return place.root or self.root

    def entry(self, place: Place) -> Entry:
        """What is at a place. Raises Refused (404)."""
        base = f"{API}/folders/{self.base_of(place)}"
        try:
            if place.names:
                query = urlencode({"path": "/".join(place.names)})
                return entry_of(self.server.ask("GET", f"{base}/item?{query}").json())
            return entry_of(self.server.ask("GET", base).json())
        except Refused as refused:
            # An id of a file, where one of a folder was thought of.
            if refused.status != 404 or not place.root or place.names:
                raise _named(refused, place) from None
        try:
            return entry_of(self.server.ask("GET", f"{API}/files/{place.root}").json())
        except Refused as refused:
            raise _named(refused, place) from None

    def folder(self, place: Place) -> Entry:
        """The folder at a place. Raises ClientError where it is a file."""
        found = self.entry(place)
        if not found.is_folder:
            raise ClientError(f"{place} is a file, and no folder.", USAGE, "not_a_folder")
        return found

    def entries(self, folder_id: str) -> Iterator[Entry]:
        """What is in a folder: folders first, by name."""
        yield from self._listed(f"{API}/folders/{folder_id}/items", {})

    def search(self, words: str, folder_id: str | None) -> Iterator[Entry]:
        """What has these words in its name; in a folder and below it, or everywhere."""
        asked = {"q": words} | ({"within": folder_id} if folder_id else {})
        yield from self._listed(f"{API}/search", asked)

    def trash(self) -> Iterator[Entry]:
        """What can be brought back, the newest first."""
        yield from self._listed(f"{API}/trash", {})

    def shared(self) -> Iterator[Entry]:
        """What others shared, the newest first."""
        yield from self._listed(f"{API}/shared", {})

    def _listed(self, path: str, asked: Mapping[str, str]) -> Iterator[Entry]:
        yield from map(entry_of, self._pages(path, {**asked, "limit": str(PAGE)}, "items"))

    def _pages(
        self, path: str, asked: Mapping[str, str], rows: str, cursor: str = "after"
    ) -> Iterator[dict[str, Any]]:
        """The rows of all pages; `next` of one goes on as `cursor`."""
        for page in self._whole_pages(path, asked, cursor):
            yield from page[rows]

    def _whole_pages(
        self, path: str, asked: Mapping[str, str] | None = None, cursor: str = "after"
    ) -> Iterator[dict[str, Any]]:
        after: Any = None
        while True:
            more = {cursor: str(after)} if after is not None else {}
            page = self.server.ask("GET", f"{path}?{urlencode({**(asked or {}), **more})}").json()
            yield page
            after = page.get("next")
            if not after or not page.get("more", True):
                return

    def digests(self, ids: Sequence[str]) -> dict[str, Digests]:
        """The digests of files, by their ids; of locked ones nothing is known."""
        found = {}
        for start in range(0, len(ids), BATCH):
            asked = {"files": list(ids[start : start + BATCH])}
            answer = self.server.ask("POST", f"{API}/digests", body=asked, key=False)
            for raw in answer.json()["digests"]:
                sha256 = raw.get("sha256")
                found[str(raw["id"])] = Digests(
                    bytes.fromhex(sha256) if sha256 else None, parse_field(raw["content_chain"])
                )
        return found

    # --- Bytes ------------------------------------------------------------------------------------

    def content_path(self, place: Place) -> str:
        """Where the bytes of a file are, by its path or its id."""
        if place.root and not place.names:
            return f"{API}/files/{place.root}/content"
        return f"{API}/folders/{self.base_of(place)}/content/{place.way}"

    def content(self, path: str, key: str | None = None) -> Content:
        """Size, ETag and digests of the bytes at a path of `content_path`."""
        return content_of(self.server.ask("HEAD", path, headers=key_header(key)))

    # --- Changes ----------------------------------------------------------------------------------

    def make_folders(self, place: Place) -> str:
        """Make the folders of a way, as far as they are missing; the last one's id."""
        base = self.base_of(place)
        if not place.names:
            return base
        asked = {"path": "/".join(place.names)}
        answer = self.server.ask("POST", f"{API}/folders/{base}/paths", body=asked)
        return str(answer.json()["id"])

    def rename(self, entry: Entry, name: str) -> Entry:
        """Give another name."""
        return entry_of(self.server.ask("PATCH", path_of(entry), body={"name": name}).json())

    def move(self, entry: Entry, folder_id: str) -> Entry:
        """Move into another folder, under the same name."""
        asked = {"to": folder_id, "conflict": "refuse"}
        return entry_of(self.server.ask("POST", f"{path_of(entry)}/move", body=asked).json())

    def put_away(self, entry: Entry) -> None:
        """Put into the trash."""
        self.server.ask("DELETE", path_of(entry))

    def restore(self, entry: Entry) -> Entry:
        """Bring back from the trash."""
        return entry_of(self.server.ask("POST", f"{path_of(entry)}/restore").json())

    def versions(self, entry: Entry) -> list[dict[str, Any]]:
        """The former versions of a file, the newest first."""
        found: list[dict[str, Any]] = self.server.ask("GET", f"{path_of(entry)}/versions").json()[
            "versions"
        ]
        return found

    def restore_version(self, entry: Entry, version: str) -> Entry:
        """Make a former version the current one again."""
        path = f"{path_of(entry)}/versions/{quote(version, safe='')}/restore"
        return entry_of(self.server.ask("POST", path).json())

    # --- Sharing and the log ----------------------------------------------------------------------

    def share(
        self, entry: Entry, to: Sequence[str], level: str, until: datetime | None, reason: str
    ) -> list[dict[str, Any]]:
        """Share with people and groups."""
        asked = {
            "to": list(to),
            "level": level,
            "expires_at": until.isoformat() if until else None,
            "reason": reason,
        }
        answer = self.server.ask("POST", f"{path_of(entry)}/grants", body=asked)
        made: list[dict[str, Any]] = answer.json()["outcomes"]
        return made

    def shares(self, entry: Entry) -> Iterator[dict[str, Any]]:
        """With whom it is shared by itself."""
        yield from self._pages(f"{path_of(entry)}/grants", {}, "grants")

    def stop_sharing(self, entry: Entry, number: int) -> int:
        """End a share; by how many others whose it was can read it still."""
        answer = self.server.ask("DELETE", f"{path_of(entry)}/grants/{number}", key=False)
        told = answer.headers.get("Securestore-Remaining", "")
        return int(told) if told.isdecimal() else 0

    def ask_for_files(self, entry: Entry, terms: dict[str, Any]) -> dict[str, Any]:
        """Ask people outside for files; the answer has the address, once."""
        return self._told_once(f"{path_of(entry)}/requests", terms, "address", self.end_request)

    def requests(self, entry: Entry | None) -> Iterator[dict[str, Any]]:
        """The requests for a folder; without one, all that one made."""
        yield from self._pages(f"{path_of(entry) if entry else API}/requests", {}, "requests")

    def make_link(self, entry: Entry, terms: dict[str, Any]) -> dict[str, Any]:
        """Make a link to a file or folder; its address is in the answer, this once."""
        return self._told_once(f"{path_of(entry)}/links", terms, "url", self.end_link)

    def _told_once(
        self, path: str, terms: dict[str, Any], address: str, end: Callable[[int], None]
    ) -> dict[str, Any]:
        """Make something that has an address, which is in its first answer and in no other.

        Where that was lost nobody knows the address: what was made is ended, and another one made.
        """
        for _ in range(TRIES):
            made: dict[str, Any] = self.server.ask("POST", path, body=terms).json()
            if made.get(address):
                return made
            end(int(made["id"]))
        raise Unreachable("The answer is lost again and again. What was made was ended.")

    def links(self, entry: Entry | None) -> Iterator[dict[str, Any]]:
        """The links to a file or folder, or all that one made; the newest first."""
        yield from self._pages(f"{path_of(entry) if entry else API}/links", {}, "links")

    def end_link(self, number: int) -> None:
        """End a link."""
        self.server.ask("DELETE", f"{API}/links/{number}", key=False)

    def end_request(self, number: int) -> None:
        """End a request."""
        self.server.ask("DELETE", f"{API}/requests/{number}", key=False)

    def access(self, entry: Entry) -> Iterator[dict[str, Any]]:
        """Who can read it, and why, as administrators see it."""
        yield from self._pages(f"{path_of(entry)}/access", {}, "readers")

    def grants(self, entry: Entry) -> Iterator[dict[str, Any]]:
        """With whom it is shared: by itself, and through folders above it."""
        page = self.server.ask("GET", f"{path_of(entry)}/grants").json()
        yield from page["inherited"]
        yield from self.shares(entry)

    def history(self, entry: Entry) -> Iterator[dict[str, Any]]:
        """What happened to it, the newest first."""
        yield from self._pages(f"{path_of(entry)}/history", {}, "events", "before")

    def read_by(self, entry: Entry) -> Iterator[dict[str, Any]]:
        """Who has read it, and who has not: these first; then who has, and no longer can."""
        former: list[dict[str, Any]] = []
        for page in self._whole_pages(f"{path_of(entry)}/read-by"):
            former += page.get("former") or []
            for reader in page["readers"]:
                yield {**reader, "files": page["files"]} if entry.is_folder else reader
        yield from former

    def audit(self, after: int) -> Iterator[dict[str, Any]]:
        """The log from an event on, the oldest first."""
        while True:
            page = self.server.ask("GET", f"{API}/audit?after={after}&limit=1000").json()
            yield from page["events"]
            after = page["next"]
            if not page["more"]:
                return


def content_of(answer: Answer) -> Content:
    """What an answer with bytes, or to HEAD, says of them."""
    headers = answer.headers
    return Content(
        size=int(headers.get("Content-Length") or 0),
        etag=headers.get("ETag", ""),
        sha256=parse_sha256(headers.get("Repr-Digest")),
        chain=parse_field(headers.get("Securestore-Content-Chain")),
        modified_at=headers.get("Last-Modified", ""),
    )


def path_of(entry: Entry) -> str:
    """The address of a file or a folder in the API."""
    return f"{API}/{'folders' if entry.is_folder else 'files'}/{entry.id}"


def key_header(key: str | None) -> dict[str, str]:
    """The header that opens a locked file, or none.

    Headers are ASCII, and lose blanks at their ends: what is not like that goes as RFC 8187 has it.
    """
    if not key:
        return {}
    plain = key.isascii() and key.isprintable() and key == key.strip()
    if plain and not key.startswith("UTF-8''"):
        return {"Securestore-Key": key}
    return {"Securestore-Key": f"UTF-8''{quote(key, safe='')}"}


def _named(refused: Refused, place: Place) -> ClientError:
    if refused.status == 404:
        return ClientError(
            f"There is no {place}, or it is not yours to see.", NOT_FOUND, refused.code
        )
    return refused
