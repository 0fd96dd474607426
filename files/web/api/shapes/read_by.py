"""Who has read something, and who has not."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from ninja import Field, Schema

from files.sharing.read_by.answers import Former, Line, Outside, Read


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


def outside_out(one: Outside) -> OutsideOut:
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


def folder_outside_out(one: Outside) -> FolderOutsideOut:
    """The same of a folder."""
    return FolderOutsideOut(**outside_out(one).model_dump(), files_read=one.read.files)


def read_out(line: Line) -> ReadOut:
    """Somebody who can read a file, and what they have read of it."""
    return ReadOut(
        username=line.user.username,
        name=line.user.get_full_name(),
        can_read=True,
        is_owner=line.is_owner,
        read=line.state.value,
        **_when(line.read),
    )


def former_out(one: Former) -> ReadOut:
    """Somebody who has read it and no longer can."""
    return ReadOut(
        username=one.name,
        name=one.user.get_full_name() if one.user else "",
        can_read=False,
        is_owner=False,
        read=one.read.state.value,
        **_when(one.read),
    )


def folder_read_out(line: Line) -> FolderReadOut:
    """Somebody who can read a folder, and how much of it they have read."""
    return FolderReadOut(
        username=line.user.username,
        name=line.user.get_full_name(),
        is_owner=line.is_owner,
        files_read=line.read.files if line.read else 0,
        **_when(line.read),
    )


def _when(read: Read | None) -> dict[str, Any]:
    if read is None:
        return {"first": None, "last": None, "times": 0}
    return {"first": read.first, "last": read.last, "times": read.times}
