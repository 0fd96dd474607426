"""Where a program gets a secret: a file, standard input, or a person at the terminal.

Never from the command line: every account of a machine can read the arguments of its processes.
Messages never contain a secret.
"""

from __future__ import annotations

import getpass
import sys
from pathlib import Path
from typing import Final

LONGEST: Final = 1 << 20
"""Bytes: far more than any key or passphrase, and few enough to hold."""


class SecretMissing(Exception):
    """There is no secret to be had from there. The message says why and what to do."""


def read_secret(source: str | None, *, what: str, option: str, confirm: bool = False) -> str:
    """Return the secret without its line end.

    `source` is a path, or `-` for the next line of standard input, or None to ask at the
    terminal for `what`: twice with `confirm`. `option` names the source on the command line.
    Raises SecretMissing.
    """
    if source == "-":
        text = sys.stdin.readline(LONGEST)
    elif source is not None:
        text = read_text(Path(source), what)
    else:
        text = _ask(what, option, confirm=confirm)
    text = text.strip("\r\n")
    if not text.strip():
        raise SecretMissing(f"{what}: nothing was given.")
    return text


def read_text(path: Path, what: str) -> str:
    """The text of a small file. Raises SecretMissing."""
    try:
        with path.open("rb") as file:
            data = file.read(LONGEST + 1)
        if len(data) > LONGEST:
            raise SecretMissing(f"{what}: {path} is far too long.")
        return data.decode()
    except OSError as error:
        raise SecretMissing(f"{what}: {path} cannot be read ({error.strerror}).") from None
    except UnicodeDecodeError:
        raise SecretMissing(f"{what}: {path} is not text.") from None


def _ask(what: str, option: str, *, confirm: bool) -> str:
    if not sys.stdin.isatty():
        raise SecretMissing(
            f"{what}: there is no terminal to ask at. Give it with {option} FILE, or {option} - "
            "for standard input."
        )
    try:
        text = getpass.getpass(f"{what}: ")
        if confirm and getpass.getpass(f"{what}, again: ") != text:
            raise SecretMissing(f"{what}: the two entries differ. Try again.")
    except EOFError:
        raise SecretMissing(f"{what}: nothing was given.") from None
    return text
