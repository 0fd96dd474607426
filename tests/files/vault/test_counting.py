"""Downloads by a link, counted: what is killed, stalls or is cut, and how many bytes go out in all.

What comes through the pages is in `tests/files/web/outside/test_links.py`; real threads are in
`tests/integration/test_last_downloads_at_once.py`.
"""

from __future__ import annotations

import random
from datetime import timedelta

import pytest
from django.conf import settings
from django.utils import timezone

from accounts.models import User
from audit.models import AuditEvent
from files.models import Link, LinkDownload
from files.vault import counting
from files.vault.counting import AllReserved, Reservation, UsedUp, Wanted, reserve
from tests.files.test_models import placed

SIZE = 1000

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "STEP", 10)


@pytest.fixture
def link(alice: User) -> Link:
    later = timezone.now() + timedelta(days=1)
    return Link.objects.create(
        file=placed(alice), maker=alice, digest="a" * 64, expires_at=later, most=1
    )


def whole(whose: str = "ann") -> Wanted:
    return part(0, SIZE, whose)


def part(start: int, stop: int, whose: str = "ann") -> Wanted:
    return Wanted("content", whose, SIZE, SIZE, start, stop)


def idle(link: Link) -> None:
    """Nothing was heard of any download for as long as it takes."""
    long_ago = timezone.now() - settings.DOWNLOAD_IDLE - timedelta(minutes=5)
    LinkDownload.objects.filter(link=link).update(seen_at=long_ago)


def test_killed_downloads_cost_what_they_sent_and_little_more(link: Link) -> None:
    for _ in range(5):
        killed = reserve(link.pk, whole())
        assert killed.lets(100)
        with pytest.raises(AllReserved):
            reserve(link.pk, whole("bob"))
        idle(link)
    last = reserve(link.pk, whole())
    link.refresh_from_db()
    assert 5 * 100 <= link.charged - SIZE <= 5 * 125
    assert last.lets(SIZE)
    last.end(SIZE, SIZE)
    link.refresh_from_db()
    assert (link.used, link.state) == (1, "exhausted")


def test_one_that_stands_still_goes_no_further_once_its_rest_was_given_back(link: Link) -> None:
    stalled = reserve(link.pk, whole())
    assert stalled.lets(100)
    idle(link)
    other = reserve(link.pk, whole("bob"))
    assert not stalled.lets(500)
    stalled.end(100, 100)
    link.refresh_from_db()
    assert link.charged == SIZE + 100
    other.end(SIZE, SIZE)
    link.refresh_from_db()
    assert (link.charged, link.used) == (SIZE + 100, 1)


def test_what_can_be_ended_by_nobody_any_more_is_used_up(link: Link) -> None:
    """It has bytes left, and no download that could end with them."""
    for whose in ("ann", "bob"):
        one = reserve(link.pk, part(0, SIZE - 1, whose))
        one.end(SIZE - 1, 500 if whose == "ann" else SIZE - 1)
    link.refresh_from_db()
    assert link.state == "live"  # The second one lacks one byte, and two are left.
    idle(link)
    with pytest.raises(UsedUp):
        reserve(link.pk, whole("eve"))
    link.refresh_from_db()
    assert link.state == "exhausted"
    assert AuditEvent.objects.filter(event="link_exhausted").count() == 1


def test_a_link_without_a_number_notes_nothing_ahead(link: Link) -> None:
    Link.objects.update(most=None)
    one = reserve(link.pk, whole())
    assert one.lets(SIZE)
    assert LinkDownload.objects.values_list("promised", "noted").get() == (0, 0)
    one.end(300, 300)
    link.refresh_from_db()
    assert link.charged == 300


def test_of_a_link_that_is_gone_nothing_is_left(link: Link) -> None:
    with pytest.raises(UsedUp):
        reserve(link.pk + 1, whole())


def test_of_a_link_that_is_used_up_nothing_is_left(link: Link) -> None:
    reserve(link.pk, whole()).end(SIZE, SIZE)
    with pytest.raises(UsedUp):
        reserve(link.pk, whole("bob"))


def test_who_comes_while_all_are_reserved_is_told_how_long_that_may_last(link: Link) -> None:
    reserve(link.pk, whole())
    with pytest.raises(AllReserved) as refused:
        reserve(link.pk, whole("bob"))
    longest = counting.idle_time().total_seconds() + 1
    assert longest - 60 < refused.value.wait <= longest


def test_a_download_lasts_while_any_request_of_it_runs(link: Link) -> None:
    first, second = reserve(link.pk, part(0, 500)), reserve(link.pk, part(500, SIZE))
    first.end(500, 500)
    with pytest.raises(AllReserved):
        reserve(link.pk, whole("bob"))
    second.end(500, 500)
    link.refresh_from_db()
    assert (link.used, link.charged) == (1, SIZE)


def test_what_was_cut_is_gone_on_with_even_from_the_beginning(link: Link) -> None:
    reserve(link.pk, whole()).end(300, 300)
    again = reserve(link.pk, whole())
    assert LinkDownload.objects.get().covered == [[0, 300]]
    again.end(SIZE, SIZE)
    link.refresh_from_db()
    assert link.used == 1


def test_all_of_it_twice_at_once_is_two_downloads(link: Link) -> None:
    Link.objects.update(most=2)
    first, second = reserve(link.pk, whole()), reserve(link.pk, whole())
    assert LinkDownload.objects.count() == 2
    part_of_second = reserve(link.pk, part(0, 500))
    assert LinkDownload.objects.order_by("pk").values_list("running", flat=True)[1] == 2
    for one, length in ((part_of_second, 500), (second, SIZE), (first, SIZE)):
        one.end(length, length)
    link.refresh_from_db()
    assert link.used == 2


@pytest.mark.parametrize("most", [1, None])
def test_a_request_ends_once(link: Link, most: int | None) -> None:
    Link.objects.update(most=most)
    one = reserve(link.pk, whole())
    for _ in range(2):
        one.end(400, 400)
    link.refresh_from_db()
    assert link.charged == 400


@pytest.mark.parametrize("seed", range(4))
def test_however_they_are_cut_killed_and_stalled_the_bytes_are_bounded(
    link: Link, seed: int
) -> None:
    """What goes out in all is at most (count + 1) x size, and what is charged never less."""
    chance = random.Random(seed)  # noqa: S311 - it chooses what happens.
    sent, running = 0, list[tuple[Reservation, Wanted, int]]()
    for number in range(60):
        act = chance.choice(("begin", "begin", "send", "send", "send", "end", "kill", "idle"))
        if act == "begin":
            start, stop = sorted(chance.sample(range(SIZE + 1), 2))
            wanted = part(start, stop, f"client {chance.randrange(4)}")
            if chance.random() < 0.3:
                wanted = whole(f"client {number}")
            try:
                running.append((reserve(link.pk, wanted), wanted, 0))
            except (AllReserved, UsedUp):
                continue
        elif act == "idle":
            idle(link)
        elif running:
            one, wanted, handed = running.pop(chance.randrange(len(running)))
            if act == "send":
                more = chance.randint(1, 200)
                more = min(more, wanted.stop - wanted.start - handed)
                if one.lets(handed + more):
                    sent += more
                    running.append((one, wanted, handed + more))
                else:
                    one.end(handed, handed)
            elif act == "end":
                one.end(handed, handed)
        link.refresh_from_db()
        assert sent <= link.charged <= 2 * SIZE
        rows = LinkDownload.objects.filter(link=link)
        assert all(row.promised >= row.noted >= 0 for row in rows)
    for one, _, handed in running:
        one.end(handed, handed)
    link.refresh_from_db()
    assert sent <= link.charged
