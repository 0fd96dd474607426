"""Who asks: a person, a program with a token of a person's, or somebody outside, made by the door.

Kinds of principals are added here. Must never decide what one of them may reach.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.contrib.auth.models import AnonymousUser

from accounts.models import Token, User


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who has signed in, or nobody in particular."""

    user: User | AnonymousUser


@dataclass(frozen=True, slots=True)
class Program:
    """A program with a token: its person, within the token's scopes and, if it has one, its folder.

    It reaches that folder and all below it.
    """

    user: User
    scopes: frozenset[str]
    folder: UUID | None = None

    @classmethod
    def of(cls, token: Token) -> Program:
        """Who asks that presents this token."""
        return cls(token.user, token.scope_set, token.folder_id)


@dataclass(frozen=True, slots=True)
class Link:
    """Somebody outside with a link: reads the one file, or the folder and all below, until then.

    `user` made it. What they do not manage any more sleeps for who has the link, all of it while
    their account or their permission to make links does.
    """

    user: User
    number: int
    until: datetime
    file: UUID | None = None
    folder: UUID | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """Somebody outside with a request: adds to that folder, and to those below, and sees nothing.

    As with `Link`, it sleeps while its maker could not make it.
    """

    user: User
    number: int
    until: datetime
    folder: UUID


Outsider = Link | Request

Principal = Person | Program | Outsider
"""Who asks. `user` is whose access it is that the rest of the rule takes away from."""

Scope = Token.Scope
