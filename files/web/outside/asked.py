"""The pages of a request, for who came with its address: what is asked, who they are, a receipt.

A GET decides nothing. Who is there is a sender once they have said a name, or shown that they have
a mail address; their browser keeps a pass. Must never tell what was sent before, by anybody.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import wraps
from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import get_language, gettext
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods

from accounts.limits import ADDRESS, Limit, LimitReached
from accounts.outside import REQUEST, Door, capability, codes, guesses, passes
from files.errors import RequestFull, RequestOver
from files.models import FileRequest, Sender
from files.records.names import BadName
from files.sharing import senders
from files.vault import outside
from files.web.outside import over

PASS_LASTS: Final = timedelta(days=1)
"""From the last answer on: a large file may take long, and be gone on with."""

UNKNOWN: Final = "again"
"""In the address of who sent files without a pass, or with one that is over."""

STAMP: Final = "sender"
"""A pass holds for as long as its request is open: nothing else ends it."""

ADMITTED: Final = Limit("outside_admitted", {"door": "600/h", ADDRESS: "60/h"})
"""Names that are said at a door: each is a row of a sender's."""


@dataclass(frozen=True)
class Visit:
    """Somebody at the door of a request that is open; `sender` once they are known."""

    asked: FileRequest
    token: str
    door: Door
    sender: Sender | None
    nonce: str = ""

    @property
    def browser(self) -> str:
        """What tells this browser from others, as it is kept."""
        return hashlib.sha256(self.nonce.encode()).hexdigest()

    def keep(self, response: HttpResponseBase) -> None:
        """Let the browser be known for another while."""
        if self.sender is not None:
            give_pass(response, self.door, self.sender, self.nonce)


def give_pass(response: HttpResponseBase, door: Door, sender: Sender, nonce: str = "") -> None:
    """Let the browser be known as that sender's, at this door alone."""
    passes.give(
        response,
        door,
        stamp=STAMP,
        who=str(sender.pk),
        nonce=nonce,
        path="/r/",
        lasts=PASS_LASTS,
    )


View = Callable[..., HttpResponseBase]


def at_the_door(view: View) -> View:
    """Find the request that the token in the address is of, and who stands before it.

    Every other token gets one page. The view gets the visit in the place of the token.
    """

    @sensitive_variables()
    @wraps(view)
    def found(request: HttpRequest, token: str, **more: Any) -> HttpResponseBase:
        visit = visit_of(request, token)
        if visit is None:
            return over(request)
        try:
            response = view(request, visit, **more)
        except RequestOver:
            return over(request)
        if not response.cookies:
            visit.keep(response)
        return response

    return found


@sensitive_variables()
def visit_of(request: HttpRequest, token: str) -> Visit | None:
    """Who stands at which door; None where there is none, or none that is open."""
    asked = senders.open_by(token)
    if asked is None:
        return None
    door = Door(REQUEST, asked.pk, asked.token_digest)
    request.outsider = door  # type: ignore[attr-defined]
    sender, nonce = _known(request, door, asked)
    return Visit(asked, token, door, sender, nonce)


def _known(request: HttpRequest, door: Door, asked: FileRequest) -> tuple[Sender | None, str]:
    known = passes.of(request, door, stamp=STAMP, lasts=PASS_LASTS)
    if known is None:
        return None, ""
    senders = Sender.objects.select_related("folder", "waiting").filter(request=asked.pk)
    sender = senders.filter(pk=int(known.who)).first()
    if sender is None:
        return None, ""
    sender.request = asked
    return sender, known.nonce


@require_http_methods(["GET", "HEAD", "POST"])
@sensitive_post_parameters("code")
@at_the_door
def landing(request: HttpRequest, visit: Visit) -> HttpResponseBase:
    """What is asked for, by whom, until when; a name or a code lets one send."""
    if request.method != "POST":
        lost = UNKNOWN in request.GET and visit.sender is None
        again = gettext("Nothing was stored: say first who you are, then choose the files again.")
        return _page(request, visit, problem=again if lost else "")
    if visit.sender is not None:
        return redirect("asked", token=visit.token)
    try:
        if visit.asked.identify == FileRequest.Identify.NAME:
            ADMITTED.take(request, door=visit.door.digest)
            return _enter(visit, name=request.POST.get("name", ""))
        return _by_mail(request, visit)
    except LimitReached as reached:
        return _page(request, visit, problem=str(reached), status=429)
    except BadName:
        # They know of no folder that will be called so.
        text = gettext("Say a name that can be written down: not “/” or “\\”, and not too long.")
        return _page(request, visit, problem=text, status=400)
    except RequestFull as error:
        return _page(request, visit, problem=str(error), status=400)


def _page(
    request: HttpRequest, visit: Visit, *, problem: str = "", status: int = 200, **context: Any
) -> HttpResponse:
    about = {
        "asked": visit.asked,
        "token": visit.token,
        "sender": visit.sender,
        "left": outside.left_of(visit.asked),
        "files_left": outside.files_left_of(visit.asked),
        "problem": problem,
        "typed": request.POST.get("name") or request.POST.get("email") or "",
        **context,
    }
    name = "outside/asked_send.html" if visit.sender else "outside/asked.html"
    return render(request, name, about, status=status)


def _enter(visit: Visit, *, name: str, email: str = "") -> HttpResponse:
    sender = senders.admit(visit.asked, name=name, email=email)
    response = redirect("asked", token=visit.token)
    give_pass(response, visit.door, sender)
    return response


@sensitive_variables()
def _by_mail(request: HttpRequest, visit: Visit) -> HttpResponseBase:
    """A code to the address that was typed; or the code, which lets in who has it."""
    email = codes.normal(request.POST.get("email", ""))
    if not codes.is_address(email):
        text = gettext("That is no mail address: write ann@example.org.")
        return _page(request, visit, problem=text, status=400)
    digest = capability.digest_of(visit.token)
    if not (code := request.POST.get("code", "")):
        guesses.note_asked(request, digest, email)
        senders.send_code(visit.asked, visit.door, email, language=get_language() or "")
        return _page(request, visit, sent_to=email)
    try:
        with guesses.counting(request, digest, codes.WrongCode):
            codes.check(visit.door, email, code)
            if not senders.may_have_code(visit.asked, email):
                raise codes.WrongCode
    except codes.WrongCode:
        senders.note_wrong_code(visit.asked, email)
        text = gettext("That code is not taken: it is another one, or over. Ask for a new one.")
        return _page(request, visit, problem=text, status=400, sent_to=email)
    # An address may have what the name of a folder may not.
    return _enter(visit, name=email.replace("/", "_"), email=email)


@require_http_methods(["GET", "HEAD"])
@at_the_door
def receipt(request: HttpRequest, visit: Visit) -> HttpResponseBase:
    """What this browser has sent through it: names, sizes and digests; as text to keep as well."""
    if visit.sender is None:
        return redirect("asked", token=visit.token)
    lines = senders.receipt(visit.sender, visit.browser)
    context = {"asked": visit.asked, "token": visit.token, "sender": visit.sender, "lines": lines}
    if request.GET.get("as") != "text":
        return render(request, "outside/asked_receipt.html", context)
    response = render(
        request,
        "outside/asked_receipt.txt",
        context,
        content_type="text/plain; charset=utf-8",
    )
    response["Content-Disposition"] = 'attachment; filename="receipt.txt"'
    return response
