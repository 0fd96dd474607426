"""The frame codec beside itself in Python, what it is made of, and stock Fernet with its Base64.

Each is measured in a process of its own, in turn.
"""

import base64
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from cryptography.fernet import Fernet
from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from benchmarks.measure import MIB, Figure, Peer, against, rates, seconds
from files.crypto import lanes
from files.crypto.digests import ContentChain, Digesting
from files.crypto.errors import Damaged
from files.crypto.stream.decryption import Decryptor, opening_room
from files.crypto.stream.encryption import Encryptor, encrypt
from files.crypto.stream.keys import Context, derive_keys
from files.crypto.stream.layout import FRAME_LENGTH, FRAME_PAYLOAD

Work = Callable[[], None]

AT_MOST = 256 * MIB
"""More would measure the same for longer."""

LIMIT = Peer("OpenSSL's AES-128-CBC, then HMAC-SHA256, alone", 0.90)
STOCK = "stock Fernet and Base64"


def figures(size: int, runs: int) -> Iterator[Figure]:
    """Sealing and opening, on one thread and on two."""
    frames = max(2, min(size, AT_MOST) // FRAME_PAYLOAD)
    amount = frames * FRAME_PAYLOAD / MIB
    times = {name: [0.0] * runs for name in CONTENDERS}
    for number in range(runs):
        for name, taken in times.items():
            taken[number] = alone(name, frames)
    each = rates(amount, times)
    for name, verb, factor, times_faster in (
        ("Frames sealed", "seal", 6, 2.5),
        ("Frames opened", "open", 10, 1.8),
    ):
        measured = {who: each[f"{verb} {who}"] for who in ("ours", "python", "stock", "cipher")}
        measured["limit"] = _limit(measured["cipher"], each["mac"])
        in_python = Peer(f"{lanes.SETTING}={lanes.PYTHON}", times_faster)
        peers = {"python": in_python, "limit": LIMIT, "stock": Peer(STOCK, factor)}
        yield from against(name, "MiB/s", measured, ours="ours", peers=peers)
    peers = {"seal ours": Peer("in one thread", 1.8)}
    yield from against("Sealed in two threads", "MiB/s", each, ours="two", peers=peers)
    peers = {"mac": Peer("HMAC-SHA256 alone", 0.45)}
    yield from against("Both digests", "MiB/s", each, ours="digests", peers=peers)


def alone(name: str, frames: int) -> float:
    """Seconds of one contender in a process that does nothing else; of a core, where it uses one.

    How fast memory for a whole token is had depends on what a process has freed before.
    """
    command = [sys.executable, "-m", "benchmarks.codec", name, str(frames)]
    way = lanes.PYTHON if name.endswith(" python") else lanes.AUTO
    answer = subprocess.run(  # noqa: S603
        command, check=True, stdout=subprocess.PIPE, env={**os.environ, lanes.SETTING: way}
    )
    return float(answer.stdout)


def _limit(cipher: list[float], mac: list[float]) -> list[float]:
    """The rate of cipher and MAC one after the other, were nothing else to do."""
    return [1 / (1 / each + 1 / other) for each, other in zip(cipher, mac, strict=True)]


def _context() -> Context:
    return Context(uuid.uuid4(), uuid.uuid4(), int(time.time()))


def sealer(payload: bytes, frames: int) -> Work:
    """A stream into one buffer over and over: what the writer does, without a store."""

    def work() -> None:
        room = memoryview(bytearray(lanes.AT_ONCE * FRAME_LENGTH))
        encryptor = Encryptor(os.urandom(32), _context(), lambda length: room[:length])
        for _ in range(frames):
            encryptor.update(payload)
        encryptor.finish()

    return work


def opener(payload: bytes, frames: int) -> Work:
    """Opens the first frames of a stream, over and over, into the same buffers."""
    dek, context, together = os.urandom(32), _context(), lanes.at_once()
    tokens = list(encrypt(dek, context, [payload] * together + [b"more"]))[:together]
    decryptor = Decryptor(derive_keys(dek, context), context, together * FRAME_PAYLOAD + 4)
    rooms = [memoryview(bytearray(opening_room(FRAME_PAYLOAD))) for _ in tokens]

    def work() -> None:
        for _ in range(0, frames, together):
            opened = decryptor.open_frames_into(0, tokens, rooms)
            if any(isinstance(one, Damaged) for one in opened):
                raise RuntimeError("what was sealed does not open")

    return work


def cipher(payload: bytes, frames: int, *, decrypt: bool) -> Work:
    """The same bytes through AES-128-CBC alone: one context, one buffer."""

    def work() -> None:
        whole = Cipher(algorithms.AES128(os.urandom(16)), modes.CBC(os.urandom(16)))
        context = whole.decryptor() if decrypt else whole.encryptor()
        out = bytearray(FRAME_PAYLOAD + 15)
        for _ in range(frames):
            context.update_into(payload, out)

    return work


def mac(payload: bytes, frames: int) -> Work:
    """The same bytes through HMAC-SHA256 alone."""

    def work() -> None:
        context = hmac.HMAC(os.urandom(16), hashes.SHA256())
        for _ in range(frames):
            context.update(payload)

    return work


def digester(payload: bytes, frames: int) -> Work:
    """SHA-256 and content chain of the same bytes, as each upload takes them beside sealing."""

    def work() -> None:
        digesting = Digesting(ContentChain())
        for _ in range(frames):
            digesting.update(payload)
        digesting.digests()

    return work


def stock_sealer(payload: bytes, frames: int) -> Work:
    """`Fernet.encrypt`, and its text turned into the bytes that are worth storing."""
    fernet = Fernet(Fernet.generate_key())

    def work() -> None:
        for _ in range(frames):
            base64.urlsafe_b64decode(fernet.encrypt(payload))

    return work


def stock_opener(payload: bytes, frames: int) -> Work:
    """`Fernet.decrypt` of stored bytes, which must become text before."""
    fernet = Fernet(Fernet.generate_key())
    token = base64.urlsafe_b64decode(fernet.encrypt(payload))

    def work() -> None:
        for _ in range(frames):
            fernet.decrypt(base64.urlsafe_b64encode(token))

    return work


def in_two_threads(payload: bytes, frames: int) -> Work:
    """As much in all, one half in each thread."""
    half = sealer(payload, frames // 2)

    def work() -> None:
        with ThreadPoolExecutor(2) as pool:
            for future in [pool.submit(half) for _ in range(2)]:
                future.result()

    return work


CONTENDERS: dict[str, Callable[[bytes, int], Work]] = {
    "seal ours": sealer,
    "seal python": sealer,
    "seal cipher": partial(cipher, decrypt=False),
    "seal stock": stock_sealer,
    "open ours": opener,
    "open python": opener,
    "open cipher": partial(cipher, decrypt=True),
    "open stock": stock_opener,
    "mac": mac,
    "digests": digester,
    "two": in_two_threads,
}


def main() -> None:
    """In a process of its own: print the seconds of the contender that is named."""
    name, frames = sys.argv[1], int(sys.argv[2])
    payload = os.urandom(FRAME_PAYLOAD)
    CONTENDERS[name](payload, max(2, frames // 10))()
    began = time.process_time()
    taken = seconds(CONTENDERS[name](payload, frames))
    worked = time.process_time() - began
    # What a core was busy for, whoever else wanted it; with two threads, what passed.
    sys.stdout.write(f"{taken if name == 'two' else worked}\n")


if __name__ == "__main__":
    main()
