"""How a log record becomes lines: one for its message, and indented ones for a traceback.

Names, headers and paths that strangers chose end up in messages. What could begin a line that looks
like another record, colour a terminal, or turn the reading direction around is shown as an escape.
Links that were sent by mail hold a secret in their path: what is logged of them stops before it.
"""

from __future__ import annotations

import logging
import re
from typing import Any

INDENT = "    "
_LINK = re.compile(r"(/accounts/(?:invitation|confirm-email|password/reset/key)/)[^/\s'\"?]+")


def visible(text: str) -> str:
    """The text on one line; what does not print is escaped, as in `\\n`, `\\x1b`, `\\u202e`."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


class LineFormatter(logging.Formatter):
    """A record as one line; a traceback follows, every line of it indented."""

    def format(self, record: logging.LogRecord) -> str:
        record.message = record.getMessage()
        if self.usesTime():
            record.asctime = self.formatTime(record, self.datefmt)
        parts = [visible(self.formatMessage(record))]
        # Not `record.exc_text`: another handler's formatter may have left its own there.
        if record.exc_info:
            parts.append(self.formatException(record.exc_info))
        if record.stack_info:
            parts.append(self.formatStack(record.stack_info))
        return _LINK.sub(r"\1…", "\n".join(parts))

    def formatException(self, ei: Any) -> str:  # noqa: N802 - the name is logging's.
        return _indented(super().formatException(ei))

    def formatStack(self, stack_info: str) -> str:  # noqa: N802 - the name is logging's.
        return _indented(super().formatStack(stack_info))


def _indented(text: str) -> str:
    return "\n".join(INDENT + visible(line) for line in text.splitlines())
