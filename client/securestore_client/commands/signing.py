"""`login`, `logout`, `whoami`."""

from __future__ import annotations

import sys
from contextlib import closing
from typing import Any

from .. import credentials, signing_in
from ..api import Api
from ..errors import USAGE, ClientError
from ..output import shown
from ..session import Session
from ..transport import Server


def login(session: Session) -> int:
    """Sign in, and keep the token."""
    address = (session.options.site or credentials.server_of(session.asked)).rstrip("/")
    with closing(Server(address)) as server:
        me, where = _signed_in(session, server, address)
    session.output.line(f"Signed in to {address} as {me.get('username')}. The token is {where}.")
    session.output.document({"server": address, **me})
    return 0


def _signed_in(session: Session, server: Server, address: str) -> tuple[dict[str, Any], str]:
    """Who it is, and where their token is kept."""
    options = session.options
    scopes = [scope for scope in options.scopes.replace(",", " ").split() if scope]
    if not scopes:
        raise ClientError("Name what the token may do: --scopes read,add", USAGE, "no_scopes")
    name = options.name or signing_in.name_of_this()
    if options.token_command:
        server.token = credentials.token_of(session.asked, address)
        me = Api(server).me
        credentials.keep_command(address, options.token_command)
        return me, "said by your command"
    way = signing_in.by_code if options.no_browser else signing_in.by_browser
    server.token = credentials.checked(way(server, scopes, name, say=_say), "The answer")
    me = Api(server).me
    return me, f"kept in {credentials.keep(address, server.token)}"


def _say(text: str) -> None:
    sys.stderr.write(shown(text.replace("\n", " ")) + "\n")
    sys.stderr.flush()


def logout(session: Session) -> int:
    """End the token there, and forget it here."""
    address = credentials.server_of(session.asked)
    ended = False
    try:
        with closing(Server(address)) as server:
            server.token = credentials.token_of(session.asked, address)
            Api(server).end_token()
        ended = True
    except ClientError as error:
        _say(f"The token was not ended there: {error}")
    credentials.forget(address)
    session.output.line(f"Signed out of {address}.")
    session.output.document({"server": address, "ended": ended})
    return 0


def whoami(session: Session) -> int:
    """Whose token it is, and what it may do."""
    me = session.api.me
    session.output.line(f"{me.get('username')} at {session.server.url}")
    token = me["token"]
    session.output.line(f"  token: {token['name']}, until {token['expires_at'][:10]}")
    session.output.line(f"  it may: {', '.join(token['scopes'])}")
    if token["folder_id"]:
        session.output.line(f"  only in the folder id:{token['folder_id']}")
    session.output.document({"server": session.server.url, **me})
    return 0
