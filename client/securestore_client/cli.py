"""The command: what was said is run, and what became of it is the exit code."""

from __future__ import annotations

import io
import os
import signal
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import TYPE_CHECKING

from .arguments.all_commands import parser
from .errors import INTERRUPTED, SOME_FAILED, ClientError

if TYPE_CHECKING:
    from .session import Session

Command = Callable[["Session"], int]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit code."""
    for stream in (sys.stdout, sys.stderr):
        # A name may have what this terminal's encoding has not: it is shown, and ends nothing.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    options = parser().parse_args(arguments)
    if hasattr(signal, "SIGTERM"):
        signal.signal(signal.SIGTERM, _interrupted)
    # What a command needs is loaded when it is known which one it is.
    from .session import Session

    session = Session(options)
    try:
        return command_of(options.run)(session)
    except ClientError as error:
        session.progress.end()
        session.output.failure(error)
        return error.exit_code
    except KeyboardInterrupt:
        session.progress.end()
        sys.stderr.write("securestore: interrupted\n")
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read standard output has gone: nothing is left to be said there.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return SOME_FAILED
    finally:
        session.close()


def command_of(name: str) -> Command:
    """A command by the name of its module and its own."""
    module, _, function = name.partition(".")
    found: Command = getattr(import_module(f".commands.{module}", __package__), function)
    return found


def _interrupted(number: int, frame: object) -> None:
    raise KeyboardInterrupt
