"""What goes in and out, typed: the schema of the API is made of these.

A field that is there stays, with its meaning; new ones may come. Must never hold a digest or a key
in a list, nor a name of a folder that the token does not reach.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, cast
from uuid import UUID

from ninja import Field, Schema
from pydantic import AfterValidator, ConfigDict

from accounts.models import User
from files.access import Access, Principal, accesses_of, folders_visible_to
from files.lists.rows import Page, Row
from files.models import AccessRequest, FileRecord, Folder, Grant, Item
from files.sharing import read_by
from files.sharing.asking import Own
from files.web.transfers.downloads import etag_of
from files.web.transfers.moments import FIRST, LAST

Level = Literal["owner", "manage", "add", "download"]


def _moment(given: datetime) -> datetime:
    """In UTC, which not every moment can be told in. Raises ValueError."""
    if given.tzinfo is None:
        raise ValueError("a moment needs its offset, as in 2026-01-31T12:00:00Z")
    try:
        found = given.astimezone(UTC)
        if not FIRST <= found <= LAST:
            raise OverflowError
    except OverflowError:
        raise ValueError("that is not between the years 100 and 9999") from None
    return found


Moment = Annotated[datetime, AfterValidator(_moment)]
"""A moment that a program sends."""


SOME: Any = {"minLength": 1}
"""What the schema says of a text that is refused in its own words where it is empty."""


class Problem(Schema):
    """A refusal, as RFC 9457 has it. Programs go by `code`."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    code: str
    detail: str


class Strict(Schema):
    """What a program sends: a field that is not known is refused, and not left out."""

    model_config = ConfigDict(extra="forbid")


class AccessOut(Schema):
    """How far one reaches something, and until when."""

    level: Level
    until: datetime | None = None


class FileOut(Schema):
    """A file."""

    kind: Literal["file"] = "file"
    id: UUID
    name: str
    size: int = Field(description="Bytes.")
    content_type: str
    version: UUID
    etag: str = Field(description="As If-Match takes it; it changes with the content alone.")
    owner: str = Field(description="User name.")
    folder_id: UUID | None = Field(description="Null where the token does not reach it.")
    custody: Literal["managed", "held"]
    created_at: datetime
    modified_at: datetime | None = Field(description="When the original was changed, if told.")
    trashed_at: datetime | None = None
    access: AccessOut | None = Field(description="Null in the trash.")


class FolderOut(Schema):
    """A folder. The one without a name is the root of its owner's files."""

    kind: Literal["folder"] = "folder"
    id: UUID
    name: str
    owner: str = Field(description="User name.")
    parent_id: UUID | None = Field(description="Null of a root, or out of the token's reach.")
    created_at: datetime
    trashed_at: datetime | None = None
    access: AccessOut | None = Field(description="Null in the trash.")


ItemOut = Annotated[FileOut | FolderOut, Field(discriminator="kind")]


class ItemPage(Schema):
    """A page of a list. `next` goes on as `after`; null on the last page."""

    items: list[ItemOut]
    next: str | None
    left_out: bool = Field(
        default=False, description="Of a search: there was more to look through than it may."
    )


class TokenOut(Schema):
    """The token that the request came with."""

    id: int
    name: str
    scopes: list[str]
    folder_id: UUID | None
    networks: list[str]
    expires_at: datetime


class MeOut(Schema):
    """Who asks."""

    username: str
    name: str
    root_id: UUID | None = Field(description="The folder of one's own files, where it is reached.")
    token: TokenOut
    used_bytes: int
    quota_bytes: int | None = Field(description="Null: without a limit.")


class NameIn(Strict):
    """A name for a file or a folder."""

    name: str = Field(max_length=1000, json_schema_extra=SOME)


class PathIn(Strict):
    """The folders of a path, made as far as they are missing."""

    path: str = Field(
        max_length=10_000, description="Names with “/” between them.", json_schema_extra=SOME
    )


class SmallIn(Strict):
    """A small file, whole."""

    name: str = Field(max_length=1000, json_schema_extra=SOME)
    content: str = Field(max_length=1_048_576, description="Its bytes, as base64.", repr=False)
    sha256: str | None = Field(
        default=None,
        pattern="^[0-9a-f]{64}$",
        description="Of its bytes, in hex: compared before anything is a file.",
    )
    content_type: str | None = Field(default=None, max_length=255)
    modified_at: Moment | None = Field(default=None, description="When the original was changed.")


class BatchIn(Strict):
    """Small files for one folder, each under a name that is free there; 1 MiB in all."""

    files: list[SmallIn] = Field(min_length=1, max_length=64)


class SmallOut(Schema):
    """A file of a batch, as it was stored and read back."""

    id: UUID
    name: str
    size: int
    version: UUID
    sha256: str | None
    content_chain: str | None


class BatchOut(Schema):
    """The files, in the order in which they were sent."""

    files: list[SmallOut]


class MoveIn(Strict):
    """Where something goes."""

    to: UUID = Field(description="A folder's id.")
    conflict: Literal["refuse", "rename"] = "refuse"


class VersionOut(Schema):
    """A former version of a file."""

    version: UUID
    size: int
    content_type: str
    custody: Literal["managed", "held"]
    modified_at: datetime | None
    uploaded_at: datetime
    uploaded_by: str | None
    superseded_at: datetime


class VersionsOut(Schema):
    """All former versions, the newest first."""

    versions: list[VersionOut]


class RecipientOut(Schema):
    """A person or a group."""

    kind: Literal["user", "group"]
    name: str


class GrantOut(Schema):
    """That somebody can read something, and what else."""

    id: int
    recipient: RecipientOut
    level: Literal["manage", "add", "download"]
    starts_at: datetime | None
    expires_at: datetime | None
    reason: str
    status: str
    granted_by: str | None
    created_at: datetime
    folder_id: UUID | None = Field(
        description="Of an inherited one: the folder that it is on, where the token reaches it."
    )


class GrantsOut(Schema):
    """Who can read something: by grants of its own, by number, and of folders above it."""

    grants: list[GrantOut]
    inherited: list[GrantOut] = Field(description="The newest 50; on the first page alone.")
    next: int | None


class GrantIn(Strict):
    """To share with everybody named, or with nobody."""

    to: list[Annotated[str, Field(max_length=300, json_schema_extra=SOME)]] = Field(
        min_length=1, max_length=50, description="User names, addresses, names of groups, in full."
    )
    level: Literal["manage", "add", "download"] = "download"
    starts_at: Moment | None = None
    expires_at: Moment | None = None
    reason: str = Field(default="", max_length=200)


class OutcomeOut(Schema):
    """What became of one of those named."""

    grant: GrantOut
    outcome: Literal["made", "extended", "same"]


class SharedOut(Schema):
    """What became of all of them."""

    outcomes: list[OutcomeOut]


class RequestIn(Strict):
    """What people outside are asked for; what is left out is as is usual on this site."""

    title: str = Field(min_length=1, max_length=120)
    words: str = Field(default="", max_length=2000)
    expires_at: datetime | None = None
    most_bytes: int | None = Field(default=None, ge=1, le=2**62)
    most_files: int | None = Field(default=None, ge=1, le=1_000_000)
    most_senders: int | None = Field(default=None, ge=1, le=1_000_000)
    identify: Literal["name", "code"] = "name"
    addresses: list[Annotated[str, Field(max_length=254)]] = Field(
        default_factory=list, max_length=50, description="Who a code is sent to."
    )
    accept_first: bool = Field(
        default=False, description="What is sent waits until the requester accepts it."
    )


class RequestOut(Schema):
    """A request for files, and how much came through it."""

    id: int
    folder_id: UUID
    title: str
    words: str
    made_by: str | None
    created_at: datetime
    expires_at: datetime
    ended_at: datetime | None
    identify: Literal["name", "code"]
    addresses: list[str]
    most_bytes: int
    most_files: int | None
    most_senders: int | None
    accept_first: bool
    senders: int
    files: int
    bytes: int
    waiting: int


class RequestMade(RequestOut):
    """A new one, with its address: it is told this once."""

    address: str


class RequestsOut(Schema):
    """Requests for a folder, by number."""

    requests: list[RequestOut]
    next: int | None


class LinkIn(Strict):
    """A link for people outside; without an end, for as long as links usually work."""

    expires_at: datetime | None = None
    label: str = Field(default="", max_length=100, description="For yourself.")
    password: str = Field(default="", max_length=200)
    addresses: list[Annotated[str, Field(max_length=254)]] = Field(
        default=[],
        max_length=50,
        description="Those to whom a code is sent by mail; @example.org: all of a domain.",
    )
    count: int | None = Field(
        default=None, ge=1, le=1_000_000, description="Downloads there may be; null: any number."
    )


class LinkOut(Schema):
    """A link: never its URL, which was told when it was made."""

    id: int
    file_id: UUID | None
    folder_id: UUID | None
    label: str
    made_by: str
    created_at: datetime
    expires_at: datetime
    status: Literal["live", "asleep", "expired", "revoked", "exhausted"] = Field(
        description="asleep: whoever made it lacks the access, or the permission, at the moment."
    )
    has_password: bool
    addresses: list[str]
    count: int | None
    used: int = Field(description="Complete downloads.")
    left: int | None = Field(description="Downloads; null: any number.")
    opened: int = Field(description="Visits: one an hour for each address.")
    attempts: int = Field(description="Wrong passwords and codes.")
    last_opened_at: datetime | None


class LinkMadeOut(LinkOut):
    """A new link."""

    url: str = Field(description="Told once.")


class LinksOut(Schema):
    """The links of a file or folder, the newest first."""

    links: list[LinkOut]
    next: int | None


class ReasonOut(Schema):
    """Why somebody reaches something."""

    grant_id: int | None = Field(description="Null: as its owner.")
    via_group: str | None
    folder_id: UUID | None
    until: datetime | None
    level: Level


class ReaderOut(Schema):
    """Somebody who reaches something."""

    username: str
    name: str
    may_download: bool
    reasons: list[ReasonOut]


class ReachingLinkOut(Schema):
    """A link by which people outside read something."""

    id: int
    made_by: str
    expires_at: datetime
    folder_id: UUID | None = Field(description="The folder that it is to, where it is to one.")
    awake: bool = Field(description="Whether its maker has the access and the permission now.")


class ReadersOut(Schema):
    """Effective access: everybody who reads it, by name."""

    readers: list[ReaderOut]
    links: list[ReachingLinkOut] = Field(
        default=[], description="For people outside; on the first page."
    )
    next: str | None


class HappenedOut(Schema):
    """Something that happened to a file."""

    number: int
    at: datetime
    event: str
    by: str
    words: str
    token: str | None = Field(description="The program's token, where it was one.")


class HistoryOut(Schema):
    """What happened to a file, the newest first. `next` goes on as `before`."""

    events: list[HappenedOut]
    next: int | None


class ReadOut(Schema):
    """Whether and when somebody has read a file: was sent bytes of it."""

    username: str
    name: str
    can_read: bool = Field(description="False: they no longer can.")
    is_owner: bool
    read: Literal["no", "earlier", "part", "whole"] = Field(
        description="`earlier`: another version than the present one, and nothing of that."
    )
    first: datetime | None
    last: datetime | None
    times: int


class OutsideOut(Schema):
    """What people outside were sent by one link."""

    link: int
    first: datetime
    last: datetime
    times: int


def outside_out(one: read_by.Outside) -> OutsideOut:
    """One link by which people outside were sent a file."""
    read = one.read
    return OutsideOut(link=one.link_id, first=read.first, last=read.last, times=read.times)


class FileReadByOut(Schema):
    """Who has read a file, and who has not: these first. `next` goes on as `after`."""

    people: int = Field(description="Who can read it now.")
    have_read: int = Field(description="Of these, who has read something of its present version.")
    unnamed: int = Field(
        description="Of these, who has not and is not named: names of who is in a group are for "
        "who may share."
    )
    readers: list[ReadOut]
    former: list[ReadOut] = Field(
        description="Who has read it and no longer can, the last 50; on the first page alone."
    )
    outside: list[OutsideOut] = Field(
        description="People outside by their links, the last 50; on the first page alone."
    )
    next: str | None


class FolderReadOut(Schema):
    """How many files of a folder somebody has read, and when."""

    username: str
    name: str
    is_owner: bool
    files_read: int
    first: datetime | None
    last: datetime | None
    times: int


class FolderOutsideOut(OutsideOut):
    """What people outside were sent of a folder by one link."""

    files_read: int


class FolderReadByOut(Schema):
    """Who has read how much of a folder: those who have read nothing first."""

    people: int = Field(description="Who can read it now.")
    have_read: int = Field(description="Of these, who has read something in it.")
    unnamed: int = Field(description="As of a file.")
    files: int = Field(description="How many there are in it and below.")
    readers: list[FolderReadOut]
    outside: list[FolderOutsideOut] = Field(
        default=[], description="As of a file: by links to it, and to folders above and below."
    )
    next: str | None


def folder_outside_out(one: read_by.Outside) -> FolderOutsideOut:
    """The same of a folder."""
    return FolderOutsideOut(**outside_out(one).model_dump(), files_read=one.read.files)


class AccessAskIn(Strict):
    """What to ask access for: one of the two ids."""

    file: UUID | None = None
    folder: UUID | None = None
    reason: str = Field(min_length=1, max_length=500)


class OwnAccessRequestOut(Schema):
    """What one has asked for. Nothing in it tells whether it exists, but that one can see it."""

    kind: Literal["file", "folder"]
    id: UUID = Field(description="As it was asked for.")
    reason: str
    asked_at: datetime
    ends_at: datetime
    visible: bool = Field(description="Whether one can see it by now.")


class OwnAccessRequestsOut(Schema):
    """What one has asked for, the newest first."""

    requests: list[OwnAccessRequestOut]


class AccessRequestOut(Schema):
    """That somebody asks for access."""

    number: int
    asker: str = Field(description="User name.")
    asker_name: str
    kind: Literal["file", "folder"]
    id: UUID
    name: str = Field(description="Of the file or folder.")
    reason: str
    asked_at: datetime
    ends_at: datetime


class AccessRequestsOut(Schema):
    """Requests to answer. `next` goes on as `before`."""

    requests: list[AccessRequestOut]
    next: int | None


class AccessAnswerIn(Strict):
    """For what, and until when."""

    level: Literal["manage", "add", "download"] = "download"
    expires_at: datetime | None = None
    reason: str = Field(default="", max_length=200)


class AccessDeclineIn(Strict):
    """A word for others who may decide."""

    word: str = Field(default="", max_length=200)


class DigestOut(Schema):
    """What the bytes of a file are."""

    id: UUID
    version: UUID
    repr_digest: str | None = Field(description="As RFC 9530 has it, or null: not known (yet).")
    sha256: str | None = Field(description="The same in hex.")
    content_chain: str = Field(description="Base64 between colons (docs/uploads.md).")


class DigestsIn(Strict):
    """Of which files."""

    files: list[UUID] = Field(min_length=1, max_length=100)


class DigestsOut(Schema):
    """Of those that one may read, and that are known: others are left out."""

    digests: list[DigestOut]


class EventOut(Schema):
    """One event of the audit log, whole: its MAC can be checked by who has the key."""

    id: int
    at: datetime
    event: str
    actor_id: int | None
    actor_name: str
    address: str
    user_agent: str
    request_id: str
    file_id: UUID | None
    grant_id: int | None
    data: dict[str, Any]
    previous_mac: str
    mac: str


class EventsOut(Schema):
    """Events by their number. `next` goes on as `after`, also later, when more have happened."""

    events: list[EventOut]
    next: int
    more: bool


class KeyOut(Schema):
    """What a master key protects; never the key."""

    key_id: str
    status: str
    is_primary: bool
    is_configured: bool
    retired_at: datetime | None
    live: int
    kept: int
    damaged: int
    writing: int
    bytes: int
    managed: int
    held: int
    secrets: int
    wrapped_before: int
    oldest: datetime | None


class KeysOut(Schema):
    """Every master key that matters, the primary one first."""

    keys: list[KeyOut]


class StoredOut(Schema):
    """What became of a file that was sent whole."""

    file: FileOut
    outcome: Literal["created", "version"]
    key: str | None = Field(
        default=None, description="Of a held file: its own key, shown now and not again."
    )


# --- From rows ----------------------------------------------------------------------------------


def access_out(access: Access | None) -> AccessOut | None:
    """How far that reaches."""
    if access is None:
        return None
    level: Any = access.level
    return AccessOut(level=level, until=access.until)


def items_out(who: Principal, items: Sequence[Item]) -> list[FileOut | FolderOut]:
    """Files and folders, with how far one reaches each. Four queries at most."""
    awake = [one for one in items if one.trashed_at is None]
    found = accesses_of(who, awake) if awake else {}
    above = _reached(who, {one.container_id for one in items})
    return [_item_out(one, found.get(one.pk), above) for one in items]


def _reached(who: Principal, folders: Collection[UUID | None]) -> set[UUID]:
    wanted = {one for one in folders if one is not None}
    if not wanted:
        return set()
    return set(folders_visible_to(who).filter(pk__in=wanted).values_list("pk", flat=True))


def _item_out(item: Item, access: Access | None, above: set[UUID]) -> FileOut | FolderOut:
    parent = item.container_id if item.container_id in above else None
    if isinstance(item, Folder):
        return FolderOut(
            id=item.pk,
            name=item.name,
            owner=item.owner.username,
            parent_id=parent,
            created_at=item.created_at,
            trashed_at=item.trashed_at,
            access=access_out(access),
        )
    custody: Any = item.custody
    return FileOut(
        id=item.pk,
        name=item.name,
        size=item.size,
        content_type=item.content_type,
        version=item.version,
        etag=etag_of(item),
        owner=item.owner.username,
        folder_id=parent,
        custody=custody,
        created_at=item.created_at,
        modified_at=item.modified_at,
        trashed_at=item.trashed_at,
        access=access_out(access),
    )


def file_out(who: Principal, record: FileRecord) -> FileOut:
    """One file."""
    [found] = items_out(who, [record])
    assert isinstance(found, FileOut)  # noqa: S101 - tells the type checker
    return found


def folder_out(who: Principal, folder: Folder) -> FolderOut:
    """One folder."""
    [found] = items_out(who, [folder])
    assert isinstance(found, FolderOut)  # noqa: S101 - tells the type checker
    return found


def page_out(who: Principal, page: Page) -> ItemPage:
    """A page of a list."""
    rows: Iterable[Row] = page.rows
    return ItemPage(
        items=items_out(who, [row.item for row in rows]),
        next=page.next_cursor or None,
        left_out=page.left_out,
    )


def recipient_out(grant: Grant) -> RecipientOut:
    """Whom a grant is to."""
    if grant.group is not None:
        return RecipientOut(kind="group", name=grant.group.name)
    name = grant.user.username if isinstance(grant.user, User) else grant.recipient_name
    return RecipientOut(kind="user", name=name)


def grant_out(grant: Grant, above: Collection[UUID] = (), item: Item | None = None) -> GrantOut:
    """A grant; `above` are folders that the token reaches."""
    level: Any = grant.level
    inherited = item is not None and grant.folder_id not in {None, item.pk}
    return GrantOut(
        id=grant.pk,
        recipient=recipient_out(grant),
        level=level,
        starts_at=grant.starts_at,
        expires_at=grant.expires_at,
        reason=grant.reason,
        status=str(grant.status),
        granted_by=grant.granted_by.username if grant.granted_by else None,
        created_at=grant.created_at,
        folder_id=grant.folder_id if inherited and grant.folder_id in above else None,
    )


def own_access_request_out(one: Own) -> OwnAccessRequestOut:
    """What one has asked for oneself."""
    row, kind = one.asked, cast("Any", one.asked.kind)
    return OwnAccessRequestOut(
        kind=kind,
        id=row.wanted,
        reason=row.reason,
        asked_at=row.asked_at,
        ends_at=row.ends_at,
        visible=one.item is not None,
    )


def access_request_out(row: AccessRequest, name: str) -> AccessRequestOut:
    """What somebody else asks for, with the name of the file or folder."""
    return AccessRequestOut(
        number=row.pk,
        asker=row.asker.username,
        asker_name=row.asker.get_full_name(),
        kind=cast("Any", row.kind),
        id=row.wanted,
        name=name,
        reason=row.reason,
        asked_at=row.asked_at,
        ends_at=row.ends_at,
    )


def read_out(line: read_by.Line) -> ReadOut:
    """Somebody who can read a file, and what they have read of it."""
    return ReadOut(
        username=line.user.username,
        name=line.user.get_full_name(),
        can_read=True,
        is_owner=line.is_owner,
        read=line.state.value,
        **_when(line.read),
    )


def former_out(one: read_by.Former) -> ReadOut:
    """Somebody who has read it and no longer can."""
    return ReadOut(
        username=one.name,
        name=one.user.get_full_name() if one.user else "",
        can_read=False,
        is_owner=False,
        read=one.read.state.value,
        **_when(one.read),
    )


def folder_read_out(line: read_by.Line) -> FolderReadOut:
    """Somebody who can read a folder, and how much of it they have read."""
    return FolderReadOut(
        username=line.user.username,
        name=line.user.get_full_name(),
        is_owner=line.is_owner,
        files_read=line.read.files if line.read else 0,
        **_when(line.read),
    )


def _when(read: read_by.Read | None) -> dict[str, Any]:
    if read is None:
        return {"first": None, "last": None, "times": 0}
    return {"first": read.first, "last": read.last, "times": read.times}


def request_out(one: Any) -> RequestOut:
    """A request as `files.sharing.requests.with_numbers` has it."""
    return RequestOut(
        id=one.pk,
        folder_id=one.folder_id,
        title=one.title,
        words=one.words,
        made_by=one.maker.get_username() if one.maker is not None else None,
        created_at=one.created_at,
        expires_at=one.expires_at,
        ended_at=one.ended_at,
        identify=one.identify,
        addresses=one.addresses,
        most_bytes=one.most_bytes,
        most_files=one.most_files,
        most_senders=one.most_senders,
        accept_first=one.accept_first,
        senders=one.senders_n,
        files=one.files_n,
        bytes=one.bytes_n,
        waiting=one.waiting_n,
    )
