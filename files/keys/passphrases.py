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
ADVICE: Final = "Four or more words that have nothing to do with each other make a good one."


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
        raise WeakPassphrase(f"A passphrase has {SHORTEST} characters or more. {ADVICE}")
    if len(text) > LONGEST:
        raise WeakPassphrase(f"A passphrase has {LONGEST} characters at most.")
    judged = zxcvbn(text[:_JUDGED], user_inputs=[word for word in known if word])
    if judged["score"] < _GOOD:
        why = judged["feedback"]["warning"]
        raise WeakPassphrase(" ".join(filter(None, ["Too easy to guess.", why, ADVICE])))
