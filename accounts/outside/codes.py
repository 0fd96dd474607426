"""One-time codes by mail: who names an address proves that its mail reaches them.

For an address that may have none, everything is done as for one that may, and the mail is taken
back before it goes: the answer and its time say nothing of who was named. A code is good for one
door and one address, for ten minutes and five tries; a newer one takes its place. The database has
HMACs alone, under a secret that is not in it: six digits or eight could be tried otherwise.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Collection, Iterable
from datetime import timedelta
from typing import Final

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.db.models import F
from django.utils import timezone
from django.utils.crypto import constant_time_compare, salted_hmac
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables

from accounts.models import OutsideCode
from accounts.outside import Door

LASTS: Final = timedelta(minutes=10)
TRIES: Final = 5
DIGITS: Final = 8
LONGEST: Final = 254
"""Characters of a mail address (RFC 5321, 4.5.3.1.3, without its brackets)."""

AT_MOST: Final = 50
"""Addresses and domains that one door may name."""

_DOMAIN = re.compile(r"@(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}", re.ASCII)


class WrongCode(Exception):
    """The code is not taken: it is another, or over, or was never sent. Which, nobody is told."""


def addresses_of(text: str) -> list[str]:
    """The addresses, and domains as `@example.org`, that somebody typed, as they are compared.

    Raises ValidationError.
    """
    found = []
    for part in re.split(r"[\s,;]+", text.strip()):
        if not part:
            continue
        one = normal(part)
        try:
            if not _DOMAIN.fullmatch(one):
                validate_email(one)
        except ValidationError:
            raise ValidationError(
                _("“%(part)s” is no address: write ann@example.org.") % {"part": part[:80]}
            ) from None
        found.append(one)
    if len(set(found)) > AT_MOST:
        raise ValidationError(_("At most %(most)d can be named.") % {"most": AT_MOST})
    return list(dict.fromkeys(found))


def normal(address: str) -> str:
    """An address as it is compared: letters are not told apart by their case."""
    return address.strip().lower()


def closed_domains(named: Iterable[str], domains: Collection[str]) -> list[str]:
    """Of what a maker named the domains that no administrator allows, in words."""
    text = _("Not everybody at “%(domain)s” may be let in: name addresses.")
    allowed = set(within(named, domains))
    return [text % {"domain": one} for one in named if one not in allowed]


def within(named: Iterable[str], domains: Collection[str]) -> list[str]:
    """Of what a maker named the addresses, and the domains that an administrator allows now."""
    return [one for one in named if not one.startswith("@") or one[1:] in domains]


def is_address(text: str) -> bool:
    """Whether that is one mail address, and nothing else.

    What a mail server reads in a text may be another address than what stands at its end: a code
    goes to who was named, or to nobody.
    """
    mine = normal(text)
    try:
        validate_email(mine)
    except ValidationError:
        return False
    return len(mine) <= LONGEST


def is_among(address: str, named: Iterable[str]) -> bool:
    """Whether that is an address, and one of those named or of a domain that is."""
    mine = normal(address)
    domain = mine.rpartition("@")[2]
    return is_address(mine) and (mine in named or f"@{domain}" in named)


@sensitive_variables()
def send(door: Door, address: str, *, allowed: bool, mail: Callable[[str], object]) -> None:
    """Make a code, and have `mail` queue the mail with it: for an address that may have one.

    In one transaction, with whatever `mail` writes. How often it is asked for is the callers' to
    count, before (`guesses.note_asked`).
    """
    code = "".join(secrets.choice("0123456789") for _ in range(DIGITS))
    now, mine = timezone.now(), _address(door, address)
    kept = code if allowed else secrets.token_hex(16)
    with transaction.atomic():
        OutsideCode.objects.filter(expires_at__lt=now - timedelta(hours=1)).delete()
        OutsideCode.objects.update_or_create(
            door=door.id,
            address=mine,
            defaults={"code": _code(mine, kept), "tries": 0, "expires_at": now + LASTS},
        )
        with transaction.atomic():
            mail(code)
            if not allowed:
                transaction.set_rollback(True)


@sensitive_variables()
def check(door: Door, address: str, code: str) -> None:
    """Take a code, once. Raises WrongCode.

    A try is counted before it is known whether it is right, so that many at once gain nothing.
    """
    mine = _address(door, address)
    rows = OutsideCode.objects.filter(door=door.id, address=mine)
    open_now = rows.filter(expires_at__gt=timezone.now(), tries__lt=TRIES)
    counted = open_now.update(tries=F("tries") + 1)
    found = rows.first()
    given = _code(mine, "".join(one for one in code if one.isalnum()))
    right = constant_time_compare(found.code if found else "", given)
    if not counted or not right or not rows.filter(code=given).delete()[0]:
        raise WrongCode


def _address(door: Door, address: str) -> str:
    text = f"{door.id}\0{normal(address)}"
    return salted_hmac("securestore.outside.address", text, algorithm="sha256").hexdigest()


def _code(address: str, code: str) -> str:
    text = f"{address}\0{code}"
    return salted_hmac("securestore.outside.code", text, algorithm="sha256").hexdigest()
