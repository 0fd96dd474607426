"""Which site, and with which token: from the environment, a command, or what `login` kept.

A token is never an argument: arguments are seen by everybody on the machine. It is kept in the
system's secret store where there is one (`keyring`), else in a file of mode 0600.
"""

from __future__ import annotations

import os
import re
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from .errors import NOT_SIGNED_IN, USAGE, ClientError
from .left import config_folder, read_json, write_json

SERVICE: Final = "securestore"
SHAPE: Final = re.compile(r"ssv_[0-9A-Za-z]{36}", re.ASCII)


@dataclass(frozen=True)
class Asked:
    """What the command line and the environment say."""

    server: str | None = None
    token_command: str | None = None


def server_of(asked: Asked) -> str:
    """The address of the site. Raises ClientError."""
    found = asked.server or os.environ.get("SECURESTORE_SERVER") or _settings().get("server")
    if not found:
        raise ClientError(
            "Which site? Sign in once: securestore login https://files.example.org",
            USAGE,
            "no_site",
        )
    return str(found).rstrip("/")


def token_of(asked: Asked, server: str) -> str:
    """The token for that site. Raises ClientError."""
    if asked.token_command:
        return _of_command(asked.token_command)
    if path := os.environ.get("SECURESTORE_TOKEN_FILE"):
        return _of_file(Path(path))
    if command := os.environ.get("SECURESTORE_TOKEN_COMMAND"):
        return _of_command(command)
    kept = _site(server)
    if kept.get("token_command"):
        return _of_command(str(kept["token_command"]))
    if kept.get("keyring") and (store := _keyring()) and (found := _from_keyring(store, server)):
        return found
    if kept.get("token"):
        return str(kept["token"])
    raise ClientError(
        f"You are not signed in to {server}: securestore login {server}",
        NOT_SIGNED_IN,
        "not_signed_in",
    )


def keep(server: str, token: str) -> str:
    """Keep a token; where it is now, in words."""
    kept: dict[str, Any] = {}
    where = str(_path())
    store = _keyring()
    if store is not None and _into_keyring(store, server, token):
        kept, where = {"keyring": True}, "the system's secret store"
    else:
        kept = {"token": token}
    _note(server, kept)
    return where


def keep_command(server: str, command: str) -> None:
    """From now on that command says the token."""
    _note(server, {"token_command": command})


def forget(server: str) -> bool:
    """Forget what is kept for a site; whether anything was."""
    settings = _settings()
    kept = settings.get("sites", {}).pop(server, None)
    if kept and kept.get("keyring") and (store := _keyring()):
        with suppress(Exception):
            store.delete_password(SERVICE, server)
    if settings.get("server") == server:
        settings.pop("server")
    write_json(_path(), settings)
    return kept is not None


def _note(server: str, kept: dict[str, Any]) -> None:
    settings = _settings()
    settings["server"] = server
    settings.setdefault("sites", {})[server] = kept
    write_json(_path(), settings)


def _path() -> Path:
    return config_folder() / "settings.json"


def _settings() -> dict[str, Any]:
    return read_json(_path())


def _site(server: str) -> dict[str, Any]:
    found = _settings().get("sites", {}).get(server, {})
    return found if isinstance(found, dict) else {}


def _of_file(path: Path) -> str:
    try:
        return checked(path.read_text(encoding="ascii", errors="replace"), str(path))
    except OSError as error:
        raise ClientError(
            f"SECURESTORE_TOKEN_FILE: {path}: {error.strerror}", NOT_SIGNED_IN, "no_token"
        ) from error


def _of_command(command: str) -> str:
    import shlex
    import subprocess

    try:
        # The person's own command, in words as a shell parts them, and without one.
        done = subprocess.run(  # noqa: S603
            shlex.split(command), stdout=subprocess.PIPE, check=True, timeout=120
        )
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        raise ClientError(
            f"The command for the token failed: {error}", NOT_SIGNED_IN, "no_token"
        ) from error
    return checked(done.stdout.decode("ascii", "replace"), "The command for the token")


def checked(text: str, source: str) -> str:
    """A token as it was found. Raises ClientError, which never repeats it."""
    token = text.strip()
    if not SHAPE.fullmatch(token):
        raise ClientError(
            f"{source} has no token: one begins with ssv_ and has 40 characters.",
            NOT_SIGNED_IN,
            "no_token",
        )
    return token


def _keyring() -> Any:
    """The system's secret store, where `keyring` is installed and finds one that keeps secrets."""
    if os.environ.get("SECURESTORE_KEYRING") == "off":
        return None
    with suppress(Exception):  # It looks for services of all kinds, and fails in as many ways.
        import keyring

        backend = keyring.get_keyring()
        if float(backend.priority) >= 1:
            return backend
    return None


def _into_keyring(store: Any, server: str, token: str) -> bool:
    with suppress(Exception):
        store.set_password(SERVICE, server, token)
        return bool(store.get_password(SERVICE, server) == token)
    return False


def _from_keyring(store: Any, server: str) -> str | None:
    try:
        found = store.get_password(SERVICE, server)
    except Exception as error:
        sys.stderr.write(f"securestore: the system's secret store does not answer: {error}\n")
        return None
    return str(found) if found else None
