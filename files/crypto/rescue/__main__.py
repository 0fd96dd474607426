"""The command line of rescue."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from files.crypto import lanes
from files.crypto.errors import CryptoError, Damaged, MalformedKey, WrongKey
from files.crypto.keyexport.entries import Entry
from files.crypto.keyexport.reading import KeyExport
from files.crypto.output import new_file
from files.crypto.progress import Progress
from files.crypto.rescue.folder import Objects, restore_all
from files.crypto.rescue.keys import NoEntry, UserKeys, find_entry, open_with, parse_file_key
from files.crypto.rescue.names import dated_name, safe_name
from files.crypto.rescue.outcome import (
    CANNOT,
    EXIT_CODES,
    Outcome,
    Status,
    as_json,
    exit_code,
    summary,
)
from files.crypto.rescue.restore import restore
from files.crypto.secretinput import SecretMissing, read_secret
from files.crypto.stopping import stopping_cleanly

DESCRIPTION = """\
Get files back from the objects of a Securestore bucket. No server and no database are needed,
and no object is ever changed.

  One object, its key in a key export (you are asked for the passphrase):
    python -m files.crypto.rescue 3f/9a0c... --export keys.export --to restored/

  All objects of a folder (first copy the bucket into it, with any S3 tool). Each owner gets a
  folder with their tree, what was put away is below “In the trash”, and a former version has
  the time of its upload in its name:
    python -m files.crypto.rescue --all bucket/ --export keys.export --to restored/

  One object, its key in a file:
    python -m files.crypto.rescue 3f/9a0c... --key-file file.key --output report.pdf

  It says DAMAGED? Save what is intact; a list of what is missing is printed:
    python -m files.crypto.rescue 3f/9a0c... --export keys.export --to restored/ --partial
"""
EPILOG = """\
Secrets are never taken from the command line. Each of the ...-file options takes a path, or -
for the next line of standard input; without it you are asked.

exit codes:
  0  restored, every byte authenticated
  1  a file cannot be read or written, or a secret is missing
  2  the command line is wrong
  3  wrong key or passphrase
  4  damaged: nothing was written for that object
  5  partial: the intact parts were written, the missing ones are zero bytes
  6  no key for an object, or no object for a key
With --all, the gravest of all objects: 1, then 4, 3, 5, 6.

What is restored is a plain file, readable by you alone. No file is ever overwritten.
"""


def _parser() -> ArgumentParser:
    parser = ArgumentParser(
        prog="python -m files.crypto.rescue",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    what = parser.add_argument_group("what")
    what.add_argument("object", nargs="?", type=Path, help="one object, as a file")
    what.add_argument("--all", type=Path, metavar="FOLDER", help="all objects below a folder")
    what.add_argument("--list", action="store_true", help="show what a key export has; no keys")
    what.add_argument(
        "--write-entry",
        type=Path,
        metavar="FILE",
        help="write one entry (--entry) with its key to FILE, for --key-file on another machine",
    )
    where = parser.add_argument_group("where to")
    where.add_argument("-o", "--output", type=Path, metavar="FILE", help="the file to write")
    where.add_argument(
        "--to", type=Path, metavar="FOLDER", help="a folder; the file gets its name from the export"
    )
    keys = parser.add_argument_group("keys")
    keys.add_argument("--export", type=Path, metavar="FILE", help="what export_keys wrote")
    keys.add_argument("--passphrase-file", metavar="FILE", help="the passphrase of the export")
    keys.add_argument("--export-key-file", metavar="FILE", help="or the key of the export")
    keys.add_argument("--shares-file", metavar="FILE", help="or its shares, one a line")
    keys.add_argument(
        "--entry", metavar="WORD", help="file id, stream id, object name or file name in the export"
    )
    keys.add_argument(
        "--key-file",
        metavar="FILE",
        help="instead of an export: the file's own key (hexadecimal or base64), or an entry",
    )
    keys.add_argument(
        "--held-key-file",
        metavar="FILE",
        help="for held files: the keys or passphrases of their owners, one a line",
    )
    how = parser.add_argument_group("how")
    how.add_argument(
        "--partial", action="store_true", help="of a damaged object, write what is intact"
    )
    how.add_argument(
        "--without-versions",
        action="store_true",
        help="with --all, leave out what files were before their newest version",
    )
    how.add_argument("--json", action="store_true", help="report as JSON, one object a line")
    return parser


def _check(parser: ArgumentParser, options: Namespace) -> None:
    """Refuse a command line that asks for two things, or for nothing."""
    asked = [options.object is not None, options.all is not None, options.list]
    asked.append(options.write_entry is not None)
    if sum(asked) != 1:
        parser.error("say what to restore: an object, or --all FOLDER (or --list, --write-entry)")
    if options.export is None and (options.all or options.list or options.write_entry):
        parser.error("this needs the key export: --export FILE")
    if options.export is not None and options.key_file is not None:
        parser.error("--export and --key-file exclude each other")
    if options.write_entry and not options.entry:
        parser.error("--write-entry needs --entry")
    if options.all and (options.output or not options.to):
        parser.error("--all needs --to FOLDER for what it restores")
    if options.object and bool(options.output) == bool(options.to):
        parser.error("say where to: --output FILE, or --to FOLDER")


class _Report:
    """Prints outcomes as they come: to standard output, and progress to the terminal."""

    def __init__(self, *, json: bool, total: int) -> None:
        self._json = json
        self._progress = Progress(total)
        self.progress = self._progress.add
        self.counts: Counter[Status] = Counter()

    def tell(self, outcome: Outcome) -> None:
        self.counts[outcome.status] += 1
        self._progress.clear()
        text = as_json(outcome.as_dict()) if self._json else outcome.line()
        sys.stdout.write(text + "\n")
        sys.stdout.flush()


def _open_key_export(source: BinaryIO, options: Namespace) -> KeyExport:
    try:
        return open_with(source, options)
    except Damaged as damaged:
        reason = (
            f"{options.export}: {damaged.reason}. If it is an export, it is damaged: "
            "--all FOLDER --partial uses what is left of it."
        )
        raise _Stop(EXIT_CODES[Status.DAMAGED], reason) from None


class _Stop(Exception):
    """The end of it all, with an exit code and a reason."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code


def _single(options: Namespace) -> int:
    with options.object.open("rb") as source:
        entry, dek = _entry_and_key(source, options)
        if options.to:
            options.to.mkdir(parents=True, exist_ok=True)
            name = safe_name(dated_name(entry)) if entry else f"{options.object.name}.restored"
            output = options.to / name
        else:
            output = options.output
        report = _Report(json=options.json, total=options.object.stat().st_size)
        report.tell(
            restore(
                source,
                dek,
                output,
                expected=entry.expected if entry else None,
                partial=options.partial,
                progress=report.progress,
            )
        )
    return exit_code(report.counts)


def _entry_and_key(source: BinaryIO, options: Namespace) -> tuple[Entry | None, bytes]:
    if options.export:
        with options.export.open("rb") as exported:
            export = _open_key_export(exported, options)
            entry = find_entry(export, source, options.entry)
    else:
        found = parse_file_key(
            read_secret(options.key_file, what="Key of the object", option="--key-file")
        )
        if isinstance(found, bytes):
            return None, found
        entry = found
    return entry, UserKeys(options.held_key_file).dek(entry, ask=True)


def _all(options: Namespace) -> int:
    if not options.all.is_dir():
        raise _Stop(CANNOT, f"{options.all} is not a folder.")
    options.to.mkdir(mode=0o700, parents=True, exist_ok=True)
    with options.export.open("rb") as exported:
        export = _open_key_export(exported, options)
        objects = Objects(options.all, but=options.to)
        report = _Report(json=options.json, total=objects.total)
        try:
            for outcome in restore_all(
                objects,
                export,
                options.to,
                keys=UserKeys(options.held_key_file),
                partial=options.partial,
                versions=not options.without_versions,
                progress=report.progress,
            ):
                report.tell(outcome)
        except Damaged as damaged:
            what = "those in between" if options.partial else "those after it: --partial may help"
            reason = f"{damaged.reason}; entries are lost, {what}"
            report.tell(Outcome(Status.DAMAGED, str(options.export), reason=reason))
    _say(f"{summary(report.counts) or 'nothing to do'}.")
    return exit_code(report.counts)


def _list(options: Namespace) -> int:
    with options.export.open("rb") as exported:
        for entry in _open_key_export(exported, options).entries():
            if options.json:
                sys.stdout.write(as_json(entry.public_dict()) + "\n")
            else:
                name = "/".join(map(safe_name, _names(entry)))
                sys.stdout.write(
                    f"{entry.file_id}  {entry.object_name}  {entry.custody.value:7}  "
                    f"{entry.size:>14}  {name}\n"
                )
    return 0


def _names(entry: Entry) -> list[str]:
    """The folders that it is in, and its own name."""
    return [*(folder.name for folder in entry.folders or ()), dated_name(entry)]


def _write_entry(options: Namespace) -> int:
    with options.export.open("rb") as exported:
        entry = find_entry(_open_key_export(exported, options), None, options.entry)
    with new_file(options.write_entry) as file:
        file.write(as_json(entry.as_dict()).encode() + b"\n")
    _say(f"{options.write_entry} holds the key of {entry.name!r}. Whoever reads it can read that.")
    return 0


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")


def _run(options: Namespace) -> int:
    lanes.lanes()  # Forced and not to be had is said before anything is read.
    if options.list:
        return _list(options)
    if options.write_entry:
        return _write_entry(options)
    return _all(options) if options.all else _single(options)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    _check(parser, options)
    try:
        with stopping_cleanly():
            return _run(options)
    except _Stop as stop:
        return _fail(stop.code, str(stop))
    except NoEntry as missing:
        return _fail(EXIT_CODES[Status.NO_KEY], str(missing))
    except SecretMissing as missing:
        return _fail(CANNOT, str(missing))
    except FileExistsError as error:
        return _fail(CANNOT, f"{error.filename} exists already: nothing is overwritten.")
    except OSError as error:
        return _fail(CANNOT, f"{error.filename or 'A file'}: {error.strerror or error}.")
    except (WrongKey, MalformedKey) as wrong:
        return _fail(EXIT_CODES[Status.WRONG_KEY], f"Wrong key: {wrong}.")
    except Damaged as damaged:
        return _fail(EXIT_CODES[Status.DAMAGED], f"Damaged: {damaged.reason}.")
    except CryptoError as error:
        return _fail(CANNOT, f"{error}.")
    except KeyboardInterrupt:
        return _fail(130, "Stopped. No incomplete file was left.")


def _fail(code: int, reason: str) -> int:
    _say(reason)
    return code


if __name__ == "__main__":
    sys.exit(main())
