"""How a log record becomes lines: one JSON object, or a line for people and indented tracebacks.

Names, headers and paths that strangers chose end up in messages. What could begin a line that looks
like another record, colour a terminal, or turn the reading direction around is shown as an escape.
Links that are sent by mail, or handed on, hold a secret in their path: what is logged of them stops
before it.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import time
from datetime import UTC, datetime
from typing import Any, TextIO

from audit import context

INDENT = "    "
_MAC = re.compile(r"^(\d+):[0-9a-f]{64}\b")
_LINK = re.compile(
    r"(/accounts/(?:invitation|confirm-email|password/reset/key)/|/[lr]/(?=[0-9A-Za-z]{16}))"
    r"[^/\s'\"?]+"
)


def visible(text: str) -> str:
    """The text on one line; what does not print is escaped, as in `\\n`, `\\x1b`, `\\u202e`."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


class LineFormatter(logging.Formatter):
    """A record as one line; a traceback follows, every line of it indented.

    `short` is for a person at a terminal: the time of day, a level that matters, what happened.
    """

    def __init__(self, fmt: str | None = None, *, short: bool = False) -> None:
        super().__init__(fmt)
        self._short = short

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the name is logging's.
        if not self._short:
            return super().formatMessage(record)
        level = f"{record.levelname} " if record.levelno >= logging.WARNING else ""
        # An event of the audit log is found by its number.
        what = _MAC.sub(r"audit \1", record.message)
        return f"{time.strftime('%H:%M:%S', time.localtime(record.created))} {level}{what}"

    def format(self, record: logging.LogRecord) -> str:
        record.message = record.getMessage()
        if self.usesTime():
            record.asctime = self.formatTime(record, self.datefmt)
        parts = [visible(self.formatMessage(record))]
        # Not `record.exc_text`: another handler's formatter may have left its own there.
        # Django adds a traceback to every refusal, too, and anybody can ask for what is refused.
        if record.exc_info and getattr(record, "status_code", 500) >= 500:
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


class JsonFormatter(logging.Formatter):
    """A record as one JSON object on one line of ASCII: nothing in it can begin another.

    What a caller gives as `extra={"fields": {...}}` becomes keys of the object.
    """

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, UTC)
        entry: dict[str, Any] = {
            **getattr(record, "fields", {}),
            "time": moment.isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": _LINK.sub(r"\1…", record.getMessage()),
        }
        if "request_id" not in entry and (request_id := context.request_id()):
            entry["request_id"] = request_id
        if record.exc_info:
            entry["exception"] = _LINK.sub(r"\1…", self.formatException(record.exc_info))
        if record.stack_info:
            entry["stack"] = _LINK.sub(r"\1…", self.formatStack(record.stack_info))
        return json.dumps(entry, default=str)


class Console(logging.StreamHandler[TextIO]):
    """Where the log goes: standard output of a server, standard error of everything else.

    What commands print may be read by programs, and a key is printed alone: no line of a log may
    come between. Looks the streams up each time, for they may be replaced.
    """

    serving = False

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    def is_terminal(self) -> bool:
        """Whether a person looks at it."""
        return self.stream.isatty()

    @property
    def stream(self) -> TextIO:
        return sys.stdout if Console.serving else sys.stderr

    @stream.setter
    def stream(self, stream: TextIO) -> None:
        raise AttributeError("the streams are looked up")


class WithoutPath(logging.Filter):
    """Puts the route in the place of the path, in what Django says of a request that went wrong.

    The path of a link that resets a password is a secret until it has been used.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        request = getattr(record, "request", None)
        path = getattr(request, "path", None)
        if path and isinstance(record.args, tuple):
            known = getattr(request, "resolver_match", None)
            route = f"/{known.route}" if known else "an unknown path"
            written = {path, path.encode("unicode_escape").decode("ascii")}
            record.args = tuple(route if arg in written else arg for arg in record.args)
        return True
