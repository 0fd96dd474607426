"""Who is acting, and from where: known to the middleware, needed by the log.

The middleware sets the context of a request, a command sets its own, and `audit.record` reads
it, so that no use case has to pass an address along. A context never outlives its request or
command.

The body of a streaming response is produced after the middleware has returned. Whoever makes one
captures the context in the view and re-enters it in the iterator:

    captured = audit.capture()

    def body() -> Iterator[bytes]:
        yield from frames
        with captured:
            audit.record(audit.Event.FILE_DOWNLOADED, file_id=file_id)
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar, Token
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Protocol, Self

from django.http import HttpRequest


class Means(Protocol):
    """By what somebody acts who does not act in person: a program's token."""

    @property
    def pk(self) -> Any:
        """Its number."""

    @property
    def name(self) -> Any:
        """What its person calls it."""


class Door(Protocol):
    """By what somebody acts who has no account: a link, or a request for files."""

    @property
    def kind(self) -> str:
        """`link` or `request`."""

    @property
    def number(self) -> int:
        """Its number."""


class Actor(Protocol):
    """Whoever did it, as the log names them: an account."""

    @property
    def pk(self) -> Any:
        """Its number."""

    def get_username(self) -> str:
        """Its name."""


@dataclass(frozen=True)
class Context:
    """Everything that an event takes from its surroundings. Empty fields mean not known."""

    actor_id: int | None = None
    actor_name: str = ""
    address: str = ""
    user_agent: str = ""
    request_id: str = ""
    # Of a program's token: its number, and what its person calls it.
    token_id: int | None = None
    token_name: str = ""
    # Of somebody outside: the link, or the request for files, that they came by.
    link_id: int | None = None
    file_request_id: int | None = None

    def settled(self) -> Context:
        """The context as it stands now, needing nothing else to be read later."""
        return self


@dataclass(frozen=True)
class RequestContext(Context):
    """The context of a request whose user is found out only when an event asks for it."""

    request: HttpRequest = field(kw_only=True)

    @classmethod
    def of(cls, request: HttpRequest, *, address: str, request_id: str) -> Self:
        return cls(
            address=address,
            user_agent=request.headers.get("User-Agent", ""),
            request_id=request_id,
            request=request,
        )

    def settled(self) -> Context:
        # Absent until the authentication middleware has run, and anonymous until sign-in.
        user = getattr(self.request, "user", None)
        if user is None or not user.is_authenticated:
            user = None
        door: Door | None = getattr(self.request, "outsider", None)
        means: Means | None = getattr(self.request, "token", None) if user else None
        return Context(
            token_id=means.pk if means else None,
            token_name=str(means.name) if means else "",
            link_id=door.number if door and door.kind == "link" else None,
            file_request_id=door.number if door and door.kind == "request" else None,
            actor_id=user.pk if user else None,
            actor_name=user.get_username() if user else "",
            address=self.address,
            user_agent=self.user_agent,
            request_id=self.request_id,
        )


NOWHERE = Context()
_current: ContextVar[Context] = ContextVar("audit_context", default=NOWHERE)


def current() -> Context:
    """The settled context that an event recorded now would carry."""
    return _current.get().settled()


def request_id() -> str:
    """The id of the request that is being answered; empty outside one. Reads no database."""
    return _current.get().request_id


def origin() -> str:
    """Scheme and host by which the request at hand reached the site; empty outside one."""
    around = _current.get()
    if not isinstance(around, RequestContext):
        return ""
    return f"{around.request.scheme}://{around.request.get_host()}"


@contextmanager
def active(context: Context) -> Iterator[None]:
    """Make `context` the current one inside the `with` block."""
    token = _current.set(context)
    try:
        yield
    finally:
        _current.reset(token)


class Captured:
    """A context kept for later. It may be entered any number of times, on any thread."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._tokens: list[Token[Context]] = []

    def __enter__(self) -> Self:
        self._tokens.append(_current.set(self._context))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        _current.reset(self._tokens.pop())


def capture() -> Captured:
    """Keep the current context for work that goes on after the request has been answered."""
    return Captured(current())
