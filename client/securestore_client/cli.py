"""The command line: what may be said, with examples, and what each command is."""

from __future__ import annotations

import argparse
import io
import os
import signal
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Final

from . import __version__
from .errors import EXIT_CODES, INTERRUPTED, SOME_FAILED, ClientError

if TYPE_CHECKING:
    from .session import Session

Command = Callable[["Session"], int]

SCOPES: Final = ("read", "add", "share", "manage")
"""What `login` asks for, unless it is told."""

DESCRIPTION: Final = "Files of a Securestore site from the command line."

PLACES: Final = """\
paths at the site:
  Cases/12/report.pdf    below your own files
  id:<uuid>/Scans        below the folder of that id, of others who shared it, too
  ssv:Cases              the same as Cases; sync has to be told which side is the site
"""

EPILOG: Final = (
    PLACES
    + "\nexit codes:\n"
    + "".join(f"  {code:>3}  {words}\n" for code, words in EXIT_CODES.items())
    + """
environment:
  SECURESTORE_SERVER         the site, instead of the last one signed in to
  SECURESTORE_TOKEN_FILE     a file with the token
  SECURESTORE_TOKEN_COMMAND  a command that says it
  SECURESTORE_PATIENCE       seconds to try again while nothing gets on (120)
  SECURESTORE_KEYRING=off    keep tokens in a file, whatever secret store there is

examples:
  securestore login https://files.example.org
  securestore put report.pdf Scans --to Cases/12
  pg_dump app | securestore put - --name app.sql --to Backups
  securestore get Cases/12 --to /tmp
  securestore sync Photos ssv:Photos
"""
)


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


def parser() -> argparse.ArgumentParser:
    """Everything that may be said."""
    common = argparse.ArgumentParser(add_help=False)
    for name, words in (
        ("--server", "address of the site"),
        ("--token-command", "a command that says the token on its standard output"),
    ):
        common.add_argument(name, help=words, default=None)
    common.add_argument("--json", action="store_true", help="one JSON document on standard output")
    common.add_argument("--quiet", "-q", action="store_true", help="only what failed")
    common.add_argument("--yes", "-y", action="store_true", help="yes to whatever is asked")
    top = argparse.ArgumentParser(
        prog="securestore",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"securestore {__version__}")
    commands = top.add_subparsers(required=True, metavar="COMMAND", dest="name_of_command")

    def command(name: str, run: str, words: str, *examples: str) -> argparse.ArgumentParser:
        made = commands.add_parser(
            name,
            parents=[common],
            help=words,
            description=words[0].upper() + words[1:] + ".",
            epilog="examples:\n" + "".join(f"  {example}\n" for example in examples),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        made.set_defaults(run=run)
        return made

    _signing(command)
    _transfers(command)
    _looking(command)
    _changing(command)
    made = command(
        "completion",
        "completing.completion",
        "print what a shell needs to complete commands and paths",
        'eval "$(securestore completion bash)"',
        "securestore completion fish > ~/.config/fish/completions/securestore.fish",
    )
    made.add_argument("shell", choices=["bash", "zsh", "fish"])
    made = commands.add_parser("complete", parents=[common])
    made.add_argument("words", nargs="*")
    made.set_defaults(run="completing.complete", known=commands_of(top))
    return top


def commands_of(top: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """The parsers of all commands, by name."""
    for action in top._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    return {}


Adder = Callable[..., argparse.ArgumentParser]


def _signing(command: Adder) -> None:
    made = command(
        "login",
        "signing.login",
        "sign in, and keep a token",
        "securestore login https://files.example.org",
        "securestore login https://files.example.org --no-browser --scopes add",
        "securestore login https://files.example.org --token-command 'pass show securestore'",
    )
    made.add_argument("site", nargs="?", help="address of the site")
    made.add_argument("--no-browser", action="store_true", help="by a code for any browser")
    made.add_argument(
        "--scopes",
        default=",".join(SCOPES),
        help="read, add, share, manage, audit",
    )
    made.add_argument("--name", help="what the token is called")
    command("logout", "signing.logout", "end the token and forget it", "securestore logout")
    command(
        "whoami", "signing.whoami", "whose token it is, and what it may do", "securestore whoami"
    )


def _transfers(command: Adder) -> None:
    made = command(
        "put",
        "transfers.put",
        "upload files, folders or standard input; goes on where it was cut off",
        "securestore put report.pdf --to Cases/12",
        "securestore put Scans --to Cases/12",
        "tar c /etc | securestore put - --name etc.tar --to Backups",
    )
    made.add_argument("source", nargs="+", help="files and folders here, or - for standard input")
    made.add_argument("--to", default="", metavar="FOLDER", help="folder there; made if missing")
    made.add_argument("--name", help="its name there, where it is one")
    made.add_argument(
        "--conflict",
        choices=["version", "rename", "refuse"],
        default="version",
        help="what a name means that is taken by other bytes (version)",
    )
    _at_once(made)
    made = command(
        "get",
        "transfers.get",
        "download files and folders; goes on where it was cut off",
        "securestore get Cases/12/report.pdf",
        "securestore get Cases/12 --to /tmp",
        "securestore get Cases/12/report.pdf --output r.pdf --force",
    )
    made.add_argument("path", nargs="+", help="files and folders there")
    _where(made)
    _at_once(made)
    made = command(
        "cat",
        "transfers.cat",
        "write files to standard output",
        "securestore cat Backups/app.sql | psql app",
    )
    made.add_argument("path", nargs="+", help="files there")
    made.add_argument("--key-file", metavar="FILE", help="key of a locked file")
    made = command(
        "open",
        "transfers.open_locked",
        "download a locked file with its key, or its passphrase, from a file or typed",
        "securestore open Cases/12/offer.pdf",
        "securestore open Cases/12/offer.pdf --key-file offer.pdf.key --output -",
    )
    made.add_argument("path", help="a locked file there")
    _where(made)
    made = command(
        "sync",
        "syncing.sync",
        "make the second one like the first, by digest; one of the two is written ssv:Folder",
        "securestore sync Photos ssv:Photos",
        "securestore sync ssv:Photos Photos --delete",
        "securestore sync Photos ssv:Photos --dry-run --json",
    )
    made.add_argument("source", help="a folder, here or there")
    made.add_argument("target", help="the folder that becomes like it")
    made.add_argument("--delete", action="store_true", help="delete what only TARGET has; asks")
    made.add_argument("--dry-run", action="store_true", help="only say what would be done")
    _at_once(made)


def _where(made: argparse.ArgumentParser) -> None:
    made.add_argument("--to", default=".", metavar="FOLDER", help="folder here")
    made.add_argument("--output", "-o", metavar="FILE", help="name here")
    made.add_argument("--force", "-f", action="store_true", help="in the place of what is there")
    made.add_argument("--key-file", metavar="FILE", help="key of a locked file")


def _at_once(made: argparse.ArgumentParser) -> None:
    made.add_argument(
        "--at-once",
        type=int,
        choices=range(1, 17),
        default=8,
        metavar="N",
        help="files at once (8)",
    )


def _looking(command: Adder) -> None:
    made = command(
        "ls",
        "looking.ls",
        "list folders",
        "securestore ls Cases/12",
        "securestore ls --trash",
        "securestore ls --json | jq -r '.items[].name'",
    )
    made.add_argument("path", nargs="*", help="folders there; left out, your own files")
    made.add_argument("--trash", action="store_true", help="what can be brought back")
    made.add_argument("--shared", action="store_true", help="what others shared with you")
    made = command(
        "find",
        "looking.find",
        "search names",
        "securestore find offer 2026",
        "securestore find --below Cases/12 scan",
    )
    made.add_argument("words", nargs="+", help="words of the name")
    made.add_argument("--below", metavar="FOLDER", help="only there")
    made = command(
        "tree", "looking.tree", "show a folder and all below it", "securestore tree Cases"
    )
    made.add_argument("path", nargs="?", default="", help="a folder there")
    made.add_argument("--depth", type=int, metavar="N", help="so many levels")
    made = command(
        "who",
        "looking.who",
        "with whom it is shared, and why",
        "securestore who Cases/12",
        "securestore who Cases/12 --all --json",
        "securestore who Cases/12/offer.pdf --read",
    )
    made.add_argument("path", help="a file or folder there")
    which = made.add_mutually_exclusive_group()
    which.add_argument("--all", action="store_true", help="each person; for administrators")
    which.add_argument("--read", action="store_true", help="who has read it, and who has not")
    made = command(
        "history",
        "looking.history",
        "what happened to it",
        "securestore history Cases/12/offer.pdf",
    )
    made.add_argument("path", help="a file there")
    made = command(
        "audit",
        "looking.audit",
        "the log, for tokens with the scope audit",
        "securestore audit --after 120345 --json",
    )
    made.add_argument("--after", metavar="N", default="0", help="events after that number")
    made.add_argument("--lines", action="store_true", help="one JSON object a line")


def _changing(command: Adder) -> None:
    made = command("mkdir", "changing.mkdir", "make folders", "securestore mkdir Cases/12/Scans")
    made.add_argument("path", nargs="+", help="folders there")
    made = command(
        "mv",
        "changing.mv",
        "move or rename",
        "securestore mv draft.pdf offer.pdf",
        "securestore mv a.pdf b.pdf Cases/12",
    )
    made.add_argument("path", nargs="+", help="what there is, and where it is to be")
    made = command(
        "rm",
        "changing.rm",
        "put into the trash",
        "securestore rm Cases/12/draft.pdf",
        "securestore rm --recursive Cases/11",
    )
    made.add_argument("path", nargs="+", help="files and folders there")
    made.add_argument("--recursive", "-r", action="store_true", help="folders, too")
    made = command(
        "restore", "changing.restore", "bring back from the trash", "securestore restore draft.pdf"
    )
    made.add_argument("path", nargs="+", help="names in the trash, or id:<uuid>")
    made = command(
        "versions",
        "versioning.versions",
        "the former versions of a file; or one of them made current again",
        "securestore versions Cases/12/offer.pdf",
        "securestore versions Cases/12/offer.pdf --restore 3f0c1f6e-…",
    )
    made.add_argument("path", help="a file there")
    made.add_argument("--restore", metavar="VERSION", help="make that one current again")
    made = command(
        "share",
        "changing.share",
        "share a file or folder with people and groups",
        "securestore share Cases/12 bob group:Lawyers --can add --until 2026-12-31",
    )
    made.add_argument("path", help="a file or folder there")
    made.add_argument("to", nargs="+", help="user names, e-mail addresses, user:… or group:…")
    made.add_argument(
        "--can",
        dest="level",
        choices=["download", "add", "manage"],
        default="download",
        help="what they can do (download)",
    )
    made.add_argument("--until", metavar="DAY", help="2026-12-31, or 30d; left out, no end")
    made.add_argument("--reason", default="", help="why, for whoever asks later")
    made = command(
        "request",
        "asking.request",
        "ask people without an account for files, into a folder",
        "securestore request Applications --until 30d --title 'Your papers'",
    )
    made.add_argument("path", help="a folder there")
    made.add_argument("--title", required=True, help="what is asked for; they read it")
    made.add_argument("--words", default="", help="words to who sends")
    made.add_argument("--until", metavar="DAY", help="2026-12-31, or 30d; left out, as is usual")
    made.add_argument("--bytes", type=int, metavar="N", help="that it takes in all")
    made.add_argument("--files", type=int, metavar="N", help="that it takes in all")
    made.add_argument("--senders", type=int, metavar="N", help="people who may send")
    made.add_argument(
        "--code", nargs="+", metavar="ADDRESS", default=[], help="who gets a code by mail first"
    )
    made.add_argument(
        "--accept-first", action="store_true", help="hold back what comes until you accept it"
    )
    made = command(
        "requests",
        "asking.requests",
        "your requests, or those for a folder; or the end of one",
        "securestore requests",
        "securestore requests Applications",
        "securestore requests --end 12",
    )
    made.add_argument("path", nargs="?", help="a folder there; left out, all that you made")
    made.add_argument("--end", type=int, metavar="NUMBER", help="end that one")
    made = command(
        "link",
        "linking.link",
        "make a link to a file or folder for people without an account",
        "securestore link Cases/12 --until 7d --count 3 --password-prompt",
        "securestore link report.pdf --mail ann@example.org",
    )
    made.add_argument("path", help="a file or folder there")
    made.add_argument("--until", metavar="DAY", help="2026-12-31, or 30d; left out, as is usual")
    password = made.add_mutually_exclusive_group()
    password.add_argument("--password-file", metavar="FILE", help="has the password they need")
    password.add_argument(
        "--password-prompt", action="store_true", help="ask for the password they need"
    )
    made.add_argument("--count", type=int, metavar="N", help="downloads there may be")
    made.add_argument(
        "--mail", action="append", metavar="ADDRESS", default=[], help="who gets a code first"
    )
    made.add_argument("--label", default="", help="a note for yourself")
    made = command(
        "links",
        "linking.links",
        "your links, or those to a file or folder",
        "securestore links",
        "securestore links Cases/12",
    )
    made.add_argument("path", nargs="?", help="a file or folder there; left out, all that you made")
    made = command("unlink", "linking.unlink", "end links", "securestore unlink 12 13")
    made.add_argument("number", type=int, nargs="+", help="as `links` has it")
    made = command(
        "unshare",
        "changing.unshare",
        "stop sharing with somebody",
        "securestore unshare Cases/12 bob",
    )
    made.add_argument("path", help="a file or folder there")
    made.add_argument("to", help="who")
