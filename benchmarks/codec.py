"""The frame codec beside what it is made of, and beside stock Fernet with its Base64."""

import base64
import os
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

from cryptography.fernet import Fernet
from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from benchmarks.measure import MIB, Figure, Peer, against, by_turns, rates
from files.crypto.stream import (
    FRAME_LENGTH,
    FRAME_PAYLOAD,
    Context,
    Decryptor,
    Encryptor,
    derive_keys,
    encrypt,
    opening_room,
)

AT_MOST = 256 * MIB
"""More would measure the same for longer."""

LIMIT = Peer("AES-128-CBC, then HMAC-SHA256, alone", 0.90)
STOCK = "stock Fernet and Base64"


def figures(size: int, runs: int) -> Iterator[Figure]:
    """Sealing and opening, on one thread and on two."""
    frames = max(1, min(size, AT_MOST) // FRAME_PAYLOAD)
    amount = frames * FRAME_PAYLOAD / MIB
    payload = os.urandom(FRAME_PAYLOAD)
    sealing = {
        "ours": lambda: seal(payload, frames),
        "cipher": lambda: cipher(payload, frames, decrypt=False),
        "mac": lambda: mac(payload, frames),
        "stock": lambda: stock_seal(payload, frames),
    }
    measured = _with_limit(rates(amount, by_turns(sealing, runs=runs)))
    peers = {"limit": LIMIT, "stock": Peer(STOCK, 6)}
    yield from against("Frames sealed", "MiB/s", measured, ours="ours", peers=peers)
    opening = {
        "ours": opener(payload, frames),
        "cipher": lambda: cipher(payload, frames, decrypt=True),
        "mac": lambda: mac(payload, frames),
        "stock": stock_opener(payload, frames),
    }
    measured = _with_limit(rates(amount, by_turns(opening, runs=runs)))
    peers = {"limit": LIMIT, "stock": Peer(STOCK, 10)}
    yield from against("Frames opened", "MiB/s", measured, ours="ours", peers=peers)
    threads = {
        "two": lambda: in_threads(2, lambda: seal(payload, frames // 2)),
        "one": lambda: in_threads(1, lambda: seal(payload, frames // 2 * 2)),
    }
    measured = rates(amount, by_turns(threads, runs=runs))
    peers = {"one": Peer("in one thread", 1.8)}
    yield from against("Sealed in two threads", "MiB/s", measured, ours="two", peers=peers)


def _with_limit(measured: dict[str, list[float]]) -> dict[str, list[float]]:
    """The rate of cipher and MAC one after the other, were nothing else to do."""
    both = zip(measured["cipher"], measured["mac"], strict=True)
    return measured | {"limit": [1 / (1 / cipher + 1 / mac) for cipher, mac in both]}


def _context() -> Context:
    return Context(uuid.uuid4(), uuid.uuid4(), int(time.time()))


def seal(payload: bytes, frames: int) -> None:
    """A stream into one buffer over and over: what the writer does, without a store."""
    room = memoryview(bytearray(FRAME_LENGTH))
    encryptor = Encryptor(os.urandom(32), _context(), lambda length: room[:length])
    for _ in range(frames):
        encryptor.update(payload)
    encryptor.finish()


def opener(payload: bytes, frames: int) -> Callable[[], None]:
    """Opens the first frame of a stream of many, over and over, into one buffer."""
    dek, context = os.urandom(32), _context()
    token = next(encrypt(dek, context, [payload + b"more"]))
    decryptor = Decryptor(derive_keys(dek, context), context, 2 * FRAME_PAYLOAD)
    room = memoryview(bytearray(opening_room(FRAME_PAYLOAD)))

    def work() -> None:
        for _ in range(frames):
            decryptor.open_frame_into(0, token, room)

    return work


def cipher(payload: bytes, frames: int, *, decrypt: bool) -> None:
    """The same bytes through AES-128-CBC alone: one context, one buffer."""
    whole = Cipher(algorithms.AES128(os.urandom(16)), modes.CBC(os.urandom(16)))
    context = whole.decryptor() if decrypt else whole.encryptor()
    out = bytearray(FRAME_PAYLOAD + 15)
    for _ in range(frames):
        context.update_into(payload, out)


def mac(payload: bytes, frames: int) -> None:
    """The same bytes through HMAC-SHA256 alone."""
    context = hmac.HMAC(os.urandom(16), hashes.SHA256())
    for _ in range(frames):
        context.update(payload)


def stock_seal(payload: bytes, frames: int) -> None:
    """`Fernet.encrypt`, and its text turned into the bytes that are worth storing."""
    fernet = Fernet(Fernet.generate_key())
    for _ in range(frames):
        base64.urlsafe_b64decode(fernet.encrypt(payload))


def stock_opener(payload: bytes, frames: int) -> Callable[[], None]:
    """`Fernet.decrypt` of stored bytes, which must become text before."""
    fernet = Fernet(Fernet.generate_key())
    token = base64.urlsafe_b64decode(fernet.encrypt(payload))

    def work() -> None:
        for _ in range(frames):
            fernet.decrypt(base64.urlsafe_b64encode(token))

    return work


def in_threads(count: int, work: Callable[[], None]) -> None:
    """The same work in each of `count` threads."""
    with ThreadPoolExecutor(count) as pool:
        for future in [pool.submit(work) for _ in range(count)]:
            future.result()
