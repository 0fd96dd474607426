"""Mail on its way out: short plain text, and one error for a mail server that is away.

No mail holds HTML, a picture or anything that tells when it was read. What a person typed never
becomes a header: Django refuses line breaks there, and subjects are constants.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from smtplib import SMTPException

log = logging.getLogger(__name__)


class MailUnavailable(Exception):
    """The mail server did not take a message. Its words are for the log only."""


@contextmanager
def handing_over() -> Iterator[None]:
    """Around the sending of a mail. Raises MailUnavailable, whatever the server or the net do."""
    try:
        yield
    except (SMTPException, OSError) as error:
        raise MailUnavailable(f"{type(error).__name__}: {error}") from error
