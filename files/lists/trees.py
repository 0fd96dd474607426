"""Everything at and below a folder, under names that any system takes, for one archive."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from django.db.models import Exists, OuterRef
from django.utils.translation import gettext

from files.access.principals import Principal
from files.access.rule import folders_visible_to, visible_to
from files.crypto.portable import told_apart
from files.lists.rows import shown_files
from files.models import Ancestry, FileRecord, Folder, Item
from files.records.names import entry_key

AT_MOST = 5_000
"""Files and folders of one archive: its end lists all of them, so all are in memory while it is
sent."""

LIST_NAME = "NOT INCLUDED.txt"

_Children = defaultdict[UUID | None, list[Item]]


@dataclass(frozen=True)
class Tree:
    """The paths of a tree, relative to its folder, with `/` between portable names.

    `left_out` are files that the server cannot open, with why; where there are any, nothing at the
    top is called `LIST_NAME`. `is_whole` says that it is not more than `AT_MOST`.
    """

    folders: list[tuple[str, Folder]] = field(default_factory=list)
    files: list[tuple[str, FileRecord]] = field(default_factory=list)
    left_out: list[tuple[str, FileRecord, str]] = field(default_factory=list)
    is_whole: bool = True

    @property
    def size(self) -> int:
        """Bytes of the files that an archive would have."""
        return sum(record.size for _, record in self.files)

    def told(self) -> str:
        """The text that says what was left out."""
        lines = [f"{path}: {why}" for path, _, why in self.left_out]
        return "\r\n".join([gettext("These files are not in this archive:"), "", *lines, ""])


def tree_of(who: Principal, folder: Folder) -> Tree:
    """What the principal may see at and below that folder. Two queries."""
    children = _children(who, [folder])
    return Tree(is_whole=False) if children is None else _named(children, folder.pk)


def tree_of_chosen(who: Principal, folders: Sequence[Folder], files: Sequence[FileRecord]) -> Tree:
    """These files, and these folders with all that the principal may see below them.

    What is below another of the folders is there once, in its place. Three queries.
    """
    ids = [one.pk for one in folders]
    stand_in = [*ids, *(one.folder_id for one in files if one.folder_id)]
    inside = Ancestry.objects.filter(ancestor__in=ids, descendant__in=stand_in)
    covered: set[UUID] = set()  # Folders all of which is in the archive already.
    for ancestor, descendant in inside.values_list("ancestor", "descendant"):
        covered |= {descendant} if ancestor != descendant else set()
    children = _children(who, [one for one in folders if one.pk not in covered])
    if children is None:
        return Tree(is_whole=False)
    own = covered | set(ids)
    children[None] = [
        *(one for one in folders if one.pk not in covered),
        *(one for one in files if one.folder_id not in own),
    ]
    return _named(children, None)


def _children(who: Principal, folders: Sequence[Folder]) -> _Children | None:
    """What is in these folders and in those below them, by folder; None where that is too much."""
    tree = Ancestry.objects.filter(ancestor__in=[one.pk for one in folders])
    below = Exists(tree.filter(descendant=OuterRef("pk"), distance__gt=0))
    found = list(folders_visible_to(who).filter(below)[: AT_MOST + 1])
    at_or_below = Exists(tree.filter(descendant=OuterRef("folder")))
    records = shown_files(visible_to(who).filter(at_or_below)).order_by()
    files = list(records[: max(AT_MOST + 1 - len(found), 0)])
    if len(found) + len(files) > AT_MOST:
        return None
    children: _Children = defaultdict(list)
    for one in found:
        children[one.parent_id].append(one)
    for record in files:
        children[record.folder_id].append(record)
    return children


def _named(children: _Children, top: UUID | None) -> Tree:
    found = Tree()
    files = [one for some in children.values() for one in some if isinstance(one, FileRecord)]
    # The list comes first, so that it has its name whatever else is called so.
    reserved = [LIST_NAME] if any(_why_not(record) for record in files) else []
    _walk(found, children, top, "", reserved)
    return found


def _walk(
    tree: Tree, children: _Children, parent: UUID | None, above: str, reserved: list[str]
) -> None:
    """Add what is in that folder and below, beside names that are taken there."""
    items = sorted(children[parent], key=lambda one: entry_key(one.name))
    names = told_apart([*reserved, *(one.name for one in items)])
    for name, one in zip(names[len(reserved) :], items, strict=True):
        path = above + name
        if isinstance(one, Folder):
            tree.folders.append((path, one))
            _walk(tree, children, one.pk, f"{path}/", [])
        elif why := _why_not(one):
            tree.left_out.append((path, one, why))
        else:
            tree.files.append((path, one))


def _why_not(record: FileRecord) -> str:
    """Why the server cannot open a file by itself; empty where it can."""
    if record.is_damaged:
        return gettext("it is damaged in the store")
    if record.is_held:
        return gettext("it needs its own key: download it by itself")
    return ""
