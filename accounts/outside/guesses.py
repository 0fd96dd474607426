"""How often somebody outside may be wrong: for a door from one address, for a door, for an address.

Counted by the digest of what stood in the URL, so that a door that is not there is as slow as one
that is. Whose door it is comes in by their account, and is never kept out by any of it.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Final

from django.http import HttpRequest

from accounts.limits import ADDRESS, Limit

WRONG: Final = Limit("outside_guess", {"door+address": "5/5m", "door": "60/h", ADDRESS: "60/h"})
"""Passwords and codes."""

ASKING: Final = Limit("outside_code", {"door+to": "5/h", "door": "60/h", ADDRESS: "20/h"})
"""Codes that are to be sent, whether to somebody who may have one or not."""

UNKNOWN: Final = Limit("outside_unknown", {ADDRESS: "120/5m"})
"""Doors that are not there. A right one is never kept out by them."""


def counting(
    request: HttpRequest, digest: str, wrong: type[Exception]
) -> AbstractContextManager[None]:
    """Count what ends in `wrong`. Raises LimitReached instead of running the block."""
    return WRONG.counting(request, wrong, door=digest)


def note_asked(request: HttpRequest, digest: str, to: str) -> None:
    """Count that a code is asked for. Raises LimitReached, and then none may be sent."""
    ASKING.take(request, door=digest, to=to)


def note_unknown(request: HttpRequest) -> None:
    """Count that somebody came to no door. Raises LimitReached."""
    UNKNOWN.take(request)
