"""Who comes by a link that works, and whether anything still stands before it.

Every way in begins with `find` of `files.sharing.links.visiting`; what leads nowhere is one page.
Never tells a link that is there from one that is not: neither by words nor by what a try costs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Concatenate, ParamSpec

from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.debug import sensitive_variables

from accounts.outside import capability, guesses, passes, passwords
from audit.client_addresses import client_address
from files.sharing.links import visiting as link_visiting
from files.web.outside import over

P = ParamSpec("P")

PATH = "/l/"
"""Where passes are good: the path of one link is its secret."""


class WrongGuess(Exception):
    """A password or a code that is another."""


@dataclass(frozen=True)
class Visit:
    """Somebody at the door of a link that works; `passed` is what lets them through, if needed."""

    token: str
    standing: link_visiting.Standing
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
        standing = link_visiting.find(token)
        if standing is None:
            _try_nothing(request, token)
            return over(request)
        request.outsider = standing.door  # type: ignore[attr-defined]
        passed = passes.of(request, standing.door, stamp=stamp_of(standing))
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


def stamp_of(standing: link_visiting.Standing) -> str:
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
