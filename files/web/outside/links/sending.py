"""The bytes behind a link: of a file, or of its folder as ZIP, counted as people count.

Never sends one before its place in the count is reserved (`files.vault.counting`).
"""

from __future__ import annotations

from functools import partial

from django.core.exceptions import PermissionDenied
from django.db.models import Sum
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_http_methods, require_safe

from accounts import limits
from files.access.rule import visible_to
from files.errors import AccessEnded, FileDamaged, KeyNeeded, WrongFileKey
from files.lists.trees import AT_MOST, tree_of
from files.models import FileRecord, Folder
from files.records.names import shortened
from files.sharing.links import visiting
from files.vault import counting
from files.web.outside import over
from files.web.outside.links.pages import common_context, damaged_page, file_page, find_file
from files.web.outside.links.visits import Visit, through
from files.web.transfers import archive, downloads, unlocking
from files.web.transfers.byteranges import ByteRange


@require_safe
@through
@sensitive_variables()
def download(request: HttpRequest, visit: Visit) -> HttpResponseBase:
    """The bytes of the file that the link is to; a folder has its own page for that."""
    item = visit.standing.item
    if isinstance(item, Folder):
        return redirect("links:zip", visit.token)
    return _send(request, visit, item)


@require_safe
@through
@sensitive_variables()
def download_file(request: HttpRequest, visit: Visit, file_id: str) -> HttpResponseBase:
    """The bytes of a file below the link's folder."""
    record = find_file(visit, file_id)
    return over(request) if record is None else _send(request, visit, record)


@sensitive_variables()
def _send(request: HttpRequest, visit: Visit, record: FileRecord) -> HttpResponseBase:
    if downloads.is_part_of_a_page(request, record):
        raise PermissionDenied
    key = unlocking.key_of(request, record)

    def reserve(part: ByteRange, resumed: bool) -> counting.Reservation:
        wanted = counting.Wanted(
            what=record.version.hex,
            whose=visit.whose,
            size=record.size,
            bound=_bound(visit),
            start=part.start,
            stop=part.stop,
            resumed=resumed,
        )
        return counting.reserve(visit.standing.link.pk, wanted)

    outside = downloads.Outside(visit.standing.who, visit.whose, reserve)
    allowed = partial(visiting.still_works, visit.standing.link.pk, record)
    try:
        return downloads.answer(request, record, allowed, key, outside=outside)
    except (KeyNeeded, WrongFileKey):
        return file_page(request, visit, record, status=403)
    except (AccessEnded, counting.UsedUp):
        return over(request)
    except counting.AllReserved as reserved:
        return _busy(request, visit, reserved)
    except FileDamaged:
        return damaged_page(request, visit, record)


def _bound(visit: Visit) -> int:
    """Bytes of all that the link leads to, of which it sends so many times at most."""
    item = visit.standing.item
    if isinstance(item, FileRecord):
        return item.size
    if visit.standing.link.most is None:
        return 0
    found = visible_to(visit.standing.who).order_by().aggregate(all=Sum("size"))
    return int(found["all"] or 0)


def _busy(request: HttpRequest, visit: Visit, reserved: counting.AllReserved) -> HttpResponse:
    context = {**common_context(visit), "wait": limits.in_words(reserved.wait)}
    response = render(request, "outside/link_busy.html", context, status=429)
    response["Retry-After"] = str(reserved.wait)
    return response


@require_http_methods(["GET", "HEAD", "POST"])
@through
def download_all(request: HttpRequest, visit: Visit) -> HttpResponseBase:
    """What a ZIP of the link's folder would have, and would not; POST: the ZIP."""
    item, link = visit.standing.item, visit.standing.link
    if not isinstance(item, Folder):
        return over(request)
    tree = tree_of(visit.standing.who, item)
    context = {**common_context(visit), "folder": item, "tree": tree, "at_most": AT_MOST}
    page = partial(render, request, "outside/link_zip.html")
    if not tree.is_whole:
        return page(context, status=400)
    if request.method != "POST":
        return page(context)
    size = tree.size
    wanted = counting.Wanted("zip", visit.whose, size, _bound(visit), 0, size)
    try:
        reserved = counting.reserve(link.pk, wanted)
        return archive.answer(
            archive.members_of_tree(tree),
            partial(visiting.still_works, link.pk),
            user=link.maker,
            name=shortened(item.name, ".zip"),
            link=visit.standing.who,
            reserved=reserved,
        )
    except counting.AllReserved as busy:
        return _busy(request, visit, busy)
    except (AccessEnded, counting.UsedUp):
        return over(request)
    except FileDamaged:
        # Found just now: the next attempt leaves it out.
        return page({**context, "changed": True}, status=502)
