"""People outside: who comes with a link or a request, has no account, and gets none.

What they came by is a door: a row of somebody's that a secret in a URL leads to. This package knows
nothing of what is behind it. It makes those secrets, keeps their digests, and asks for what stands
before a door: a password, a code that was sent by mail. Must never tell whether a door is there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

LINK: Final = "link"
REQUEST: Final = "request"

PREFIXES: Final = ("/l/", "/r/")
"""Below these paths nobody is signed in, whatever cookies came along, and no log has the path."""


@dataclass(frozen=True, slots=True)
class Door:
    """A link or a request: its kind, its number, and the digest of its secret."""

    kind: str
    number: int
    digest: str

    @property
    def id(self) -> str:
        """What tells it from all others, and nobody anything: for names and keys."""
        return f"{self.kind} {self.number}"


def is_outside(path: str) -> bool:
    """Whether a path is for people outside."""
    return path.startswith(PREFIXES)
