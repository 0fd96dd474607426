"""`python -m files.crypto`: encrypt and decrypt a file, without a server, database or store."""

from __future__ import annotations

import os
import stat
import sys
import time
import uuid
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import FileIO
from pathlib import Path
from typing import Final

from files.crypto import lanes
from files.crypto.bulk import Pieces, Write, decrypt_file, encrypt_file, read_fully, writer
from files.crypto.errors import CryptoError, Damaged, MalformedKey, WrongKey
from files.crypto.output import new_file
from files.crypto.progress import Progress
from files.crypto.salvage import Expected, WholeObject, read_trailer
from files.crypto.secretinput import SecretMissing, read_secret
from files.crypto.stopping import stopping_cleanly
from files.crypto.stream.keys import Context
from files.crypto.stream.layout import object_length
from files.crypto.verdict import DataKey, Kind, verdict

DESCRIPTION = """\
Encrypt a file into the format of Securestore's objects, and decrypt it again. It needs no
server and no database, and runs in a few MiB of memory, however large the file.

  A key, then a file there and back:
    python -m files.crypto make-key backup.key
    python -m files.crypto encrypt vault.tar -o vault.tar.enc --key-file backup.key
    python -m files.crypto decrypt vault.tar.enc -o vault.tar --key-file backup.key

  With a passphrase instead (you are asked for it), through a pipe:
    tar c var | python -m files.crypto encrypt --passphrase-file words > var.tar.enc
    python -m files.crypto decrypt --passphrase var.tar.enc -o var.tar
"""
EPILOG = """\
exit codes:
  0  done; what was decrypted has authenticated to its last byte
  1  a file cannot be read or written, or a secret is missing
  2  the command line is wrong
  3  wrong key or passphrase
  4  damaged, truncated, lengthened, or no encrypted file
  130, 143  stopped

CRYPTO_LANES=native or =python in the environment forces the fast way of working or the one that
runs everywhere; the result is the same. Without it the fast way is taken where it can be had.

Secrets are never taken from the command line. A file gets its name when it is complete, readable
by you alone; none is overwritten without --force. On standard output a damaged file may show its
sound beginning: use it only after exit code 0.
"""
_KEY_HELP = """\
the file's key: 44 characters of base64 or 64 hexadecimal digits, as make-key writes it; to
decrypt, also an entry that `python -m files.crypto.rescue --write-entry` wrote; - for a line of
standard input"""

CANNOT: Final = 1
USAGE: Final = 2
WRONG_KEY: Final = 3
DAMAGED: Final = 4
INTERRUPTED: Final = 130

_STANDARD: Final = Path("-")
_SPOOL_BLOCK: Final = 1 << 20


class _Help(RawDescriptionHelpFormatter):
    """As wide as the texts above; to ask the terminal takes several imports, help or no help."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=98)


class Stop(Exception):
    """The end of it all, with an exit code and a reason."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code


def _parser() -> ArgumentParser:
    parser = ArgumentParser(
        prog="python -m files.crypto",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=_Help,
        allow_abbrev=False,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name in ("encrypt", "decrypt"):
        command = commands.add_parser(
            name, help=f"{name} a file", formatter_class=_Help, allow_abbrev=False
        )
        command.add_argument(
            "input",
            nargs="?",
            type=Path,
            default=_STANDARD,
            metavar="FILE",
            help="what to read; standard input without it",
        )
        command.add_argument(
            "-o",
            "--output",
            type=Path,
            default=None,
            metavar="FILE",
            help="what to write; standard output without it",
        )
        command.add_argument("-f", "--force", action="store_true", help="replace FILE if it exists")
        key = command.add_mutually_exclusive_group(required=True)
        key.add_argument("-k", "--key-file", metavar="FILE", help=_KEY_HELP)
        key.add_argument("-p", "--passphrase", action="store_true", help="ask for a passphrase")
        key.add_argument(
            "--passphrase-file", metavar="FILE", help="the passphrase; - for a line of input"
        )
    make = commands.add_parser(
        "make-key", help="write a new random key", formatter_class=_Help, allow_abbrev=False
    )
    make.add_argument("output", type=Path, metavar="FILE", help="a name that is not taken")
    return parser


# --- Keys --------------------------------------------------------------------------------------


def _make_key(path: Path) -> None:
    import base64

    _check_output(path, force=False)
    with new_file(path) as file:
        file.write(base64.urlsafe_b64encode(os.urandom(32)) + b"\n")
    _say(f"{path} is a new key. Keep a copy elsewhere: without it nothing can be decrypted.")


def _data_key(options: Namespace) -> tuple[DataKey, Expected | None]:
    """What gives a file's data key, and what is known of the file beforehand."""
    if options.key_file is None:
        return _from_passphrase(options), None
    text = read_secret(options.key_file, what="Key of the file", option="--key-file")
    if text.lstrip().startswith("{"):
        return _from_entry(options, text)
    from files.crypto.filekey import parse_data_key

    key = parse_data_key(text)
    return lambda _context: key, None


def _from_passphrase(options: Namespace) -> DataKey:
    from files.crypto.filekey import from_passphrase

    encrypting = options.command == "encrypt"
    passphrase = read_secret(
        options.passphrase_file,
        what="Passphrase",
        option="--passphrase-file",
        confirm=encrypting,
    )
    if encrypting:
        from files.crypto.passphrase import WeakPassphrase, check_strength

        try:
            check_strength(passphrase)
        except WeakPassphrase as weak:
            raise Stop(CANNOT, str(weak)) from None
    known: dict[Context, bytes] = {}

    def derive(context: Context) -> bytes:
        if context not in known:
            known[context] = from_passphrase(passphrase, context)
        return known[context]

    return derive


def _from_entry(options: Namespace, text: str) -> tuple[DataKey, Expected | None]:
    from files.crypto.rescue.keys import parse_entry

    if options.command == "encrypt":
        raise Stop(CANNOT, "That is the entry of one file of the vault: take a key of make-key.")
    entry = parse_entry(text)
    try:
        key = entry.dek()
    except MalformedKey:
        reason = "That file is held: python -m files.crypto.rescue asks for its owner's key."
        raise Stop(CANNOT, reason) from None
    return lambda _context: key, entry.expected


# --- Files -------------------------------------------------------------------------------------


@contextmanager
def _opened(options: Namespace) -> Iterator[FileIO]:
    """What is read. A terminal is refused: nobody types a file."""
    if options.input != _STANDARD:
        with FileIO(options.input) as source:
            yield source
        return
    if sys.stdin.isatty():
        raise Stop(USAGE, f"Say what to {options.command}: a FILE, or a pipe to standard input.")
    with FileIO(0, closefd=False) as source:
        yield source


@contextmanager
def _written(options: Namespace) -> Iterator[Write]:
    """Where it goes. A file gets its name when all of it is there."""
    if options.output not in (None, _STANDARD):
        with new_file(options.output, replace=options.force) as file:
            yield writer(file.fileno())
        return
    yield writer(1)


def _check_output(path: Path | None, *, force: bool) -> None:
    """Refuse before the work what would be refused after it. Raises Stop, FileExistsError."""
    if path == _STANDARD:
        return
    if path is None:
        if sys.stdout.isatty():
            raise Stop(USAGE, "Say where to: -o FILE, or -o - to write to this terminal.")
        return
    if not path.parent.is_dir():
        raise Stop(CANNOT, f"There is no folder {path.parent}: make it first.")
    if path.exists() and not path.is_file():
        raise Stop(CANNOT, f"{path} is not a regular file. To write into a pipe: -o - > {path}")
    if not force and os.path.lexists(path):
        raise FileExistsError(None, None, str(path))


def _regular_size(source: FileIO) -> int | None:
    status = os.fstat(source.fileno())
    return status.st_size if stat.S_ISREG(status.st_mode) else None


def _watched(write: Write, progress: Progress) -> Write:
    def and_tell(pieces: Pieces) -> None:
        write(pieces)
        progress.add(sum(map(len, pieces)))

    return and_tell


def _encrypt(options: Namespace) -> None:
    data_key, _ = _data_key(options)
    context = Context(uuid.uuid4(), uuid.uuid4(), int(time.time()))
    with _opened(options) as source:
        size = _regular_size(source)
        progress = Progress(None if size is None else object_length(size))
        dek = data_key(context)
        with _written(options) as write:
            encrypt_file(source, _watched(write, progress), dek, context)
        progress.clear()


def _decrypt(options: Namespace) -> None:
    data_key, expected = _data_key(options)
    with _opened(options) as given, _seekable(given, options.output) as source:
        begun = False
        try:
            dek = data_key(expected.context if expected else read_trailer(source).context)
            whole = WholeObject(source, dek, expected=expected)
            progress = Progress(whole.size)
            with _written(options) as write:
                begun = True
                decrypt_file(source, _watched(write, progress), whole)
            progress.clear()
        except WrongKey:
            raise Stop(WRONG_KEY, _wrong_key(options, expected)) from None
        except Damaged as damaged:
            try:
                kind, reason = verdict(source, data_key, damaged)
            except WrongKey:
                raise Stop(WRONG_KEY, _wrong_key(options, expected)) from None
            raise Stop(DAMAGED, _damaged(options, kind, reason, begun=begun)) from None


@contextmanager
def _seekable(source: FileIO, output: Path | None) -> Iterator[FileIO]:
    """A file as it is; of a pipe, a copy: what a file is encrypted with stands at its end.

    The copy is of ciphertext, beside the output or else in the folder for temporary files, and
    has no name: it is gone when this process is.
    """
    if _regular_size(source) is not None:
        yield source
        return
    import tempfile

    folder = None if output in (None, _STANDARD) else output.parent
    with tempfile.TemporaryFile(buffering=0, dir=folder) as copy:
        write, room = writer(copy.fileno()), memoryview(bytearray(_SPOOL_BLOCK))
        while count := read_fully(source, room):
            write([room[:count]])
        with FileIO(copy.fileno(), closefd=False) as spooled:
            yield spooled


# --- Words -------------------------------------------------------------------------------------


def _name(options: Namespace) -> str:
    return "Standard input" if options.input == _STANDARD else str(options.input)


def _wrong_key(options: Namespace, expected: Expected | None) -> str:
    what = "key" if options.key_file else "passphrase"
    if expected is not None:
        return f"Wrong key: {_name(options)} is not the file of this entry, or is another version."
    return (
        f"Wrong {what}: {_name(options)} was encrypted with another one (or its last 96 bytes are "
        "damaged). Nothing was written."
    )


def _damaged(options: Namespace, kind: Kind, reason: str, *, begun: bool) -> str:
    to_standard = options.output in (None, _STANDARD)
    done = "Nothing was written."
    if begun and to_standard:
        done = "What was written before is only a part of the file: discard it."
    remedies = {
        Kind.FOREIGN: "Is it the right file?",
        Kind.TRUNCATED: "Copy it again, or take another copy",
        Kind.LENGTHENED: "Copy it again, or take another copy",
        Kind.DAMAGED: "Take another copy",
    }
    remedy = remedies[kind]
    if kind is not Kind.FOREIGN:
        remedy += (
            "; python -m files.crypto.rescue --partial saves what is intact."
            if options.key_file
            else "."
        )
    return f"{kind}: {_name(options)}: {reason}. {done} {remedy}"


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")


def _run(options: Namespace) -> None:
    if options.command == "make-key":
        _make_key(options.output)
        return
    lanes.lanes()  # Forced and not to be had is said before anything is read.
    if options.input == _STANDARD and "-" in (options.key_file, options.passphrase_file):
        raise Stop(USAGE, "Standard input cannot give both the file and its secret.")
    _check_output(options.output, force=options.force)
    if options.command == "encrypt":
        _encrypt(options)
    else:
        _decrypt(options)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit code."""
    options = _parser().parse_args(arguments)
    try:
        with stopping_cleanly():
            _run(options)
    except Stop as stop:
        return _fail(stop.code, str(stop))
    except SecretMissing as missing:
        return _fail(CANNOT, str(missing))
    except FileExistsError as error:
        hint = "take another name" if options.command == "make-key" else "--force replaces it"
        return _fail(CANNOT, f"{error.filename} exists already: {hint}.")
    except OSError as error:
        what = error.filename or options.output or "Standard output"
        return _fail(CANNOT, f"{what}: {error.strerror or error}.")
    except MalformedKey as malformed:
        return _fail(WRONG_KEY, f"Wrong key: {malformed}.")
    except CryptoError as error:
        return _fail(CANNOT, f"{error}.")
    except KeyboardInterrupt:
        return _fail(INTERRUPTED, "Stopped. No incomplete file was left.")
    return 0


def _fail(code: int, reason: str) -> int:
    _say(reason)
    return code


if __name__ == "__main__":
    ended = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # Every file is closed: to take the interpreter apart as well would only keep a person waiting.
    os._exit(ended)
