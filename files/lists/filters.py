"""What a list leaves out: all but one kind of thing, one's own or others', or what is locked.

A filter reads what an index proposes and keeps some of it; it looks at so many of them for a page
and no more, and a page that comes to that bound says so. It never decides who may see anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from files.models import FileRecord, Folder, Item
from files.models.stored_objects import Custody
from files.records.pictures import Picture, picture_of

LOOKED_AT: Final = 2000
"""Things in the order of a folder that one page of a filtered list looks at."""

GRANTS_LOOKED_AT: Final = 500
"""The same of lists whose rows are each asked of the rule before they are looked at."""

FOLDER: Final = "folder"
KINDS: Final = (FOLDER, *(str(picture) for picture in Picture))
MINE, SHARED = "mine", "shared"


@dataclass(frozen=True)
class Facts:
    """What a filter asks of a file. `of` is whose it is: who owns it, or who added it."""

    content_type: str
    name: str
    custody: str
    of: int | None


@dataclass(frozen=True)
class Filter:
    """Which rows of a list are kept: all of them, unless something is set."""

    kind: str = ""
    """A picture's name, or `folder`."""
    whose: str = ""
    """`mine`, or `shared`: that of others."""
    locked: bool = False

    @classmethod
    def of(cls, data: Mapping[str, str]) -> Filter:
        """As an address has it; what means nothing there leaves nothing out."""
        kind, whose = data.get("kind", ""), data.get("whose", "")
        return cls(
            kind if kind in KINDS else "",
            whose if whose in {MINE, SHARED} else "",
            data.get("locked") == "1",
        )

    @property
    def is_set(self) -> bool:
        """Whether it leaves anything out."""
        return self != Filter()

    @property
    def parameters(self) -> dict[str, str]:
        """As an address has it."""
        named = {"kind": self.kind, "whose": self.whose, "locked": "1" if self.locked else ""}
        return {name: value for name, value in named.items() if value}

    @property
    def has_folders(self) -> bool:
        """Whether it may keep a folder at all."""
        return not self.locked and self.kind in {"", FOLDER}

    @property
    def has_files(self) -> bool:
        """Whether it may keep a file at all."""
        return self.kind != FOLDER

    def keeps_file(self, facts: Facts, me: int | None) -> bool:
        """Whether a file of these facts is kept, where `me` is asking."""
        if not self.has_files or (self.locked and facts.custody != Custody.HELD):
            return False
        if self.kind and picture_of(facts.content_type, facts.name) != self.kind:
            return False
        return self._keeps(facts.of, me)

    def keeps_folder(self, of: int | None, me: int | None) -> bool:
        """Whether a folder is kept that is `of` that person, where `me` is asking."""
        return self.has_folders and self._keeps(of, me)

    def keeps(self, item: Item, me: int | None) -> bool:
        """Whether it is kept, by who owns it."""
        if isinstance(item, Folder):
            return self.keeps_folder(item.owner_id, me)
        return self.keeps_file(facts_of(item), me)

    def _keeps(self, of: int | None, me: int | None) -> bool:
        return not self.whose or (of == me) is (self.whose == MINE)


EVERYTHING: Final = Filter()


def facts_of(record: FileRecord) -> Facts:
    """What a filter asks of it, by who owns it."""
    return Facts(record.content_type, record.name, record.custody, record.owner_id)
