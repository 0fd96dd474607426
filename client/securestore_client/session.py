"""What every command works with: the site, what it prints, and what failed on the way."""

from __future__ import annotations

import argparse
import sys
import threading
from functools import cached_property
from typing import Any

from . import credentials
from .api import Api
from .credentials import Asked
from .errors import SOME_FAILED, USAGE, ClientError
from .output import Output, described, shown
from .progress import Progress
from .transport import Server


class Session:
    """One run of the program."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.output = Output(as_json=options.json)
        self.progress = Progress(quiet=options.quiet)
        self.failures: list[dict[str, Any]] = []
        self.results: list[dict[str, Any]] = []
        self._codes: set[int] = set()
        self._lock = threading.Lock()

    @property
    def asked(self) -> Asked:
        return Asked(self.options.server, self.options.token_command)

    @cached_property
    def server(self) -> Server:
        """The site, with its token."""
        address = credentials.server_of(self.asked)
        server = Server(address)
        server.token = credentials.token_of(self.asked, address)
        return server

    @cached_property
    def api(self) -> Api:
        return Api(self.server)

    def close(self) -> None:
        """Leave no connection open."""
        if "server" in self.__dict__:
            self.server.close()

    def done(self, line: str, **result: Any) -> None:
        """One thing of several was done."""
        with self._lock:
            self.results.append(result)
        if not self.options.quiet and not self.output.as_json:
            self.progress.end()
            self.output.line(line)

    def failed(self, what: str, error: ClientError) -> None:
        """One thing of several was not; the others go on."""
        with self._lock:
            self._codes.add(error.exit_code)
            self.failures.append({"path": what, **described(error)})
        self.progress.say(f"securestore: {shown(what)}: {shown(str(error))}")

    def warn(self, text: str) -> None:
        """A line on standard error."""
        self.progress.say(f"securestore: {shown(text)}")

    def end(self) -> int:
        """The exit code: what all failures have in common, or that there were some."""
        self.progress.end()
        self.output.document({"items": self.results, "failed": self.failures})
        if not self._codes:
            return 0
        return self._codes.pop() if len(self._codes) == 1 else SOME_FAILED

    def ask(self, question: str) -> bool:
        """Yes or no, of the person at the terminal. Raises ClientError where there is none."""
        if self.options.yes:
            return True
        if not sys.stdin.isatty():
            raise ClientError(
                f"{question} Nobody is here to be asked: say --yes.", USAGE, "not_asked"
            )
        sys.stderr.write(f"{shown(question)} [y/N] ")
        sys.stderr.flush()
        return sys.stdin.readline().strip().lower() in {"y", "yes"}
