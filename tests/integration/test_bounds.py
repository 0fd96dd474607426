"""Memory of the web process, measured by the kernel: transfers cost little, however large.

The site runs whole, on its own store. What is compared is the peak of the resident set with what
was resident before, after a warm-up that takes what every process takes once: the hash of a
password alone needs 100 MiB.
"""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from benchmarks.site import MeasuredSite, growth
from benchmarks.visitor import Visitor, body_of
from tests.integration.prepared import launched

MIB = 2**20
SIZE = 256 * MIB
ONE = 48 * MIB
"""What one transfer of any size may add."""

EACH = 24 * MIB
"""What each of several transfers at once may add."""

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/clear_refs").exists(), reason="the kernel's counts are Linux's"
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MeasuredSite]:
    with launched(tmp_path_factory.mktemp("site")) as site:
        yield site


@pytest.fixture(scope="module")
def visitor(site: MeasuredSite) -> Visitor:
    """Signed in; and the site has made every kind of transfer once."""
    visitor = Visitor(site.port)
    visitor.sign_in()
    visitor.upload_form("warm", MIB, body_of(MIB))
    visitor.download(visitor.upload_tus("warm", MIB, body_of(MIB)))
    return visitor


@pytest.fixture(scope="module")
def large(visitor: Visitor) -> str:
    """A file that no bound below would hold."""
    return visitor.upload_form("large", SIZE, body_of(SIZE))


def until(true: Callable[[], bool], seconds: float = 30) -> bool:
    """Whether it comes true in time: what another process does has no event to wait for."""
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def test_an_upload_by_form_is_bounded(site: MeasuredSite, visitor: Visitor) -> None:
    grown = growth(site, lambda: visitor.upload_form("form", SIZE, body_of(SIZE)))
    assert grown <= ONE, f"{grown / MIB:.0f} MiB"


def test_a_resumable_upload_is_bounded(site: MeasuredSite, visitor: Visitor) -> None:
    grown = growth(site, lambda: visitor.upload_tus("tus", SIZE, body_of(SIZE)))
    assert grown <= ONE, f"{grown / MIB:.0f} MiB"


def test_a_download_is_bounded(site: MeasuredSite, visitor: Visitor, large: str) -> None:
    received: list[int] = []
    grown = growth(site, lambda: received.append(visitor.download(large)))
    assert received == [SIZE]
    assert grown <= ONE, f"{grown / MIB:.0f} MiB"


@pytest.mark.parametrize("way", ["form", "tus", "download"])
def test_eight_transfers_at_once_are_bounded(
    site: MeasuredSite, visitor: Visitor, way: str
) -> None:
    count, size = 8, 64 * MIB
    stored = visitor.upload_form("eight", size, body_of(size)) if way == "download" else ""

    def transfer(number: int) -> None:
        if way == "form":
            visitor.upload_form(f"form-{number}", size, body_of(size))
        elif way == "tus":
            visitor.upload_tus(f"tus-{number}", size, body_of(size))
        else:
            assert visitor.download(stored) == size

    def together() -> None:
        with ThreadPoolExecutor(count) as pool:
            list(pool.map(transfer, range(count)))

    grown = growth(site, together)
    assert grown <= count * EACH, f"{grown / count / MIB:.0f} MiB each"


def test_a_client_that_reads_slowly_costs_no_memory(
    site: MeasuredSite, visitor: Visitor, large: str
) -> None:
    def stall() -> None:
        with ExitStack() as left:
            connection, answer = visitor.open(large)
            left.callback(connection.close)
            left.callback(answer.close)
            received = len(answer.read(MIB))
            # Nothing is read while another download runs from end to end.
            assert visitor.download(large) == SIZE
            # It was waiting all the while: what is left of it comes still, to the last byte.
            while data := answer.read(MIB):
                received += len(data)
            assert received == SIZE

    grown = growth(site, stall)
    assert grown <= ONE, f"{grown / MIB:.0f} MiB"


def test_a_client_that_goes_away_frees_thread_and_connection(
    site: MeasuredSite, visitor: Visitor, large: str
) -> None:
    idle = site.store_connections()
    # More than there are idle connections to take: each of the others opens one.
    count = idle + 6
    busy = []
    # Threads of those that have gone answer those that come after them: there are no more.
    for _ in range(2):
        with ExitStack() as left:
            for _ in range(count):
                connection, answer = visitor.open(large)
                left.callback(connection.close)
                left.callback(answer.close)
                assert answer.read(1)
            busy.append(site.threads())
            assert site.store_connections() >= count
        assert until(lambda: site.store_connections() <= idle), "a connection is still held"
    assert busy[1] <= busy[0], "a thread is still held"
