"""`request`, `requests`: asking people without an account for files."""

from __future__ import annotations

from typing import Any

from ..places import parse
from ..session import Session
from .changing import moment


def request(session: Session) -> int:
    """Ask for files; the address is printed, and told by nobody again."""
    options = session.options
    entry = session.api.entry(parse(options.path))
    terms: dict[str, Any] = {
        "title": options.title,
        "words": options.words,
        "expires_at": moment(options.until).isoformat() if options.until else None,
        "most_bytes": options.bytes,
        "most_files": options.files,
        "most_senders": options.senders,
        "identify": "code" if options.code else "name",
        "addresses": options.code,
        "accept_first": options.accept_first,
    }
    made = session.api.ask_for_files(entry, terms)
    session.done(f"asked  {options.path}  {made['id']}  {made['address']}", **made)
    if session.options.quiet and not session.output.as_json:
        session.output.line(made["address"])
    return session.end()


def requests(session: Session) -> int:
    """List the requests for a folder, or all that one made; with a number, end that one."""
    options = session.options
    entry = None if options.path is None else session.api.entry(parse(options.path))
    if options.end is not None:
        session.api.end_request(options.end)
        session.done(f"ended  {options.end}", id=options.end, outcome="ended")
        return session.end()
    for one in session.api.requests(entry):
        until = "ended" if one["ended_at"] else f"until {one['expires_at']}"
        waiting = f", {one['waiting']} waiting" if one["waiting"] else ""
        session.done(f"{one['id']}  {one['title']}  {until}  {one['files']} files{waiting}", **one)
    return session.end()
