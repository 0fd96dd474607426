"""The pages of a link: what stands before it, what it leads to, and the bytes.

Nothing is said before the password or the code, where there is one. Every way in begins with
`links.find`; what is below it is found by the one rule, as who comes by that link.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial, wraps
from typing import Any, Concatenate, ParamSpec

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.db.models import Sum
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import get_language, gettext
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods, require_safe

from accounts import limits
from accounts.outside import Door, capability, codes, guesses, passes, passwords
from audit.client_addresses import client_address
from files.access.rule import folders_visible_to, visible_to
from files.errors import AccessEnded, FileDamaged, KeyNeeded, NotAKey, WrongFileKey
from files.keys import custody
from files.lists import contents, places
from files.lists.contents import Order
from files.lists.trees import AT_MOST, tree_of
from files.models import FileRecord, Folder
from files.records.names import shortened
from files.sharing import links
from files.vault import counting, held
from files.web.outside import over
from files.web.transfers import archive, downloads, unlocking
from files.web.transfers.byteranges import ByteRange

P = ParamSpec("P")

PATH = "/l/"
"""Where passes are good: the path of one link is its secret."""


class WrongGuess(Exception):
    """A password or a code that is another."""


@dataclass(frozen=True)
class Visit:
    """Somebody at the door of a link that works; `passed` is what lets them through, if needed."""

    token: str
    standing: links.Standing
    passed: passes.Pass | None
    whose: str
    """What tells this client from others, as far as can be known."""

    @property
    def is_through(self) -> bool:
        """Whether nothing stands before it any more."""
        link = self.standing.link
        return self.passed is not None or not (link.password or link.addresses)

    @property
    def address(self) -> str:
        """Of the landing page."""
        return reverse("links:door", args=[self.token])


def visiting(
    view: Callable[Concatenate[HttpRequest, Visit, P], HttpResponseBase],
) -> Callable[..., HttpResponseBase]:
    """Let the view have the visit of who came by a link that works; all else is one page."""

    @wraps(view)
    @sensitive_variables()
    def answered(
        request: HttpRequest, /, token: str, *args: P.args, **kwargs: P.kwargs
    ) -> HttpResponseBase:
        standing = links.find(token)
        if standing is None:
            _try_nothing(request, token)
            return over(request)
        request.outsider = standing.door  # type: ignore[attr-defined]
        passed = passes.of(request, standing.door, stamp=_stamp(standing))
        nonce = passed.nonce if passed else ""
        client = (client_address(request), request.headers.get("User-Agent", ""), nonce)
        return view(request, Visit(token, standing, passed, "\0".join(client)), *args, **kwargs)

    return answered


def through(
    view: Callable[Concatenate[HttpRequest, Visit, P], HttpResponseBase],
) -> Callable[..., HttpResponseBase]:
    """The same for who is through; others are sent to the door."""

    @wraps(view)
    def answered(
        request: HttpRequest, visit: Visit, /, *args: P.args, **kwargs: P.kwargs
    ) -> HttpResponseBase:
        if not visit.is_through:
            return redirect(visit.address)
        return view(request, visit, *args, **kwargs)

    return visiting(answered)


def _stamp(standing: links.Standing) -> str:
    return f"{standing.link.password}\0{standing.link.addresses}"


@sensitive_variables()
def _try_nothing(request: HttpRequest, token: str) -> None:
    """What trying a password or a code costs at any door. Raises LimitReached, TooBusy."""
    tried = request.POST.get("password")
    if tried is None and "code" not in request.POST:
        return
    try:
        with guesses.counting(request, capability.digest_of(token), WrongGuess):
            if tried is not None:
                passwords.matches(tried, "")
            raise WrongGuess
    except WrongGuess:
        return


# --- The door -----------------------------------------------------------------------------------


@require_http_methods(["GET", "HEAD", "POST"])
@sensitive_post_parameters("password", "code")
@visiting
@sensitive_variables()
def door(request: HttpRequest, visit: Visit) -> HttpResponseBase:
    """Who shares what until when; before that what it takes, where it takes something."""
    if not visit.is_through:
        return _ask(request, visit)
    if request.method == "POST":
        return redirect(visit.address)
    if request.method == "GET":
        links.note_opened(visit.standing, address=client_address(request))
    item = visit.standing.item
    if isinstance(item, Folder):
        return _folder_page(request, visit, item)
    return _file_page(request, visit, item)


@sensitive_variables()
def _ask(request: HttpRequest, visit: Visit) -> HttpResponse:
    link, post = visit.standing.link, request.POST
    between = _between(visit)
    knows_password = not link.password or (
        passes.of(request, between, stamp=_stamp(visit.standing)) is not None
    )
    if not knows_password:
        if "password" in post:
            return _password(request, visit, between, post["password"])
        return _door_page(request, "password")
    if "code" in post:
        return _code(request, visit, post.get("address", ""), post["code"])
    if post.get("address"):
        return _send_code(request, visit, post["address"])
    return _door_page(request, "address")


def _between(visit: Visit) -> Door:
    """Between the password and the code, where it takes both."""
    own = visit.standing.door
    return Door("link-password", own.number, own.digest)


@sensitive_variables()
def _password(request: HttpRequest, visit: Visit, between: Door, text: str) -> HttpResponse:
    try:
        with guesses.counting(request, visit.standing.door.digest, WrongGuess):
            if not links.take_password(visit.standing, text):
                raise WrongGuess
    except WrongGuess:
        problem = gettext("That is not the password. Ask whoever sent you the link.")
        return _door_page(request, "password", problem=problem, status=403)
    except limits.LimitReached as reached:
        return _wait(request, "password", reached)
    response = redirect(visit.address)
    to = between if visit.standing.link.addresses else visit.standing.door
    passes.give(response, to, stamp=_stamp(visit.standing), path=PATH)
    return response


def _send_code(request: HttpRequest, visit: Visit, address: str) -> HttpResponse:
    if not codes.is_address(address):
        problem = gettext("That is no mail address: write ann@example.org.")
        return _door_page(request, "address", problem=problem, status=400, address=address)
    address = address.strip()
    try:
        guesses.note_asked(request, visit.standing.door.digest, codes.normal(address))
    except limits.LimitReached as reached:
        return _wait(request, "address", reached, address=address)
    language = get_language() or settings.LANGUAGE_CODE
    links.send_code(visit.standing, address, language=language)
    return _door_page(request, "code", address=address)


@sensitive_variables()
def _code(request: HttpRequest, visit: Visit, address: str, code: str) -> HttpResponse:
    try:
        with guesses.counting(request, visit.standing.door.digest, codes.WrongCode):
            links.take_code(visit.standing, address, code)
    except codes.WrongCode:
        problem = gettext("That code is not taken. It may be mistyped or over: ask for another.")
        return _door_page(request, "code", address=address, problem=problem, status=403)
    except limits.LimitReached as reached:
        return _wait(request, "code", reached, address=address)
    response = redirect(visit.address)
    who = codes.normal(address)
    passes.give(response, visit.standing.door, stamp=_stamp(visit.standing), path=PATH, who=who)
    return response


def _door_page(request: HttpRequest, asks: str, *, status: int = 200, **told: Any) -> HttpResponse:
    context = {"asks": asks, "minutes": int(codes.LASTS.total_seconds() // 60), **told}
    return render(request, "outside/link_door.html", context, status=status)


def _wait(
    request: HttpRequest, asks: str, reached: limits.LimitReached, **told: Any
) -> HttpResponse:
    response = _door_page(request, asks, status=429, problem=str(reached), **told)
    response["Retry-After"] = str(reached.wait)
    return response


# --- What it leads to ---------------------------------------------------------------------------


def _common(visit: Visit) -> dict[str, Any]:
    link = visit.standing.link
    return {
        "token": visit.token,
        "link": link,
        "by": link.maker.get_full_name() or link.maker.get_username(),
        "root": visit.standing.item,
    }


def _file_page(
    request: HttpRequest, visit: Visit, record: FileRecord, *, status: int = 200, problem: str = ""
) -> HttpResponse:
    context = {**_common(visit), "record": record, "problem": problem}
    if record.is_held:
        found = unlocking.unlocked(request, record)
        context["unlocked_until"] = found[1] if found else None
        context["has_passphrase"] = bool(custody.derivation_of(record.current))
    return render(request, "outside/link_file.html", context, status=status)


def _folder_page(request: HttpRequest, visit: Visit, folder: Folder) -> HttpResponse:
    who = visit.standing.who
    order = Order.of(request.GET.get("sort", "")) or Order()
    after = request.GET.get("after", "")
    page = contents.page_of(who, folder, order=order, cursor=after, length=settings.FILES_PER_PAGE)
    context = {
        **_common(visit),
        "folder": folder,
        "way": places.way_to(who, folder.pk)[:-1],
        "rows": page.rows,
        "next": page.next_cursor,
        "sort": str(order),
        "is_first": not after,
    }
    return render(request, "outside/link_folder.html", context)


@require_safe
@through
def folder(request: HttpRequest, visit: Visit, folder_id: str) -> HttpResponse:
    """What is in a folder below the link's."""
    folders = folders_visible_to(visit.standing.who).select_related("owner")
    found = folders.filter(pk=_id(folder_id)).first()
    return over(request) if found is None else _folder_page(request, visit, found)


@require_http_methods(["GET", "HEAD", "POST"])
@sensitive_post_parameters("key")
@through
@sensitive_variables()
def file(request: HttpRequest, visit: Visit, file_id: str) -> HttpResponseBase:
    """One file; POST: a locked one's key, which opens it in this browser for a while."""
    record = _record(visit, file_id)
    if record is None:
        return over(request)
    if request.method != "POST" or not record.is_held:
        return _file_page(request, visit, record)
    number = visit.standing.link.pk
    counted = {"file": f"outside {record.pk}", "user": f"link {number}"}
    try:
        with limits.KEY_ENTRY.counting(request, WrongFileKey, **counted):
            key = held.unlock(record, request.POST.get("key", ""), actor=None)
    except limits.LimitReached as reached:
        response = _file_page(request, visit, record, status=429, problem=str(reached))
        response["Retry-After"] = str(reached.wait)
        return response
    except (NotAKey, WrongFileKey) as refused:
        status = 400 if isinstance(refused, NotAKey) else 403
        return _file_page(request, visit, record, status=status, problem=str(refused))
    except FileDamaged:
        return _damaged(request, visit, record)
    response = redirect("links:file_download", visit.token, record.pk)
    unlocking.unlock(response, request, record, key)
    return response


def _record(visit: Visit, file_id: str) -> FileRecord | None:
    files = visible_to(visit.standing.who).select_related("owner", "current__held_key")
    return files.filter(pk=_id(file_id)).first()


def _id(text: str) -> uuid.UUID:
    """The id that a path has; of what is none, one that nothing has."""
    try:
        return uuid.UUID(text)
    except ValueError:
        return uuid.UUID(int=0)


# --- Bytes --------------------------------------------------------------------------------------


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
    record = _record(visit, file_id)
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
    allowed = partial(links.still_works, visit.standing.link.pk, record)
    try:
        return downloads.answer(request, record, allowed, key, outside=outside)
    except (KeyNeeded, WrongFileKey):
        return _file_page(request, visit, record, status=403)
    except (AccessEnded, counting.UsedUp):
        return over(request)
    except counting.AllReserved as reserved:
        return _busy(request, visit, reserved)
    except FileDamaged:
        return _damaged(request, visit, record)


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
    context = {**_common(visit), "wait": limits.in_words(reserved.wait)}
    response = render(request, "outside/link_busy.html", context, status=429)
    response["Retry-After"] = str(reserved.wait)
    return response


def _damaged(request: HttpRequest, visit: Visit, record: FileRecord) -> HttpResponse:
    context = {**_common(visit), "record": record}
    return render(request, "outside/link_damaged.html", context, status=502)


@require_http_methods(["GET", "HEAD", "POST"])
@through
def download_all(request: HttpRequest, visit: Visit) -> HttpResponseBase:
    """What a ZIP of the link's folder would have, and would not; POST: the ZIP."""
    item, link = visit.standing.item, visit.standing.link
    if not isinstance(item, Folder):
        return over(request)
    tree = tree_of(visit.standing.who, item)
    context = {**_common(visit), "folder": item, "tree": tree, "at_most": AT_MOST}
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
            partial(links.still_works, link.pk),
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
