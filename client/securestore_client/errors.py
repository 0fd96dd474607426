"""What can go wrong, each with the exit code that scripts may rely on (docs/command.md)."""

from __future__ import annotations

from typing import Final

SOME_FAILED: Final = 1
USAGE: Final = 2
NOT_SIGNED_IN: Final = 3
NOT_ALLOWED: Final = 4
NOT_FOUND: Final = 5
CONFLICT: Final = 6
DIFFERENT: Final = 7
UNREACHABLE: Final = 8
NO_ROOM: Final = 9
INTERRUPTED: Final = 130

OF_ONE: Final = frozenset({SOME_FAILED, NOT_FOUND, CONFLICT})
"""What is the matter with one thing of several, and not with all of them."""

EXIT_CODES: Final = {
    0: "all of it was done",
    SOME_FAILED: "something failed, and standard error says what",
    USAGE: "the command line makes no sense, or a question could not be asked",
    NOT_SIGNED_IN: "there is no token, or the site does not take it",
    NOT_ALLOWED: "the token or its person may not do that",
    NOT_FOUND: "there is no such file or folder, here or there",
    CONFLICT: "the name is taken, or somebody changed it meanwhile",
    DIFFERENT: "the bytes that arrived are not those that were sent",
    UNREACHABLE: "the site cannot be reached, is too busy or not to be trusted, or a proxy says no",
    NO_ROOM: "larger than may be, or no storage is left",
    INTERRUPTED: "ended by Ctrl-C",
}


class ClientError(Exception):
    """The command cannot be done. The message is for people; `code` is for programs."""

    def __init__(self, message: str, exit_code: int = SOME_FAILED, code: str = "failed") -> None:
        super().__init__(message)
        self.exit_code = exit_code
        self.code = code


class Refused(ClientError):
    """The site answered that it does not do that (RFC 9457)."""

    def __init__(self, status: int, code: str, message: str, *, wait: float | None = None) -> None:
        super().__init__(message, _exit_code_of(status), code)
        self.status = status
        self.wait = wait
        self.after_cut = False
        """Whether the same request was sent before, and its answer lost if there was one."""


class Unreachable(ClientError):
    """No answer came, or none that could be used."""

    def __init__(self, message: str) -> None:
        super().__init__(message, UNREACHABLE, "unreachable")


class NoWay(Unreachable):
    """Something on the way answered, and says no: waiting does not mend it."""


class Distrusted(NoWay):
    """Whoever answers there cannot show that they are the site."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.code = "tls_refused"


class ProxyRefused(NoWay):
    """The proxy that the environment names does not let the command through to the site."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.code = "proxy_refused"


class Different(ClientError):
    """What one side has is not what the other one had."""

    def __init__(self, message: str) -> None:
        super().__init__(message, DIFFERENT, "different")


def _exit_code_of(status: int) -> int:
    return {
        401: NOT_SIGNED_IN,
        403: NOT_ALLOWED,
        404: NOT_FOUND,
        410: NOT_FOUND,
        409: CONFLICT,
        412: CONFLICT,
        413: NO_ROOM,
        460: DIFFERENT,
        429: UNREACHABLE,
        502: DIFFERENT,
        503: UNREACHABLE,
    }.get(status, SOME_FAILED)
