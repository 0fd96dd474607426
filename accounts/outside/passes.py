"""The pass: a cookie that says which door was opened here, so that it is not asked for again.

Good for one door, as it was then: another password, or other addresses, end it. Signed, and nothing
of it is on the server; it says nothing that its bearer did not, and no secret of the URL is in it,
nor in its name or path.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from django.conf import settings
from django.core import signing
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.crypto import constant_time_compare, salted_hmac

from accounts.outside import Door

LASTS: Final = timedelta(hours=1)
SALT: Final = "securestore.outside.pass"


@dataclass(frozen=True, slots=True)
class Pass:
    """Who came through: an address that was proved, or the name that they gave; may be empty.

    `nonce` tells this browser from others that came through the same door.
    """

    who: str
    nonce: str


def give(
    response: HttpResponseBase,
    door: Door,
    *,
    stamp: str,
    path: str,
    who: str = "",
    nonce: str = "",
    lasts: timedelta = LASTS,
) -> Pass:
    """Let the browser through that door for a while. `stamp`: what must stay as it is now."""
    given = Pass(who, nonce or secrets.token_hex(16))
    value = {"door": door.id, "stamp": _stamp(door, stamp), "who": who, "nonce": given.nonce}
    response.set_cookie(
        _name(door),
        signing.dumps(value, salt=SALT),
        max_age=lasts,
        path=path,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )
    return given


def of(request: HttpRequest, door: Door, *, stamp: str, lasts: timedelta = LASTS) -> Pass | None:
    """The pass that the request came with; None where it has none for that door as it is now."""
    text = request.COOKIES.get(_name(door), "")
    try:
        value: Any = signing.loads(text, salt=SALT, max_age=lasts)
    except signing.BadSignature:
        return None
    right = constant_time_compare(value["stamp"], _stamp(door, stamp))
    return Pass(value["who"], value["nonce"]) if value["door"] == door.id and right else None


def _name(door: Door) -> str:
    return f"securestore_pass_{_hmac('name', door.id)[:16]}"


def _stamp(door: Door, stamp: str) -> str:
    return _hmac("stamp", f"{door.digest}\0{stamp}")[:32]


def _hmac(what: str, text: str) -> str:
    return salted_hmac(f"securestore.outside.{what}", text, algorithm="sha256").hexdigest()
