"""Frames side by side: which way they are sealed and opened, in C or in Python, and why.

`lanes.c` does what `files.crypto.tokens` does in Python, for several frames at once. `make` builds
it where there is a C compiler, and it runs where the processor has AES-NI and SHA-NI. Everywhere
else Python's way does the same, byte for byte.

Must never decide what a frame is, nor run what was built from another source, nor what does not
give the known answers. `CRYPTO_LANES` forces either way; forced and not to be had is an error.
"""

from __future__ import annotations

import hashlib
import os
import struct
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.machinery import ExtensionFileLoader
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Final, Protocol, TypeAlias, cast

from files.crypto.errors import CryptoError

Buffer: TypeAlias = bytes | bytearray | memoryview

SETTING: Final = "CRYPTO_LANES"
AUTO, NATIVE, PYTHON = "auto", "native", "python"

MOST: Final = 8
"""Frames that the C side takes at once."""

MOST_MACS: Final = 4
"""Of these, frames that it authenticates at once."""

AT_ONCE: Final = 4
"""Frames of one transfer that wait for each other: more would be faster, and hold more memory."""

PREFIX_LENGTH: Final = 15
"""Bytes of a frame's plaintext before its payload."""

HERE: Final = Path(__file__).parent
SOURCE: Final = HERE / "lanes.c"
LIBRARY: Final = HERE / "_lanes.abi3.so"
NOTE: Final = HERE / "built.txt"
"""What `build` says of its last run, as lines of `name=value`."""

_BLOCK: Final = 64
_STATE: Final = 32
_START: Final = struct.pack(
    "=8I",
    *(0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A),
    *(0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19),
)
"""The state of SHA-256 before its first block (FIPS 180-4, 5.3.3)."""

# SHA-256 of the tokens that `_known_frames` become; a test holds Python's way to it as well.
_KNOWN: Final = "f18f84e86916c405a4c63395672647fbdd2b7eb1d135cee080ae40f72205c6a8"


class LanesUnavailable(CryptoError):
    """The setting asks for what this machine does not have, or for nothing that there is."""


class Library(Protocol):
    """What `lanes.c` gives. `ciphers` and `macs` are how many frames go side by side."""

    SOURCE: str

    def usable(self) -> bool:
        """Whether this processor has the instructions."""

    def seal(
        self, key: bytes, frames: tuple[tuple[Buffer, Buffer, Buffer], ...], ciphers: int, macs: int
    ) -> int:
        """Of each `(token, prefix, payload)` fill the token, whose first 25 bytes are there."""

    def open(
        self, key: bytes, frames: tuple[tuple[Buffer, Buffer], ...], ciphers: int, macs: int
    ) -> int:
        """Decrypt each `(token, room)` whose tag is right; the bits of these."""

    def digest(self, states: bytearray, data: tuple[Buffer, ...]) -> bool:
        """Go on with SHA-256 by as many whole blocks of each, in the state of each."""


class Lanes:
    """The C side, and how many frames go side by side on this processor."""

    def __init__(self, library: Library, ciphers: int = MOST, macs: int = MOST_MACS) -> None:
        self.library: Final = library
        self.ciphers: Final = ciphers
        self.macs: Final = macs

    def seal(self, key: bytes, frames: Sequence[tuple[memoryview, bytes, Buffer]]) -> None:
        """Fill each token; version, time and IV are in its first 25 bytes already."""
        for at in range(0, len(frames), MOST):
            self.library.seal(key, tuple(frames[at : at + MOST]), self.ciphers, self.macs)

    def open(self, key: bytes, frames: Sequence[tuple[Buffer, memoryview]]) -> list[bool]:
        """Decrypt into its room each token whose tag is right; which these are.

        The room of any other is left as it was.
        """
        right: list[bool] = []
        for at in range(0, len(frames), MOST):
            batch = tuple(frames[at : at + MOST])
            bits = self.library.open(key, batch, self.ciphers, self.macs)
            right += [bool(bits >> number & 1) for number in range(len(batch))]
        return right


class Sha256Twice:
    """SHA-256 of all bytes and, beside it, of those since the last `begin`, for the time of one.

    `begin` comes after whole blocks of 64 bytes alone. As hashlib, it keeps what fills no block.
    """

    def __init__(self, library: Library) -> None:
        self._digest = library.digest
        self._states = bytearray(2 * _START)
        self._rest = b""
        self._all = self._since = 0

    def update(self, data: Buffer) -> None:
        """Take the next bytes."""
        chunk = memoryview(data).cast("B")
        self._all += len(chunk)
        self._since += len(chunk)
        if self._rest:
            fills = _BLOCK - len(self._rest)
            self._rest += chunk[:fills]
            chunk = chunk[fills:]
            if len(self._rest) < _BLOCK:
                return
            self._digest(self._states, (self._rest, self._rest))
        whole = len(chunk) - len(chunk) % _BLOCK
        if whole:
            self._digest(self._states, (chunk[:whole], chunk[:whole]))
        self._rest = bytes(chunk[whole:])

    def begin(self) -> None:
        """Begin the second one anew."""
        if self._rest:
            raise ValueError("a digest begins anew between two blocks alone")
        self._states[_STATE:] = _START
        self._since = 0

    def of_all(self) -> bytes:
        """The digest of all bytes."""
        return self._ended(self._states[:_STATE], self._all)

    def since(self) -> bytes:
        """The digest of those since the last `begin`."""
        return self._ended(self._states[_STATE:], self._since)

    def _ended(self, state: bytearray, length: int) -> bytes:
        return _ended(self._digest, state, self._rest, length)


def _ended(
    digest: Callable[[bytearray, tuple[Buffer, ...]], bool],
    state: bytearray,
    rest: bytes,
    length: int,
) -> bytes:
    """The digest after its last bytes: a bit, zeros, and the length in bits (FIPS 180-4, 5.1.1)."""
    pad = b"\x80" + bytes((-9 - len(rest)) % _BLOCK) + (8 * length).to_bytes(8, "big")
    digest(state, (rest + pad,))
    return struct.pack(">8I", *struct.unpack("=8I", state))


def sha256_of_each(library: Library, pieces: Sequence[Buffer]) -> list[bytes]:
    """The digests of `MOST_MACS` pieces at most, of one length in whole blocks, side by side."""
    states = bytearray(_START * len(pieces))
    library.digest(states, tuple(pieces))
    return [
        _ended(library.digest, states[at : at + _STATE], b"", len(pieces[0]))
        for at in range(0, len(states), _STATE)
    ]


@dataclass(frozen=True, slots=True)
class Choice:
    """The way that is taken: `lanes` or, where that is None, Python's. `said` tells why."""

    lanes: Lanes | None
    said: str
    refused: bool = False


_taken: list[Choice] = []
"""What was chosen last, once anything was."""


def choose(mode: str) -> Choice:
    """Take the way that `mode` says from here on. Never raises: `lanes` does, when it is used."""
    _taken[:] = [_chosen(mode)]
    return _taken[0]


def choice() -> Choice:
    """The way that is taken; until `choose` said otherwise, the process's environment says it."""
    return _taken[0] if _taken else choose(os.environ.get(SETTING, AUTO))


def lanes() -> Lanes | None:
    """The C side, or None where Python's way is taken. Raises LanesUnavailable."""
    taken = choice()
    if taken.refused:
        raise LanesUnavailable(taken.said)
    return taken.lanes


def at_once() -> int:
    """Frames of one transfer that are worth waiting for. Raises LanesUnavailable."""
    return 1 if lanes() is None else AT_ONCE


def _chosen(mode: str) -> Choice:
    if mode not in {AUTO, NATIVE, PYTHON}:
        said = f"{SETTING} is {AUTO}, {NATIVE} or {PYTHON}, not {mode[:20]!r}"
        return Choice(None, said, refused=True)
    if mode == PYTHON:
        return Choice(None, f"in Python, as {SETTING} says")
    try:
        loaded = load()
    except ImportError as error:
        if mode == NATIVE:
            return Choice(None, f"{SETTING}={NATIVE} cannot be had: {error}", refused=True)
        return Choice(None, f"in Python, for {error}")
    said = f"in C, {loaded.ciphers} frames side by side, {loaded.macs} to authenticate"
    return Choice(loaded, said)


def load(path: Path = LIBRARY) -> Lanes:
    """What was built there, once it has proved itself. Raises ImportError, saying why not."""
    if not is_for_this_machine():
        raise ImportError("lanes are for Linux on x86-64, and this is something else")
    note = read_note()
    if not path.exists():
        why = note.get("said") or "make run, make install and make test build it"
        raise ImportError(f"what makes it fast is not built: {why}")
    spec = spec_from_file_location("_lanes", path, loader=ExtensionFileLoader("_lanes", str(path)))
    if spec is None or spec.loader is None:
        raise ImportError(f"{path.name} is no module")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    library = cast(Library, module)
    if getattr(library, "SOURCE", None) != source_digest():
        raise ImportError("what is built was built from another source: run make lanes")
    if not library.usable():
        raise ImportError("this processor has no AES-NI or no SHA-NI")
    found = Lanes(
        library,
        _width(note.get("ciphers"), MOST, most=MOST),
        _width(note.get("macs"), MOST_MACS, most=MOST_MACS),
    )
    prove(found)
    return found


def is_for_this_machine() -> bool:
    """Whether `lanes.c` is written for such a machine at all."""
    return sys.platform == "linux" and os.uname().machine == "x86_64"


def source_digest() -> str:
    """SHA-256 of the source, which what was built from it carries. Raises ImportError."""
    try:
        return hashlib.sha256(SOURCE.read_bytes()).hexdigest()
    except OSError as error:
        raise ImportError(f"its source cannot be read: {error}") from None


def read_note() -> dict[str, str]:
    """What `build` said last; nothing where it never ran."""
    try:
        lines = NOTE.read_text().splitlines()
    except (OSError, ValueError):
        return {}
    return {name: value for name, _, value in (line.partition("=") for line in lines)}


def _width(noted: str | None, otherwise: int, *, most: int) -> int:
    allowed = {str(number): number for number in range(1, most + 1)}
    return allowed.get(noted or "", otherwise)


def known_frames() -> tuple[bytes, list[tuple[bytes, bytes, bytes]]]:
    """A key, and of a few frames the first 25 bytes of the token, the prefix and the payload."""
    key = bytes(range(32))
    frames = []
    for number, size in enumerate((0, 1, 17, 300, 4096 + 49, 0, 63)):
        payload = bytes(((7 + number) * at + at // 251) & 0xFF for at in range(size))
        head = b"\x80" + bytes([number] * 24)
        frames.append((head, b"frame\0\0" + number.to_bytes(8, "big"), payload))
    return key, frames


def prove(found: Lanes) -> None:
    """Seal and open frames whose tokens are known, and digest. Raises ImportError unless right."""
    key, frames = known_frames()
    tokens = []
    for head, prefix, payload in frames:
        body = 16 * ((len(prefix) + len(payload)) // 16 + 1)
        tokens.append(memoryview(bytearray(head + bytes(body + 32))))
    found.seal(key, [(token, *frame[1:]) for token, frame in zip(tokens, frames, strict=True)])
    made = hashlib.sha256(b"".join(tokens)).hexdigest()
    rooms = [memoryview(bytearray(len(token))) for token in tokens]
    tokens[-2][-1] ^= 1
    right = found.open(key, list(zip(tokens, rooms, strict=True)))
    opened = all(
        room[: len(prefix + payload)] == prefix + payload
        for room, (_, prefix, payload), sound in zip(rooms, frames, right, strict=True)
        if sound
    )
    twice, some = Sha256Twice(found.library), frames[4][2]
    twice.update(some[:320])
    twice.begin()
    twice.update(some[320:])
    digested = (twice.of_all(), twice.since()) == (_sha256(some), _sha256(some[320:]))
    halves = [some[:2048], some[2048:4096]]
    digested = digested and sha256_of_each(found.library, halves) == [*map(_sha256, halves)]
    refused = right == [number != len(frames) - 2 for number in range(len(frames))]
    if made != _KNOWN or not opened or not refused or any(rooms[-2]) or not digested:
        raise ImportError("what is built does not give the known answers")


def _sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()
