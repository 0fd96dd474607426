"""Where a file goes at the site, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass

from ..places import Place


@dataclass(frozen=True)
class Target:
    """A name in a folder at the site, which is there; how people call that is for messages."""

    folder_id: str
    place: Place

    @property
    def here(self) -> Place:
        """The same, below its folder."""
        return Place((self.place.name,), self.folder_id)


@dataclass(frozen=True)
class Stored:
    """What became of one file."""

    id: str
    name: str
    size: int
    sent: bool
    chain: bytes
