"""All commands, their words and their examples, as `--help` tells them."""

from __future__ import annotations

import argparse
from typing import Final

from .. import __version__
from ..errors import EXIT_CODES
from . import changing, completing, looking, sharing, signing, transfers

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

    for of_subject in (signing, transfers, looking, changing, sharing, completing):
        of_subject.add(command)
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
