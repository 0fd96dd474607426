"""What is in a mail, as its row has it while it waits: encrypted under a key of its own.

That key is wrapped by whoever has the keys of this site (`settings.MAIL_KEYS`): none of them is in
the database. What is sealed names its message and its receiver, so that who can write to rows
cannot have a link sent to themselves.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from functools import cache
from typing import Final, Protocol

from cryptography.fernet import Fernet, InvalidToken
from django.conf import settings
from django.utils.module_loading import import_string
from django.utils.translation import gettext_noop
from django.views.decorators.debug import sensitive_variables

REWRITTEN: Final = gettext_noop("what it says was altered in the database")
OTHER_KEY: Final = gettext_noop("its key was altered in the database")
OF_ANOTHER: Final = gettext_noop(
    "its row names another message or receiver than it was written for"
)


class Altered(Exception):
    """A waiting mail is not what was written, or its key is not the one that it was wrapped by."""


class KeyAway(Exception):
    """The key that wraps a waiting mail is not to be had now: it is not configured, or its service
    is away. The message says which."""


class Keys(Protocol):
    """What wraps the keys of waiting mails. Raises KeyAway, and Altered where nothing opens."""

    def wrap(self, key: bytes) -> tuple[str, bytes]:
        """The id of the master key that wraps, and the wrapped key."""

    def unwrap(self, key_id: str, wrapped: bytes) -> bytes:
        """What `wrap` was given."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail as it was written."""

    message_id: str
    to: str
    subject: str = field(repr=False)
    text: str = field(repr=False)
    # The address of the site that it was written for: what begins with it becomes a link.
    origin: str = ""


@dataclass(frozen=True, slots=True)
class Sealed:
    """A letter, as a row may keep it."""

    master_key_id: str
    wrapped_key: bytes
    content: bytes


@cache
def _keys(name: str) -> Keys:
    made: Keys = import_string(name)()
    return made


@sensitive_variables()
def seal(letter: Letter) -> Sealed:
    """Encrypt a letter. Raises KeyAway."""
    key = Fernet.generate_key()
    content = Fernet(key).encrypt(json.dumps(asdict(letter)).encode())
    master_key_id, wrapped = _keys(settings.MAIL_KEYS).wrap(key)
    return Sealed(master_key_id, wrapped, content)


@sensitive_variables()
def open_(sealed: Sealed, *, message_id: str, to: str) -> Letter:
    """The letter. Raises KeyAway; Altered also where it is another message's or receiver's."""
    key = _keys(settings.MAIL_KEYS).unwrap(sealed.master_key_id, sealed.wrapped_key)
    try:
        letter = Letter(**json.loads(Fernet(key).decrypt(sealed.content)))
    except (InvalidToken, ValueError, TypeError):
        raise Altered(REWRITTEN) from None
    if (letter.message_id, letter.to) != (message_id, to):
        raise Altered(OF_ANOTHER)
    return letter
