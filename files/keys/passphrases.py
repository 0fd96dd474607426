"""Whether a passphrase is good enough to stand for a file's key, and how many are tried at once.

A passphrase is the only secret that a person invents and a thief of database *and* master key could
guess at leisure, so it must cost more than ten thousand million guesses (zxcvbn's best class); with
Argon2id at some tenths of a second each, that is decades. A rule of digits and signs would refuse
good ones and let `Passw0rd!` through; zxcvbn knows words, names, keyboards and dates.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Final

from django.utils.translation import gettext, gettext_lazy, gettext_noop
from django.views.decorators.debug import sensitive_variables
from zxcvbn import zxcvbn

from files.crypto.errors import TooBusy
from files.crypto.passphrase import normalise
from files.errors import WeakPassphrase
from runtime import slots

SHORTEST: Final = 12
LONGEST: Final = 1024
_JUDGED: Final = 72
"""Characters that zxcvbn looks at: its time grows with their square."""
_GOOD: Final = 4
ADVICE: Final = gettext_lazy(
    "Four or more words that have nothing to do with each other make a good one."
)

_WARNINGS: Final = (
    gettext_noop("Straight rows of keys are easy to guess."),
    gettext_noop("Short keyboard patterns are easy to guess."),
    gettext_noop('Repeats like "aaa" are easy to guess.'),
    gettext_noop('Repeats like "abcabcabc" are only slightly harder to guess than "abc".'),
    gettext_noop('Sequences like "abc" or "6543" are easy to guess.'),
    gettext_noop("Recent years are easy to guess."),
    gettext_noop("Dates are often easy to guess."),
    gettext_noop("This is a top-10 common password."),
    gettext_noop("This is a top-100 common password."),
    gettext_noop("This is a very common password."),
    gettext_noop("This is similar to a commonly used password."),
    gettext_noop("A word by itself is easy to guess."),
    gettext_noop("Names and surnames by themselves are easy to guess."),
    gettext_noop("Common names and surnames are easy to guess."),
)
"""What zxcvbn says, in English; here to be translated."""


@contextmanager
def slot() -> Iterator[None]:
    """One of the slots that passwords take, too, for a costly derivation. Raises TooBusy."""
    try:
        with slots.DERIVATIONS.taken():
            yield
    except slots.TooBusy as busy:
        raise TooBusy(busy.reason) from None


@sensitive_variables()
def check(passphrase: str, *, known: Iterable[str] = ()) -> None:
    """Raise WeakPassphrase, in words for the person. `known` is what others know of them."""
    text = normalise(passphrase)
    if len(text) < SHORTEST:
        raise WeakPassphrase(
            gettext("A passphrase has %(shortest)s characters or more. %(advice)s")
            % {"shortest": SHORTEST, "advice": ADVICE}
        )
    if len(text) > LONGEST:
        raise WeakPassphrase(
            gettext("A passphrase has %(longest)s characters at most.") % {"longest": LONGEST}
        )
    judged = zxcvbn(text[:_JUDGED], user_inputs=[word for word in known if word])
    if judged["score"] < _GOOD:
        why = judged["feedback"]["warning"]
        said = [gettext("Too easy to guess."), gettext(why) if why else "", str(ADVICE)]
        raise WeakPassphrase(" ".join(filter(None, said)))
