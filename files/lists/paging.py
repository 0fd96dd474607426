"""The search of names, newest first, by keyset: the place of the last file names the next page.

However many files there are, whoever's they are, and however deep the page: a page costs the same,
and nothing is ever counted. For that, `newest_places` and the index of names propose files,
each up to a bound, and `visible_to` and `matching` decide about every one of them. Where a search
has come to both bounds without filling its page, the page says so, and the next one goes on there.
"""

from __future__ import annotations

import base64
import binascii
import struct
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.db.models import Exists, F, OuterRef, QuerySet
from django.db.models.functions import Coalesce
from django.db.models.lookups import Contains

from accounts.models import User
from files.access import explaining, rule
from files.access.principals import Person, Principal
from files.access.statements import asked
from files.lists import name_search
from files.lists.filters import EVERYTHING, Facts, Filter
from files.lists.rows import Page, Row, merged, shown_files
from files.models import Ancestry, FileRecord, Folder, Grant, GrantQuerySet
from files.records.names import plain_name
from files.records.ordering import FIRST
from files.tree import placing
from runtime.statements import ID, IDS, NUMBER, NUMBERS, Somebody, statement

WALKED = 1000
"""Files that a search looks through by itself, from where its page begins."""

MERGED_GROUPS = 200
"""Groups of one person whose grants are read each in order of their files. Of a person in more,
the grants to all the others are sorted for each page."""

MERGED_FOLDERS = 100
"""Folders below shared ones, or below the one that is searched, that are read each in order of
their files. Where there are more, the index of names finds what is in them."""

GRANTS_READ = 1000
"""Grants of folders, for each way to a person, that are read to learn how many folders they reach.
Where there are more, there are taken to be too many folders to be read in order."""

PROPOSED = 500
"""Files of anybody's that the index of names proposes for one page at most."""

FOLDERS_NAMED = 2000
"""Folders whose names a search looks at."""

FOLDERS_SHOWN = 20
"""Folders that a search finds at most."""


def words_of(query: str) -> list[str]:
    """The words that a name must contain, as `FileRecord.plain_name` has them."""
    # No name holds a NUL, and PostgreSQL refuses to be asked for one.
    return sorted(set(plain_name(query.replace("\0", "")).split()))


def matching(files: QuerySet[FileRecord], words: Collection[str]) -> QuerySet[FileRecord]:
    """Files whose name contains every word."""
    # An expression, which no index serves: PostgreSQL would look for these words among all files.
    name = Coalesce("plain_name", "folded_name")
    for word in words:
        files = files.filter(Contains(name, word))
    return files


def page_of(
    user: User | AnonymousUser,
    *,
    query: str = "",
    cursor: str = "",
    length: int,
    within: Folder | None = None,
    keep: Filter = EVERYTHING,
) -> Page:
    """The user's files whose names contain every word of `query`, whatever the case, from `cursor`.

    `within` a folder, those at or below it; of all these, those that `keep` keeps. The first page
    begins with the folders of such names, and is the one where the cursor means nothing. At most
    fourteen queries.
    """
    if not user.is_active:
        return Page()
    words, before = words_of(query), position_of(cursor)
    reach = _within(user, within) if within is not None else _reach(user)
    if not words and not keep.is_set:
        places = list(_merged(reach.pieces, before, length + 1))
        records = reach.shown_at(places[:length]) if places else []
        end = _encode(places[length - 1]) if len(places) > length else ""
        return Page(_rows(records), end, left_out=reach.rest is not None)
    wanted = _Wanted(reach, words, keep)
    found = _search(wanted, before, length) if keep.has_files else Page()
    if before is not None or not words or not keep.has_folders:
        return found
    folders, left_out = folders_named(user, words, within)
    rows = [Row(folder) for folder in folders if keep.keeps(folder, user.pk)] + found.rows
    return Page(rows, found.next_cursor, found.is_cut, left_out or found.left_out)


# --- What a search goes through -----------------------------------------------------------------


@dataclass(frozen=True)
class _Reach:
    """Where files may be that a search is for, in a folder or anywhere that the user may see.

    `pieces` are each an index read in the order of places. `rest` are the folders of those that are
    in none of them: more than are merged.
    """

    user: User | AnonymousUser
    within: Folder | None
    pieces: list[QuerySet[Any, int]]
    rest: Sequence[QuerySet[Any, Any]] | None = None

    @cached_property
    def files(self) -> QuerySet[FileRecord]:
        """The rule which of them are shown."""
        files = rule.visible_to(Person(self.user))
        if self.within is None:
            return files
        below = Ancestry.objects.filter(ancestor=self.within, descendant=OuterRef("folder"))
        return files.filter(Exists(below))

    def shown_at(self, places: Sequence[int]) -> list[FileRecord]:
        """Those at these places, one at least, that are shown; the newest first."""
        if self.within is None:
            return _shown_at(Person(self.user), places=places)
        return list(_in_order(self.files.filter(place__in=places)))


def newest_places(
    user: User | AnonymousUser, *, before: int | None = None, at_most: int
) -> QuerySet[FileRecord, int]:
    """The places of the newest files that the user may see, the newest first; before that place.

    Made of one piece for each way to a file, and every piece is an index read in its order:
    however many files there are, and whoever's, no more is read than asked for. It makes lists
    quick and never decides: whoever lists asks `rule.visible_to` about what this proposes. What
    is below shared folders is among it as long as these are `MERGED_FOLDERS` at most.
    """
    if not user.is_active:
        return FileRecord.objects.none().values_list("place", flat=True)
    return _merged(_reach(user).pieces, before, at_most)


def _reach(user: User | AnonymousUser) -> _Reach:
    """Everything that the user may see."""
    live = Grant.objects.live().filter(file_place__isnull=False)
    groups = list(user.groups.values_list("pk", flat=True))
    ways = [live.filter(user=user.pk)]
    ways += [live.filter(group_id=group) for group in groups[:MERGED_GROUPS]]
    if others := groups[MERGED_GROUPS:]:
        ways.append(live.filter(group_id__in=others))
    owned = FileRecord.objects.filter(owner_id=user.pk).values_list("place", flat=True)
    pieces = [owned.order_by(), *(_places_of(way) for way in ways)]
    if (below := _below_shared(user)) is not None:
        return _Reach(user, None, pieces + _pieces_of(below))
    shared = (
        Ancestry.objects.filter(ancestor__in=way.values("folder")).values_list(
            "descendant", flat=True
        )
        for way in _folder_grants(user)
    )
    return _Reach(user, None, pieces, tuple(shared))


def _folder_grants(user: Any) -> tuple[GrantQuerySet, GrantQuerySet]:
    """The live grants of folders, in person and through groups."""
    return Grant.objects.live().order_by().filter(folder__isnull=False).by_way(user)


WAYS = (0, 1)
"""In person, and through groups."""


@statement(user=NUMBER)
def _shared_folders(user: Any, way: int, before: int, at_most: int) -> QuerySet[Any, Any]:
    """The folders that were granted that way, after so many of them."""
    granted = _folder_grants(Somebody(user))[way].values_list("folder", flat=True)
    return granted[before : before + at_most]


@statement(folders=IDS)
def _below(folders: Any, at_most: int) -> QuerySet[Any, Any]:
    """These folders and those below them."""
    below = Ancestry.objects.filter(ancestor__pk__in=folders).order_by()
    return below.values_list("descendant", flat=True)[:at_most]


def _below_shared(user: User | AnonymousUser) -> set[Any] | None:
    """The shared folders and those below them; None where these are more than are merged."""
    granted: set[Any] = set()
    for way in WAYS:
        # So many and no more: a database that is asked for what is below all of them begins by
        # collecting all of them.
        some = _shared_folders(user=user.pk, way=way, before=0, at_most=GRANTS_READ)
        granted.update(some)
        if len(some) == GRANTS_READ or len(granted) > MERGED_FOLDERS:
            return None
    some = _below(folders=granted, at_most=MERGED_FOLDERS + 1) if granted else []
    return set(some) if len(some) <= MERGED_FOLDERS else None


def _within(user: User | AnonymousUser, folder: Folder) -> _Reach:
    """What the user may see at that folder and below it."""
    below = placing.below_or_at(folder)
    some = list(below[: MERGED_FOLDERS + 1])
    if len(some) <= MERGED_FOLDERS:
        return _Reach(user, folder, _pieces_of(some))
    pieces = _pieces_of([folder.pk])
    return _Reach(user, folder, pieces, (below,))


def _pieces_of(folders: Collection[Any]) -> list[QuerySet[Any, int]]:
    return [
        FileRecord.objects.filter(folder_id=folder).order_by().values_list("place", flat=True)
        for folder in folders
    ]


def _places_of(grants: GrantQuerySet) -> QuerySet[Any, int]:
    return grants.order_by().annotate(place=F("file_place")).values_list("place", flat=True)


def _merged(
    pieces: list[QuerySet[Any, int]], before: int | None, at_most: int
) -> QuerySet[Any, int]:
    if before is not None:
        pieces = [piece.filter(place__lt=before) for piece in pieces]
    return merged(pieces, ["-place"], at_most)


# --- The search ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Wanted:
    """What a search is for: in the reach, with these words in the name, and kept by the filter."""

    reach: _Reach
    words: list[str]
    keep: Filter

    def newest(self, places: Sequence[int] | QuerySet[Any, int], at_most: int) -> list[FileRecord]:
        """The newest of the files at these places that are wanted."""
        found = matching(self.reach.files.filter(place__in=places), self.words)
        if not self.keep.is_set:
            return list(_in_order(found)[:at_most])
        # The kind is told by Python; the places are bounded, and so is what is read of each.
        columns = ("place", "content_type", "name", "custody", "owner")
        rows = found.order_by("-place").values_list(*columns)
        me = self.reach.user.pk
        kept = (place for place, *rest in rows if self.keep.keeps_file(Facts(*rest), me))
        return self.reach.shown_at(list(islice(kept, at_most)) or [FIRST])


def _search(wanted: _Wanted, before: int | None, length: int) -> Page:
    reach, served = wanted.reach, name_search.served(wanted.words)
    if reach.rest is not None and not served:
        return _search_some(wanted, before, length)
    own = _merged(reach.pieces, before, WALKED)
    end_of_walk = None
    if reach.rest is None:
        walked = wanted.newest(own, length + 1)
        if len(walked) > length:
            return _page(walked, length)
        # The place at which the walk ended, unless that was the end of the list.
        end_of_walk = next(iter(own[WALKED - 1 : WALKED]), None)
        if end_of_walk is None or not served:
            return _page(walked, length, cut_at=end_of_walk)
    proposed = name_search.newest(served, before=before, at_most=PROPOSED)
    end_of_index = proposed[-1] if len(proposed) == PROPOSED else None
    if end_of_index is not None and end_of_walk is not None and end_of_walk <= end_of_index:
        return _page(walked, length, cut_at=end_of_walk)
    # Asked where nothing is proposed, too: that others have such files should not show.
    found = wanted.newest(proposed or [FIRST], length + 1)
    return _page(found, length, cut_at=end_of_index)


def _search_some(wanted: _Wanted, before: int | None, length: int) -> Page:
    """A search that no index serves, in more folders than can be read in order.

    It goes through what is one's own or granted itself, as any; of what is in all those folders it
    looks at a number of files, whichever they are, and says that there is more.
    """
    reach = wanted.reach
    own = _merged(reach.pieces, before, WALKED)
    walked = wanted.newest(own, length + 1)
    end_of_walk = next(iter(own[WALKED - 1 : WALKED]), None)
    page = _page(walked, length, cut_at=None if len(walked) > length else end_of_walk)
    if before is not None or reach.rest is None:
        return page
    # The first folders, by name: to ask in one would collect all of them.
    folders = {folder for way in reach.rest for folder in way[:WALKED]}
    there = FileRecord.objects.filter(folder__in=folders).order_by()
    some = list(there.values_list("place", flat=True)[:WALKED])
    known = {record.pk for record in page.records}
    found = wanted.newest(some or [FIRST], length)
    rows = page.rows + [row for row in _rows(found) if row.item.pk not in known]
    return Page(rows, page.next_cursor, page.is_cut, left_out=True)


def _page(found: list[FileRecord], length: int, *, cut_at: int | None = None) -> Page:
    if len(found) > length:
        return Page(_rows(found[:length]), _encode(found[length - 1].place))
    return Page(_rows(found), _encode(cut_at) if cut_at is not None else "", cut_at is not None)


def folders_named(
    user: User | AnonymousUser, words: list[str], within: Folder | None
) -> tuple[list[Folder], bool]:
    """Folders whose names contain every word, by name; and whether there may be more of them.

    There is no index of folders' names: so many are looked at, and no more.
    """
    wanted: dict[Any, None] = {}
    left_out = within is None and any(
        _shared_folders(user=user.pk, way=way, before=FOLDERS_NAMED, at_most=1) for way in WAYS
    )
    for some in _folders_proposed(user, within):
        left_out |= len(some) > FOLDERS_NAMED
        for pk, name, plain in some[:FOLDERS_NAMED]:
            if _contains(plain_name(name) if plain is None else plain, words):
                wanted[pk] = None
    named = Folder.objects.filter(pk__in=list(wanted)[:PROPOSED]).select_related("owner")
    # Of several at once: asked one by one, PostgreSQL would read all grants of each folder.
    folders = list(named.order_by("name", "pk"))
    seen = explaining.accesses_of(Person(user), folders)
    found = [folder for folder in folders if folder.pk in seen]
    return found[:FOLDERS_SHOWN], left_out or len(found) > FOLDERS_SHOWN


def _folders_proposed(
    user: User | AnonymousUser, within: Folder | None
) -> Iterator[list[tuple[Any, str, str | None]]]:
    """Ids and names of folders, one more than are looked at, by way of their ancestors.

    With the plain names, where there are any yet: code of the release before writes none.
    """
    bound = FOLDERS_NAMED + 1
    if within is not None:
        yield _names_within(folder=within.pk, at_most=bound)
        return
    yield _names_of_own(user=user.pk, at_most=bound)
    for way in WAYS:
        yield _names_of_shared(user=user.pk, way=way, at_most=bound)


def _names_below() -> QuerySet[Any, Any]:
    # An index has the ancestors.
    names = ("descendant", "descendant__name", "descendant__plain_name")
    return Ancestry.objects.order_by().values_list(*names)


@statement(folder=ID)
def _names_within(folder: Any, at_most: int) -> QuerySet[Any, Any]:
    return _names_below().filter(ancestor=folder, distance__gt=0)[:at_most]


@statement(user=NUMBER)
def _names_of_own(user: Any, at_most: int) -> QuerySet[Any, Any]:
    own = Folder.objects.filter(owner=user, trashed_at=None, parent__isnull=False)
    return own.order_by("trashed_at", "pk").values_list("pk", "name", "plain_name")[:at_most]


@statement(user=NUMBER)
def _names_of_shared(user: Any, way: int, at_most: int) -> QuerySet[Any, Any]:
    # Of so many grants: a database that had them all would collect them all first.
    some = _folder_grants(Somebody(user))[way].values("folder")[:at_most]
    return _names_below().filter(ancestor__in=some)[:at_most]


def _contains(plain: str, words: list[str]) -> bool:
    return all(word in plain for word in words)


@asked(places=NUMBERS)
def _shown_at(who: Principal, places: Any) -> QuerySet[FileRecord]:
    return _in_order(rule.visible_to(who).filter(place__in=places))


def _in_order(files: QuerySet[FileRecord]) -> QuerySet[FileRecord]:
    """The newest first, with what a row shows."""
    return shown_files(files.order_by("-place"))


def _rows(records: Collection[FileRecord]) -> list[Row]:
    return [Row(record, record.created_at) for record in records]


def _encode(place: int) -> str:
    return base64.urlsafe_b64encode(struct.pack(">q", place)).decode()


def position_of(cursor: str) -> int | None:
    """After which place a page of a search begins; None where the cursor is none of a search."""
    try:
        (place,) = struct.unpack(">q", base64.b64decode(cursor.encode(), b"-_", validate=True))
    except (binascii.Error, ValueError, struct.error):
        return None
    return int(place)
