"""The C side: the same bytes and refusals as Python's, and never more than it was given."""

from __future__ import annotations

import hashlib
import hmac
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from files.crypto import lanes
from files.crypto.errors import CryptoError, Damaged
from files.crypto.lanes import (
    MOST,
    MOST_MACS,
    PREFIX_LENGTH,
    Lanes,
    LanesUnavailable,
    Sha256Twice,
    build,
    sha256_of_each,
)
from files.crypto.tokens import SLACK, Opening, Sealing, TokenCodec, token_length
from tests.files.crypto.frames import (
    NEAR,
    Frame,
    Widths,
    frames,
    noise,
    opened_alike,
    rooms_for,
    seal,
    sealed_alike,
    widths,
)
from tests.files.crypto.ways import PYTHON, built, in_c, native, taken

KEY = bytes(range(32))
PREFIX = b"frame\0\0" + bytes(8)
ALL = Widths(MOST, MOST_MACS)


def frame(size: int, seed: int = 0) -> Frame:
    return Frame(PREFIX, noise(size, seed), noise(16, seed + 9))


# --- The source ----------------------------------------------------------------------------------


def test_the_source_is_short_and_calls_no_allocator() -> None:
    text = lanes.SOURCE.read_text()
    assert text.count("\n") < 600
    code = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    allocators = r"\b(\w*alloc\w*|alloca|free|strdup|strndup|mmap|sbrk|PyMem_\w+|PyObject_New\w*|"
    allocators += r"PyObject_GC_\w+|Py(Bytes|ByteArray|List|Dict|Tuple|Unicode)_From\w+|\w+_New)\b"
    assert re.findall(allocators, code) == []
    assert not re.search(r"\w+\s+\w+\[[a-z]\w*\];", code), "no array of a length that is computed"
    assert "#define Py_LIMITED_API 0x030B0000" in code


def test_python_gives_the_known_answers_as_well() -> None:
    key, known = lanes.known_frames()
    codec, made = TokenCodec(key), hashlib.sha256()
    for head, prefix, payload in known:
        out = bytearray(token_length(len(prefix) + len(payload)))
        time = int.from_bytes(head[1:9], "big")
        codec.seal_into(memoryview(out), prefix, payload, timestamp=time, iv=head[9:])
        made.update(out)
    assert made.hexdigest() == lanes._KNOWN


# --- The same as Python --------------------------------------------------------------------------


@given(st.binary(min_size=32, max_size=32), st.lists(frames, max_size=MOST + 3), widths)
@settings(max_examples=60)
def test_any_frames_are_sealed_and_opened_alike(
    key: bytes, some: list[Frame], side: Widths
) -> None:
    tokens = sealed_alike(key, some, side, timestamp=1_700_000_000)
    opened = opened_alike(key, tokens, side, timestamp=1_700_000_000)
    assert opened == [one.prefix + one.payload for one in some]


@pytest.mark.parametrize("number", range(1, MOST + 1))
@pytest.mark.parametrize("macs", range(1, MOST_MACS + 1))
def test_each_number_of_frames_of_one_size(number: int, macs: int) -> None:
    for size in NEAR:
        some = [frame(size, seed) for seed in range(number)]
        tokens = sealed_alike(KEY, some, Widths(number, macs), timestamp=7)
        opened = opened_alike(KEY, tokens, Widths(number, macs), timestamp=7)
        assert opened == [one.prefix + one.payload for one in some]


def test_where_two_blocks_fit_no_register_it_is_the_same(tmp_path: Path) -> None:
    """As on a processor without VAES: sixteen blocks at once, eight, and one are all tried."""
    native()
    library = tmp_path / "_lanes.abi3.so"
    build.build(library, flags=["-DNARROW"])
    narrow, codec = lanes.load(library), TokenCodec(KEY)
    for blocks in (*range(1, 50), 4097):
        some = [frame(16 * blocks - 1 - PREFIX_LENGTH, seed) for seed in range(2)]
        tokens = sealed_alike(KEY, some, ALL, timestamp=7)
        opened = opened_alike(KEY, tokens, ALL, timestamp=7)
        rooms = [memoryview(bytearray(len(token))) for token in tokens]
        with taken(lanes.Choice(narrow, "without VAES")):
            openings = [Opening(*one) for one in zip(tokens, rooms, strict=True)]
            ends = codec.open_frames(openings, timestamp=7)
        assert opened == [
            bytes(room[:end])
            for room, end in zip(rooms, ends, strict=True)
            if not isinstance(end, Damaged)
        ]


@given(st.lists(frames, min_size=1, max_size=6), widths, st.data())
@settings(max_examples=60)
def test_any_damage_is_refused_alike(some: list[Frame], side: Widths, data: st.DataObject) -> None:
    tokens = sealed_alike(KEY, some, side, timestamp=7)
    hurt = [bytearray(token) for token in tokens]
    for number in data.draw(st.sets(st.integers(0, len(some) - 1), min_size=1)):
        at = data.draw(st.integers(0, len(hurt[number]) - 1))
        how = data.draw(st.sampled_from(["flip", "cut", "extend"]))
        if how == "flip":
            hurt[number][at] ^= data.draw(st.integers(1, 255))
        elif how == "cut":
            del hurt[number][at:]
        else:
            hurt[number] += bytes(data.draw(st.integers(1, 40)))
    opened = opened_alike(KEY, [bytes(token) for token in hurt], side, timestamp=7)
    for one, token, was, found in zip(some, hurt, tokens, opened, strict=True):
        assert isinstance(found, str) == (token != was)
        assert isinstance(found, str) or found == one.prefix + one.payload


@pytest.mark.parametrize("size", [0, 1, 40])
def test_a_flip_of_any_bit_is_refused_and_the_frames_beside_it_are_not(size: int) -> None:
    some = [frame(size, seed) for seed in range(4)]
    tokens = sealed_alike(KEY, some, ALL, timestamp=7)
    codec = TokenCodec(KEY)
    with taken(in_c()):
        for bit in range(8 * len(tokens[2])):
            hurt = bytearray(tokens[2])
            hurt[bit // 8] ^= 1 << bit % 8
            jobs = [
                Opening(token, memoryview(bytearray(len(token) + SLACK)))
                for token in (*tokens[:2], bytes(hurt), tokens[3])
            ]
            results = codec.open_frames(jobs, timestamp=7)
            assert [isinstance(result, int) for result in results] == [True, True, False, True]
            assert not any(jobs[2].room)


def forged(change: Callable[[bytearray], None], plaintext: bytes = PREFIX + b"payload") -> bytes:
    """A token that who has the key made, and not as it must be."""
    codec = TokenCodec(KEY)
    body = bytearray(codec.seal(plaintext, timestamp=7, iv=bytes(16))[:-32])
    change(body)
    return bytes(body) + hmac.digest(KEY[:16], body, "sha256")


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        (forged(lambda body: body.__setitem__(0, 0x81)), "unknown token version"),
        (forged(lambda body: body.__setitem__(8, 8)), "a token has another timestamp"),
        (forged(lambda body: body.__setitem__(-17, body[-17] ^ 0x10)), "padding is wrong"),
        (forged(lambda body: body.__delitem__(slice(25, None))), "no token has this length"),
        (b"", "no token has this length"),
        (bytes(57 + 16), "a token's HMAC does not match"),
        (bytes(57 + 17), "no token has this length"),
    ],
)
def test_what_the_key_made_and_is_no_frame_is_refused_alike(token: bytes, reason: str) -> None:
    [found] = opened_alike(KEY, [token], ALL, timestamp=7)
    assert isinstance(found, str)
    assert reason in found


@given(st.lists(st.lists(frames, min_size=1, max_size=4), min_size=2, max_size=4), widths)
def test_buffers_that_are_used_again_keep_nothing(some: list[list[Frame]], side: Widths) -> None:
    codec = TokenCodec(KEY)
    longest = max(len(one.payload) for group in some for one in group)
    outs = [bytearray(token_length(PREFIX_LENGTH + longest)) for _ in range(4)]
    rooms = [bytearray(len(out) + SLACK) for out in outs]
    for group in some:
        fresh = rooms_for(group)
        with taken(PYTHON):
            seal(codec, group, fresh, timestamp=7)
        with taken(in_c(*side)):
            views = [memoryview(out)[: len(new)] for out, new in zip(outs, fresh, strict=False)]
            jobs = [
                (view, one.prefix, one.payload, one.iv)
                for view, one in zip(views, group, strict=True)
            ]
            codec.seal_frames([Sealing(*job) for job in jobs], timestamp=7)
            assert [bytes(view) for view in views] == [bytes(new) for new in fresh]
            openings = [
                Opening(view, memoryview(room)) for view, room in zip(views, rooms, strict=False)
            ]
            ends = codec.open_frames(openings, timestamp=7)
        for one, opening, end in zip(group, openings, ends, strict=True):
            assert isinstance(end, int)
            assert opening.room[:end] == one.prefix + one.payload


@pytest.mark.parametrize("way", [PYTHON, None])
def test_the_same_arguments_are_refused(way: lanes.Choice | None) -> None:
    codec, room = TokenCodec(KEY), memoryview(bytearray(200))
    with taken(way or in_c()):
        with pytest.raises(ValueError, match="does not fill"):
            codec.seal_frames([Sealing(room, PREFIX, b"", bytes(16))], timestamp=7)
        with pytest.raises(ValueError, match="prefix has 15"):
            codec.seal_frames([Sealing(room[:73], PREFIX[:-1], b"", bytes(16))], timestamp=7)
        with pytest.raises(ValueError, match=r"assignment|structure"):
            codec.seal_frames([Sealing(room[:73], PREFIX, b"", bytes(15))], timestamp=7)
        with pytest.raises(OverflowError):
            codec.seal_frames([Sealing(room[:73], PREFIX, b"", bytes(16))], timestamp=-1)
        with pytest.raises(TypeError):
            only_read = memoryview(bytes(73))
            codec.seal_frames([Sealing(only_read, PREFIX, b"", bytes(16))], timestamp=7)
        with pytest.raises(ValueError, match="too little room"):
            codec.open_frames([Opening(bytes(73), room[: 16 + SLACK - 1])], timestamp=7)


# --- What C itself refuses -----------------------------------------------------------------------


def short(size: int, length: int | None = None) -> tuple[bytearray, bytes, bytes]:
    return (bytearray(length or token_length(15 + size)), PREFIX, bytes(size))


@pytest.mark.parametrize(
    ("key", "some", "ciphers", "macs"),
    [
        (KEY[:-1], (short(0),), 8, 4),
        (KEY + b"0", (short(0),), 8, 4),
        (KEY, (short(0),) * (MOST + 1), 8, 4),
        (KEY, (short(0),), 0, 4),
        (KEY, (short(0),), 8, 0),
        (KEY, (short(0),), 8, 5),
        (KEY, (short(0, 72),), 8, 4),
        (KEY, (short(0, 89),), 8, 4),
        (KEY, (short(0, 57),), 8, 4),
        (KEY, (short(0, 10),), 8, 4),
        (KEY, (short(1, 73),), 8, 4),
        (KEY, (short(0), short(16, 73)), 8, 4),
        (KEY, ((bytearray(73), PREFIX[:-1], b""),), 8, 4),
        (KEY, ((bytearray(73), PREFIX + b"0", b""),), 8, 4),
    ],
)
def test_lengths_that_do_not_agree_are_refused(
    key: bytes, some: tuple[tuple[bytearray, bytes, bytes], ...], ciphers: int, macs: int
) -> None:
    before = [bytes(out) for out, _, _ in some]
    with pytest.raises(ValueError, match=r"no such|do not agree"):
        native().library.seal(key, some, ciphers, macs)
    assert [bytes(out) for out, _, _ in some] == before
    for out, _, _ in some:
        out.append(0)  # Nobody holds it any more.


@pytest.mark.parametrize(("token", "room"), [(73, 15), (72, 100), (57, 100), (89, 31), (0, 100)])
def test_rooms_that_are_too_small_are_refused(token: int, room: int) -> None:
    with pytest.raises(ValueError, match="do not agree"):
        native().library.open(KEY, ((bytes(token), bytearray(room)),), 8, 4)


@pytest.mark.parametrize(
    "some",
    [
        (None,),
        ((bytes(73), PREFIX, b""),),
        ((bytearray(73), "text", b""),),
        ((bytearray(73), PREFIX),),
        ((memoryview(bytearray(146))[::2], PREFIX, b""),),
        [(bytearray(73), PREFIX, b"")],
    ],
)
def test_what_is_no_buffer_is_refused(some: object) -> None:
    with pytest.raises((TypeError, SystemError, BufferError)):
        native().library.seal(KEY, some, 8, 4)  # type: ignore[arg-type]


# --- Digests -------------------------------------------------------------------------------------


@given(st.lists(st.binary(max_size=300), max_size=6), st.lists(st.binary(max_size=300), max_size=6))
@settings(max_examples=60)
def test_two_digests_of_any_pieces_are_those_of_python(
    first: list[bytes], second: list[bytes]
) -> None:
    twice = Sha256Twice(native().library)
    whole = b"".join(first)
    whole += bytes(-len(whole) % 64)
    for piece in (*first, whole[len(b"".join(first)) :]):
        twice.update(piece)
    assert twice.of_all() == twice.since() == hashlib.sha256(whole).digest()
    twice.begin()
    for piece in second:
        twice.update(memoryview(piece))
    rest = b"".join(second)
    assert twice.since() == hashlib.sha256(rest).digest()
    assert twice.of_all() == hashlib.sha256(whole + rest).digest()
    if len(rest) % 64:
        with pytest.raises(ValueError, match="between two blocks"):
            twice.begin()


@pytest.mark.parametrize("number", range(1, MOST_MACS + 1))
@pytest.mark.parametrize("size", [64, 640, 1 << 18])
def test_pieces_side_by_side_have_the_digests_of_each(number: int, size: int) -> None:
    pieces = [noise(size, seed) for seed in range(number)]
    digests = [hashlib.sha256(piece).digest() for piece in pieces]
    assert sha256_of_each(native().library, pieces) == digests


@pytest.mark.parametrize(
    ("states", "data"),
    [
        (bytearray(32), ()),
        (bytearray(160), (bytes(64),) * 5),
        (bytearray(31), (bytes(64),)),
        (bytearray(64), (bytes(64),)),
        (bytearray(32), (bytes(64),) * 2),
        (bytearray(32), (bytes(63),)),
        (bytearray(64), (bytes(64), bytes(128))),
        (bytearray(64), (bytes(128), bytes(64))),
    ],
)
def test_states_and_blocks_that_do_not_agree_are_refused(
    states: bytearray, data: tuple[bytes, ...]
) -> None:
    before = bytes(states)
    with pytest.raises(ValueError, match="whole blocks"):
        native().library.digest(states, data)
    assert states == before
    states.append(0)  # Nobody holds it any more.


@pytest.mark.parametrize(
    ("states", "data"),
    [
        (bytes(32), (bytes(64),)),
        (bytearray(32), (None,)),
        (bytearray(64), (bytes(64), "text")),
        (bytearray(32), [bytes(64)]),
        (bytearray(32), (memoryview(bytes(128))[::2],)),
    ],
)
def test_what_is_no_state_and_no_block_is_refused(states: Any, data: Any) -> None:
    before = bytes(states)
    with pytest.raises((TypeError, BufferError)):
        native().library.digest(states, data)
    assert bytes(states) == before


# --- Which way, and why --------------------------------------------------------------------------


@pytest.fixture
def undecided() -> Iterator[None]:
    """Nothing was chosen yet."""
    with taken(PYTHON):
        lanes._taken.clear()
        yield


@pytest.fixture
def missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine for it on which nothing was built; where the build would note why."""
    monkeypatch.setattr(lanes, "is_for_this_machine", lambda: True)
    monkeypatch.setattr(lanes, "NOTE", tmp_path / "built.txt")
    monkeypatch.setattr(lanes.load, "__defaults__", (tmp_path / "_lanes.abi3.so",))
    return tmp_path / "built.txt"


@pytest.mark.usefixtures("undecided", "missing")
def test_forced_and_not_to_be_had_is_an_error_wherever_it_is_used() -> None:
    assert lanes.choose("native").refused
    for use in (lanes.lanes, lanes.at_once):
        with pytest.raises(LanesUnavailable, match=r"CRYPTO_LANES=native .* is not built: make"):
            use()
    room = memoryview(bytearray(73))
    with pytest.raises(CryptoError):
        TokenCodec(KEY).seal_frames([Sealing(room, PREFIX, b"", bytes(16))], timestamp=7)
    assert not any(room)


@pytest.mark.usefixtures("undecided")
@pytest.mark.parametrize("mode", ["", "c", "Native", "yes"])
def test_a_word_that_means_nothing_is_an_error(mode: str) -> None:
    assert lanes.choose(mode).refused
    with pytest.raises(LanesUnavailable, match="auto, native or python"):
        lanes.lanes()


@pytest.mark.usefixtures("undecided")
def test_python_can_be_forced() -> None:
    assert lanes.choose("python").said == "in Python, as CRYPTO_LANES says"
    assert (lanes.lanes(), lanes.at_once()) == (None, 1)


@pytest.mark.usefixtures("undecided")
def test_the_environment_says_it_until_somebody_else_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRYPTO_LANES", "python")
    assert "as CRYPTO_LANES says" in lanes.choice().said
    lanes.choose("nonsense")
    assert lanes.choice().refused


@pytest.mark.usefixtures("undecided")
def test_without_it_python_does_and_says_why(missing: Path) -> None:
    missing.write_text("said=there is no C compiler\n")
    assert lanes.choose("auto").said == (
        "in Python, for what makes it fast is not built: there is no C compiler"
    )
    assert (lanes.lanes(), lanes.at_once()) == (None, 1)


@pytest.mark.usefixtures("missing")
def test_another_machine_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "is_for_this_machine", lambda: False)
    with pytest.raises(ImportError, match="x86-64"):
        lanes.load()


def copied(tmp_path: Path) -> Path:
    native()
    return Path(shutil.copy(built(), tmp_path))


def test_what_was_built_of_another_source_is_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = copied(tmp_path)
    assert isinstance(lanes.load(library), Lanes)
    monkeypatch.setattr(lanes, "source_digest", lambda: "another")
    with pytest.raises(ImportError, match="another source"):
        lanes.load(library)


def test_what_cannot_be_loaded_is_not_run(tmp_path: Path) -> None:
    native()
    broken = tmp_path / "_lanes.abi3.so"
    broken.write_bytes(b"no library")
    with pytest.raises(ImportError):
        lanes.load(broken)


@pytest.mark.parametrize(("say", "seen"), [("8", 8), ("1", 1), ("0", MOST), ("9", MOST), ("x", 8)])
def test_how_many_side_by_side_is_what_was_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, say: str, seen: int
) -> None:
    native()
    note = tmp_path / "built.txt"
    monkeypatch.setattr(lanes, "NOTE", note)
    note.write_text(f"source=x\nciphers={say}\nmacs=2\n")
    library = copied(tmp_path)
    found = lanes.load(library)
    assert (found.ciphers, found.macs) == (seen, 2)


class Wrong:
    """A library that gives something else than the right one."""

    SOURCE = ""

    def __init__(self, change: str) -> None:
        self._change = change

    def usable(self) -> bool:
        return True

    def seal(self, key: bytes, some: Any, ciphers: int, macs: int) -> int:
        native().library.seal(key, some, ciphers, macs)
        if self._change == "sealed":
            some[1][0][30] ^= 1
        return 0

    def open(self, key: bytes, some: Any, ciphers: int, macs: int) -> int:
        bits = native().library.open(key, some, ciphers, macs)
        if self._change == "opened":
            some[0][1][3] ^= 1
        if self._change == "released":
            some[-2][1][3] = 1
        return bits | (1 << len(some) - 2 if self._change == "let through" else 0)

    def digest(self, states: bytearray, data: Any) -> bool:
        done = native().library.digest(states, data)
        if self._change == ("digested twice" if len(data) == 2 else "digested"):
            states[-1] ^= 1
        return done


@pytest.mark.parametrize(
    "change", ["sealed", "opened", "released", "let through", "digested", "digested twice"]
)
def test_what_gives_another_answer_is_not_run(change: str) -> None:
    lanes.prove(Lanes(Wrong("nothing")))
    with pytest.raises(ImportError, match="known answers"):
        lanes.prove(Lanes(Wrong(change)))


# --- Threads and keys ----------------------------------------------------------------------------


def test_threads_share_a_codec() -> None:
    codec = TokenCodec(KEY)
    groups = [[frame(30_000 + 999 * seed, seed + at) for at in range(4)] for seed in range(6)]
    expected = [sealed_alike(KEY, group, ALL, timestamp=7) for group in groups]

    def work(number: int) -> bool:
        group, right = groups[number % 6], True
        for _ in range(10):
            outs = rooms_for(group)
            seal(codec, group, outs, timestamp=7)
            openings = [Opening(out, memoryview(bytearray(len(out) + SLACK))) for out in outs]
            ends = codec.open_frames(openings, timestamp=7)
            right &= outs == expected[number % 6]
            right &= all(
                isinstance(end, int) and opening.room[:end] == one.prefix + one.payload
                for one, opening, end in zip(group, openings, ends, strict=True)
            )
        return right

    with taken(in_c()), ThreadPoolExecutor(6) as pool:
        assert all(pool.map(work, range(18)))


@pytest.mark.parametrize(("size", "released"), [(1 << 18, True), (1000, False)])
def test_others_go_on_meanwhile_where_it_takes_long(size: int, released: bool) -> None:
    """With a switch interval of an hour nobody else runs, unless C lets go of the lock."""
    some = tuple((bytearray(token_length(15 + size)), PREFIX, bytes(size)) for _ in range(2))
    go, went = threading.Lock(), threading.Event()
    go.acquire()

    def other() -> None:
        go.acquire()
        went.set()

    library = native().library
    thread = threading.Thread(target=other)
    thread.start()
    interval = sys.getswitchinterval()
    sys.setswitchinterval(3600)
    try:
        go.release()
        # Of all that this loop does, only C could let the other thread run.
        for _ in range(300):
            library.seal(KEY, some, 8, 4)
            if went.is_set():
                break
        seen = went.is_set()
    finally:
        sys.setswitchinterval(interval)
        thread.join()
    assert seen == released


# Seals and opens in the main thread, then looks for the key, and for what AES makes of it, below.
SEEKER = """
import sys
from pathlib import Path
from files.crypto import lanes

key = bytes.fromhex("000102030405060708090a0b0c0d0e0f2b7e151628aed2a6abf7158809cf4f3c")
schedule = bytes.fromhex("a0fafe1788542cb123a339392a6c7605d014f9a8c9ee2589e13f0cc8b6630ca6")
step = sys.argv[2]
library = lanes.load(Path(sys.argv[1])).library
some = tuple((bytearray(73 + 4096), b"frame" + bytes(10), bytes(4096)) for _ in range(4))
for line in Path("/proc/self/maps").read_text().splitlines():
    if line.endswith("[stack]"):
        start, end = (int(edge, 16) for edge in line.split()[0].split("-"))
stack = bytearray(end - start)
with open("/proc/self/mem", "rb", buffering=0) as memory:
    memory.seek(start)
    library.seal(key, some, 8, 4)
    if step == "open":
        rooms = tuple((bytes(token), bytearray(5000)) for token, _, _ in some)
        memory.seek(start)
        assert library.open(key, rooms, 8, 4) == 15
    memory.readinto(stack)
print("found" if any(schedule[at:at + 16] in stack for at in (0, 16)) else "gone")
"""


@pytest.fixture(scope="module")
def careless(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library of a source that wipes nothing."""
    native()
    folder = tmp_path_factory.mktemp("careless")
    text = lanes.SOURCE.read_text()
    wiping = "memset(memory, 0, length);"
    assert wiping in text
    source = folder / "lanes.c"
    source.write_text(text.replace(wiping, "(void)length;"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(build, "SOURCE", source)
        build.build(folder / "careless.so")
    return folder / "careless.so"


@pytest.mark.parametrize("step", ["seal", "open"])
def test_no_schedule_of_a_key_stays_on_the_stack(careless: Path, step: str) -> None:
    """FIPS 197, A.1. Of a source that wipes nothing it is found, so the search does find it."""
    said = []
    for library in (built(), careless):
        command = [sys.executable, "-c", SEEKER, str(library), step]
        ended = subprocess.run(command, capture_output=True, text=True, check=True)
        said.append(ended.stdout.strip())
    assert said == ["gone", "found"]
