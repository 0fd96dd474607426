"""In which language and which time zone a person reads: the account's choice, else the browser's.

What a browser says decides nothing but how pages look: a language that we do not have, or a zone
that does not exist, is as if nothing was said.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils import timezone, translation

from accounts.models import User
from notices import readers

GetResponse = Callable[[HttpRequest], HttpResponseBase]

ZONE_COOKIE = "zone"
"""What `zone.js` found the browser's time zone to be: an IANA name, and no secret."""


class ZoneMiddleware:
    """Times on pages are those of the browser's zone, or else of the site's, until `apply`."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        with timezone.override(readers.zone_named(request.COOKIES.get(ZONE_COOKIE, ""))):
            return self.get_response(request)


def apply(user: User | AnonymousUser) -> None:
    """Go on with the request as its person has chosen, once it is known who that is.

    Not before: a page that asks for no user reads no session. Both end with the request.
    """
    if not user.is_authenticated:
        return
    if user.language in readers.languages():
        translation.activate(user.language)
    if zone := readers.zone_named(user.time_zone):
        timezone.activate(zone)


@contextmanager
def of_reader(user: User | None) -> Iterator[None]:
    """What is written within is for this person, whoever has the request: a mail, say.

    Where they have chosen nothing, or have no account, it is as the site has it.
    """
    language, zone = (user.language, user.time_zone) if user else ("", "")
    with readers.writing_to(language, zone):
        yield
