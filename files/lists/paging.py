"""Pages of a list of files, newest first, by keyset: the place of the last row names the next page.

However many files there are, whoever's they are, and however deep the page: a page costs the same,
and nothing is ever counted. For that, `newest_places` and the index of names propose files,
each up to a bound, and `visible_to` and `matching` decide about every one of them. Where a search
has come to both bounds without filling its page, the page says so, and the next one goes on there.
"""

from __future__ import annotations

import base64
import binascii
import struct
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.db import connection
from django.db.models import F, QuerySet, Value
from django.db.models.functions import Concat
from django.db.models.lookups import Contains

from accounts.models import User
from files import access
from files.access import Person
from files.lists import name_search
from files.models import FileRecord, Grant, GrantQuerySet
from files.records.names import fold_name
from files.records.ordering import FIRST

WALKED = 1000
"""Files of one's own that a search looks through by itself, from where its page begins."""

MERGED_GROUPS = 100
"""Groups of one person whose grants are read each in order of their files. Of a person in more,
the grants to all the others are sorted for each page."""

PROPOSED = 500
"""Files of anybody's that the index of names proposes for one page at most."""


@dataclass(frozen=True)
class Page:
    """Some files, and the cursor of the page after them; empty on the last.

    `is_cut` says that the search has not come to its end, though the page is not full.
    """

    records: list[FileRecord]
    next_cursor: str
    is_cut: bool = False


def words_of(query: str) -> list[str]:
    """The words that a name must contain, as `FileRecord.folded_name` has them."""
    # No name holds a NUL, and PostgreSQL refuses to be asked for one.
    return sorted(set(fold_name(query.replace("\0", "")).split()))


def matching(files: QuerySet[FileRecord], words: Collection[str]) -> QuerySet[FileRecord]:
    """Files whose name contains every word."""
    # An expression, which no index serves: PostgreSQL would look for these words among all files.
    name = Concat("folded_name", Value(""))
    for word in words:
        files = files.filter(Contains(name, word))
    return files


def page_of(user: User | AnonymousUser, *, query: str = "", cursor: str = "", length: int) -> Page:
    """The user's files whose names contain every word of `query`, whatever the case, from `cursor`.

    The first page where the cursor means nothing. At most five queries.
    """
    words, before = words_of(query), _decode(cursor)
    if words:
        return _search(user, words, before, length)
    places = list(newest_places(user, before=before, at_most=length + 1))
    records = _newest(_among(user, places[:length]), length)
    return Page(records, _encode(places[length - 1]) if len(places) > length else "")


def newest_places(
    user: User | AnonymousUser, *, before: int | None = None, at_most: int
) -> QuerySet[FileRecord, int]:
    """The places of the newest files that the user may see, the newest first; before that place.

    Made of one piece for each way to a file, and every piece is an index read in its order:
    however many files there are, and whoever's, no more is read than asked for. It makes lists
    quick and never decides: whoever lists asks `access.visible_to` about what this proposes.
    """
    if not user.is_active:
        return FileRecord.objects.none().values_list("place", flat=True)
    live = Grant.objects.live()
    groups = list(user.groups.values_list("pk", flat=True))
    ways = [live.filter(user_id=user.pk)]
    ways += [live.filter(group_id=group) for group in groups[:MERGED_GROUPS]]
    if others := groups[MERGED_GROUPS:]:
        ways.append(live.filter(group_id__in=others))
    owned = FileRecord.objects.filter(owner_id=user.pk).values_list("place", flat=True)
    pieces = [owned.order_by(), *(_places_of(way) for way in ways)]
    if before is not None:
        pieces = [piece.filter(place__lt=before) for piece in pieces]
    if connection.features.supports_slicing_ordering_in_compound:
        # SQLite, which cannot, merges the pieces as their indexes have them, and stops itself.
        pieces = [piece.order_by("-place")[:at_most] for piece in pieces]
    return pieces[0].union(*pieces[1:]).order_by("-place")[:at_most]


def _places_of(grants: GrantQuerySet) -> QuerySet[Any, int]:
    return grants.order_by().annotate(place=F("file_place")).values_list("place", flat=True)


def _search(user: User | AnonymousUser, words: list[str], before: int | None, length: int) -> Page:
    own = newest_places(user, before=before, at_most=WALKED)
    walked = _newest(matching(_among(user, own), words), length + 1)
    if len(walked) > length:
        return _page(walked, length)
    # The place at which the walk ended, unless that was the end of the list.
    end_of_walk = next(iter(own[WALKED - 1 : WALKED]), None)
    served = name_search.served(words) if end_of_walk is not None else []
    if not served:
        return _page(walked, length, cut_at=end_of_walk)
    proposed = name_search.newest(served, before=before, at_most=PROPOSED)
    end_of_index = proposed[-1] if len(proposed) == PROPOSED else None
    if end_of_index is not None and end_of_walk is not None and end_of_walk <= end_of_index:
        return _page(walked, length, cut_at=end_of_walk)
    # Asked where nothing is proposed, too: that others have such files should not show.
    found = _newest(matching(_among(user, proposed or [FIRST]), words), length + 1)
    return _page(found, length, cut_at=end_of_index)


def _page(found: list[FileRecord], length: int, *, cut_at: int | None = None) -> Page:
    if len(found) > length:
        return Page(found[:length], _encode(found[length - 1].place))
    return Page(found, _encode(cut_at) if cut_at is not None else "", cut_at is not None)


def _among(
    user: User | AnonymousUser, places: Sequence[int] | QuerySet[Any, int]
) -> QuerySet[FileRecord]:
    return access.visible_to(Person(user)).filter(place__in=places)


def _newest(files: QuerySet[FileRecord], at_most: int) -> list[FileRecord]:
    return list(files.order_by("-place").select_related("owner", "current")[:at_most])


def _encode(place: int) -> str:
    return base64.urlsafe_b64encode(struct.pack(">q", place)).decode()


def _decode(cursor: str) -> int | None:
    try:
        (place,) = struct.unpack(">q", base64.b64decode(cursor.encode(), b"-_", validate=True))
    except (binascii.Error, ValueError, struct.error):
        return None
    return int(place)
