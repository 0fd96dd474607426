"""The password before a door: hashed as those of accounts are, in the same slots.

One hash for each try, whether there is a door, or a password, or not: the time tells nothing.
"""

from __future__ import annotations

from django.contrib.auth.hashers import check_password, make_password
from django.views.decorators.debug import sensitive_variables


@sensitive_variables()
def hash_of(text: str) -> str:
    """What a row keeps of a password; empty for none. Raises `runtime.slots.TooBusy`."""
    return make_password(text) if text else ""


@sensitive_variables()
def matches(text: str, stored: str) -> bool:
    """Whether that is the password. Never where there is none. Raises `runtime.slots.TooBusy`."""
    if not stored:
        make_password(text)
        return False
    return check_password(text, stored)
