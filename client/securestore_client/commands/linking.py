"""`link`, `links`, `unlink`: files and folders for people without an account."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Any

from ..errors import USAGE, ClientError
from ..places import parse
from ..session import Session
from .changing import moment


def link(session: Session) -> int:
    """Make a link; its address is printed, and told by nobody again."""
    options = session.options
    entry = session.api.entry(parse(options.path))
    terms: dict[str, Any] = {
        "expires_at": moment(options.until).isoformat() if options.until else None,
        "label": options.label,
        "password": _password(options.password_file, asked=options.password_prompt),
        "addresses": options.mail,
        "count": options.count,
    }
    made = session.api.make_link(entry, terms)
    session.done(f"linked  {options.path}  {made['id']}  {made['url']}", **made)
    if session.options.quiet and not session.output.as_json:
        session.output.line(made["url"])
    return session.end()


def _password(path: str | None, *, asked: bool) -> str:
    """From a file or from the person, and never from the command line, which others see."""
    if path is not None:
        try:
            return Path(path).read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise ClientError(f"{path} cannot be read: {error}", USAGE, "bad_password") from None
    if not asked:
        return ""
    typed = getpass.getpass("Password of the link: ")
    if typed != getpass.getpass("Once more: "):
        raise ClientError("These are two passwords.", USAGE, "bad_password")
    return typed


def links(session: Session) -> int:
    """List the links to a file or folder; without one, all that one made."""
    path = session.options.path
    entry = None if path is None else session.api.entry(parse(path))
    for one in session.api.links(entry):
        of = "" if one["count"] is None else f" of {one['count']}"
        session.done(
            f"{one['id']}  {one['status']}  until {one['expires_at']}"
            f"  {one['used']}{of} downloads  {one['label']}".rstrip(),
            **one,
        )
    return session.end()


def unlink(session: Session) -> int:
    """End links, by their numbers."""
    for number in session.options.number:
        session.api.end_link(number)
        session.done(f"ended  {number}", id=number, outcome="ended")
    return session.end()
