"""What is told of who has read something: people, those who no longer can, and links.

Must never hold the name of a file, or a key.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from accounts.models import User
from files.models import FileRecord


class State(enum.StrEnum):
    """How far somebody has read a file."""

    NOT = "no"
    EARLIER = "earlier"
    """A version that is not the present one, and nothing of that."""
    PART = "part"
    WHOLE = "whole"


@dataclass(frozen=True)
class Read:
    """When and how often somebody was sent bytes."""

    first: datetime
    last: datetime
    times: int = 1
    files: int = 1
    """How many different ones, where it is about a folder."""
    state: State = State.PART


@dataclass(frozen=True)
class Line:
    """A person, and what they have read of it; None where that is nothing."""

    user: User
    read: Read | None
    is_owner: bool
    has_uploaded: bool = False
    """Whether the present version is their own: who puts something there need not fetch it."""

    @property
    def state(self) -> State:
        """How far they have read it."""
        return self.read.state if self.read else State.NOT


@dataclass(frozen=True)
class Former:
    """Somebody who has read it and no longer can. `user` is None of who is gone."""

    name: str
    user: User | None
    read: Read


@dataclass(frozen=True)
class Outside:
    """What people outside were sent by one link, whoever they are."""

    link_id: int
    read: Read


@dataclass(frozen=True)
class Readers:
    """A page of those who can read it; `next` goes on as `after`, empty on the last page."""

    lines: Sequence[Line]
    next: str
    people: int
    """Everybody who can read it."""
    have_read: int
    """Of these, who has been sent anything of it: of a file, of its present version."""
    unnamed: int
    """Of these, who has read nothing and is not named to who asks."""
    files: int = 0
    """How many there are in it, where it is a folder."""
    former: Sequence[Former] = field(default_factory=list)
    """On the first page alone."""
    outside: Sequence[Outside] = field(default_factory=list)
    """On the first page alone."""

    @property
    def have_not(self) -> int:
        """How many can read it and have not."""
        return self.people - self.have_read


@dataclass(frozen=True)
class FileLine:
    """A file in a folder, and when a person has read it; None where they have not."""

    record: FileRecord
    read: Read | None


@dataclass(frozen=True)
class FilesRead:
    """A page of the files in a folder; `next` goes on as `after`, empty on the last page."""

    person: User
    lines: Sequence[FileLine]
    next: str
