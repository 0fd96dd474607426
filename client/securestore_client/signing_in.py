"""Signing in: a token through the browser, or by a code that is typed into a page.

With a browser (RFC 8252): a port of this machine waits for the answer, which holds a code that is
of use only to who made the request (PKCE, RFC 7636). Without (RFC 8628): the site says a code, the
person types it into a page of the site on any machine, and this program asks until it was.
"""

from __future__ import annotations

import base64
import hashlib
import json
import platform
import secrets
import threading
import time
import webbrowser
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, Final
from urllib.parse import parse_qs, urlencode, urlsplit

from .errors import NOT_ALLOWED, NOT_SIGNED_IN, ClientError, Refused, Unreachable
from .transport import AGAIN, BROKEN, Answer, Server, refusal

AUTHORIZE: Final = "/accounts/programs/authorize/"
BEGIN: Final = "/accounts/programs/begin/"
TOKEN: Final = "/accounts/programs/token/"  # noqa: S105 - an address
FORM: Final = {"Content-Type": "application/x-www-form-urlencoded"}
WAIT: Final = 600.0

_PAGE: Final = (
    "<!doctype html><html lang=en><meta charset=utf-8><title>Securestore</title>"
    "<p>{words} You can close this page.</p>"
)


def name_of_this() -> str:
    """What the token is called: this program on this machine."""
    return f"securestore on {platform.node() or 'a machine'}"[:60]


def _verifier() -> tuple[str, str]:
    """A PKCE verifier and its challenge (RFC 7636, section 4)."""
    verifier = secrets.token_urlsafe(48)
    digest = hashlib.sha256(verifier.encode()).digest()
    return verifier, base64.urlsafe_b64encode(digest).decode().rstrip("=")


def by_browser(
    server: Server,
    scopes: list[str],
    name: str,
    *,
    say: Callable[[str], None],
    open_page: Callable[[str], bool] = webbrowser.open,
    wait: float = WAIT,
) -> str:
    """Sign in with the browser of this machine; the token. Raises ClientError."""
    verifier, challenge = _verifier()
    state = secrets.token_urlsafe(24)
    with _Listener(state) as listener:
        asked = {
            "redirect_uri": listener.url,
            "state": state,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
            "response_type": "code",
            "scope": " ".join(scopes),
            "name": name,
        }
        address = f"{server.url}{AUTHORIZE}?{urlencode(asked)}"
        say(f"Confirm in the browser. If none opens, open this address on this machine:\n{address}")
        open_page(address)
        found = listener.answer(wait)
    if "code" not in found:
        raise ClientError("Nothing was allowed in the browser.", NOT_ALLOWED, "access_denied")
    answer = _ask(
        server,
        TOKEN,
        grant_type="authorization_code",
        code=found["code"],
        code_verifier=verifier,
        redirect_uri=listener.url,
    )
    return _token(answer)


def by_code(
    server: Server,
    scopes: list[str],
    name: str,
    *,
    say: Callable[[str], None],
    sleep: Callable[[float], None] = time.sleep,
) -> str:
    """Sign in by a code that the person types into a page; the token. Raises ClientError."""
    begun = _ask(server, BEGIN, scope=" ".join(scopes), name=name)
    if begun.status != 200:
        raise refusal(begun)
    told = begun.json()
    say(f"Open {told['verification_uri']} in any browser, and type this code: {told['user_code']}")
    interval = float(told.get("interval", 5))
    until = time.monotonic() + float(told["expires_in"])
    while time.monotonic() < until:
        sleep(interval)
        answer = _ask(
            server,
            TOKEN,
            grant_type="urn:ietf:params:oauth:grant-type:device_code",
            device_code=told["device_code"],
        )
        error = _error_of(answer)
        if error == "slow_down":
            interval += 5
        elif error != "authorization_pending":
            return _token(answer)
    raise ClientError(
        "The code was not typed in time. Begin again.", NOT_SIGNED_IN, "expired_token"
    )


def _ask(server: Server, path: str, **fields: str) -> Answer:
    body = urlencode(fields).encode()
    while True:
        try:
            answer = server.exchange("POST", path, FORM, [body], len(body))
        except BROKEN as error:
            # Not again: a code is good for one token, which may have been in the answer.
            raise Unreachable(server.told(error)) from error
        if answer.status not in AGAIN:
            return answer
        refused = refusal(answer)
        if refused.wait is None or refused.wait > 60:
            raise refused
        time.sleep(refused.wait)


def _error_of(answer: Answer) -> str:
    try:
        found = json.loads(answer.body)
    except ValueError:
        return ""
    return str(found.get("error", "")) if isinstance(found, dict) else ""


def _token(answer: Answer) -> str:
    error = _error_of(answer)
    if error == "access_denied":
        raise ClientError("It was refused in the browser.", NOT_ALLOWED, error)
    if error:
        raise ClientError(f"The sign-in did not come to an end: {error}.", NOT_SIGNED_IN, error)
    if answer.status != 200:
        raise refusal(answer)
    told = answer.json()
    if not isinstance(told, dict) or not told.get("access_token"):
        raise Refused(answer.status, "no_token", "The site answered without a token.")
    return str(told["access_token"])


class _Listener:
    """A port of this machine alone, which takes the one answer with the right `state`."""

    def __init__(self, state: str) -> None:
        self._found: dict[str, str] = {}
        self._arrived = threading.Event()
        found, arrived = self._found, self._arrived

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
                given = asked.get("state", "")
                right = parts.path == "/" and secrets.compare_digest(given.encode(), state.encode())
                words = (
                    "You are signed in on the command line."
                    if "code" in asked
                    else ("Nothing was allowed.")
                )
                page = _PAGE.format(words=words if right else "That is not the answer.").encode()
                self.send_response(200 if right else 400)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.send_header("Content-Length", str(len(page)))
                self.send_header("Content-Security-Policy", "default-src 'none'")
                self.send_header("Referrer-Policy", "no-referrer")
                self.end_headers()
                self.wfile.write(page)
                if right and not arrived.is_set():
                    found.update(asked)
                    arrived.set()

            def log_message(self, format: str, *args: Any) -> None:
                """Nothing: the address has the code in it."""

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> _Listener:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, wait: float) -> dict[str, str]:
        """What arrived. Raises ClientError where nothing did."""
        if not self._arrived.wait(wait):
            raise ClientError(
                "Nobody confirmed in the browser. On a machine without one: "
                "securestore login --no-browser",
                NOT_SIGNED_IN,
                "no_answer",
            )
        return self._found
