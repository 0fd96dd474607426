"""What people are told of, and how unless they choose otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy


class Kind(TextChoices):
    """One kind of notice. The values are in rows: they stay as they are."""

    SHARED_WITH_YOU = "shared_with_you", gettext_lazy("Something is shared with you")
    GRANT_ENDS = "grant_ends", gettext_lazy("What is shared with you ends in three days")
    LINK_OPENED = "link_opened", gettext_lazy("A link of yours is opened")
    FILE_DOWNLOADED = "file_downloaded", gettext_lazy("A file of yours is downloaded")
    UPLOADED_TO_REQUEST = "uploaded_to_request", gettext_lazy("Files arrive by a request of yours")
    ACCESS_REQUESTED = "access_requested", gettext_lazy("Somebody asks you for access")
    ACCESS_GRANTED = "access_granted", gettext_lazy("You are given the access that you asked for")
    NEW_SIGN_IN = "new_sign_in", gettext_lazy("A sign-in from a new browser or address")
    FACTOR_CHANGED = "factor_changed", gettext_lazy("Your second factors change")
    PASSWORD_CHANGED = "password_changed", gettext_lazy("Your password changes")
    KEY_REPORT = "key_report", gettext_lazy("Master keys need you")
    DAMAGE_FOUND = "damage_found", gettext_lazy("Files are found damaged")


@dataclass(frozen=True, slots=True)
class Manner:
    """How a kind is told: where nobody has chosen, and what cannot be chosen."""

    in_app: bool = True
    by_mail: bool = True
    always_mailed: bool = False
    """Whoever took over an account must not be able to keep its owner from hearing of it."""
    for_administrators: bool = False


MANNERS: Mapping[Kind, Manner] = MappingProxyType(
    {
        Kind.SHARED_WITH_YOU: Manner(),
        Kind.GRANT_ENDS: Manner(),
        Kind.LINK_OPENED: Manner(by_mail=False),
        Kind.FILE_DOWNLOADED: Manner(in_app=False, by_mail=False),
        Kind.UPLOADED_TO_REQUEST: Manner(),
        Kind.ACCESS_REQUESTED: Manner(),
        Kind.ACCESS_GRANTED: Manner(),
        Kind.NEW_SIGN_IN: Manner(),
        Kind.FACTOR_CHANGED: Manner(always_mailed=True),
        Kind.PASSWORD_CHANGED: Manner(always_mailed=True),
        Kind.KEY_REPORT: Manner(for_administrators=True),
        Kind.DAMAGE_FOUND: Manner(for_administrators=True),
    }
)
