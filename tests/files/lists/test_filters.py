"""Filters: what they keep in any list, page by page, and how much a page looks at for it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoAssertNumQueries

from accounts.models import User
from benchmarks.population import populate
from files.access.principals import Person
from files.lists import contents, filters, paging, recent, shared
from files.lists.contents import Order
from files.lists.filters import EVERYTHING, KINDS, Facts, Filter
from files.lists.rows import Page
from files.models import FileRecord, Folder, Grant
from files.models.stored_objects import Custody
from files.records.pictures import Picture
from files.vault import recent as remembered
from tests.files import trees
from tests.files.lists.pages import every_page
from tests.files.test_models import placed
from tests.files.test_plans import assert_by_index

Give = Callable[..., Grant]
PDF, HELD = "application/pdf", Custody.HELD


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({}, EVERYTHING),
        ({"kind": "pdf", "whose": "mine", "locked": "1"}, Filter("pdf", "mine", True)),
        ({"kind": "folder"}, Filter("folder")),
        ({"kind": "PDF", "whose": "bob", "locked": "yes"}, EVERYTHING),
        ({"kind": "", "whose": "", "locked": ""}, EVERYTHING),
    ],
)
def test_an_address_says_what_is_kept_and_anything_else_is_nothing(
    data: dict[str, str], expected: Filter
) -> None:
    found = Filter.of(data)
    assert found == expected
    assert found.is_set is (expected != EVERYTHING)
    assert Filter.of(found.parameters) == found


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_file_is_of_one_kind_alone(kind: str) -> None:
    ends = {
        **{"pdf": "a.pdf", "image": "a.png", "audio": "a.mp3", "video": "a.mp4", "text": "a.txt"},
        **{"document": "a.odt", "sheet": "a.csv", "slides": "a.pptx", "archive": "a.zip"},
        "other": "a.xyzzy",
    }
    assert {*ends} == {*Picture}
    kept = [
        picture
        for picture, name in ends.items()
        if Filter(kind).keeps_file(Facts("application/octet-stream", name, "managed", 1), 1)
    ]
    assert kept == ([] if kind == "folder" else [kind])
    assert Filter(kind).keeps_folder(1, 1) is (kind == "folder")


def test_no_folder_is_locked() -> None:
    assert not Filter(locked=True).keeps_folder(1, 1)
    assert not Filter("folder", locked=True).has_folders


@pytest.fixture
def case(alice: User, bob: User, give: Give) -> Folder:
    """A folder of Alice's that Bob adds to: of each something that a filter tells apart."""
    case = trees.folder(alice, "Case")
    give(case, bob, level="add")
    trees.folder(alice, "Case", "by alice")
    Folder.objects.filter(pk=trees.folder(alice, "Case", "by bob").pk).update(added_by=bob)
    placed(alice, case, name="a.pdf", content_type=PDF)
    placed(alice, case, name="b.pdf", content_type=PDF, custody=HELD)
    placed(bob, case, name="c.pdf", content_type=PDF)
    placed(bob, case, name="d.txt", content_type="text/plain", custody=HELD)
    # As a release before folders left it: nobody in particular uploaded it.
    placed(alice, case, name="e.png", uploaded_by=None)
    return case


def names(page_after: Callable[[str], Page], length: int) -> list[str]:
    found = every_page(page_after, at_most=40)
    assert all(len(page.rows) <= length for page in found)
    assert all(page.is_cut <= bool(page.next_cursor) for page in found)
    return [row.item.name for page in found for row in page.rows]


OF_THE_CASE = [
    (Filter("pdf"), {"a.pdf", "b.pdf", "c.pdf"}),
    (Filter("folder"), {"by alice", "by bob"}),
    (Filter(locked=True), {"b.pdf", "d.txt"}),
    (Filter("pdf", locked=True), {"b.pdf"}),
    (Filter("image"), {"e.png"}),
    (Filter("video"), set()),
    (Filter(whose="mine"), {"by alice", "a.pdf", "b.pdf", "e.png"}),
    (Filter(whose="shared"), {"by bob", "c.pdf", "d.txt"}),
    (Filter("pdf", "shared"), {"c.pdf"}),
]


@pytest.mark.parametrize("looked_at", [1, 3, 2000])
@pytest.mark.parametrize("sort", ["name", "-name", "size", "-time"])
def test_a_folder_is_filtered_in_its_order_whatever_a_page_looks_at(
    alice: User, case: Folder, monkeypatch: pytest.MonkeyPatch, looked_at: int, sort: str
) -> None:
    monkeypatch.setattr(contents, "LOOKED_AT", looked_at)
    order = Order.of(sort)
    assert order is not None

    def listed(keep: Filter, length: int) -> list[str]:
        return names(
            lambda cursor: contents.page_of(
                Person(alice), case, order=order, cursor=cursor, length=length, keep=keep
            ),
            length,
        )

    everything = listed(EVERYTHING, 50)
    assert len(everything) == 7
    for keep, expected in OF_THE_CASE:
        for length in (1, 2, 50):
            assert listed(keep, length) == [name for name in everything if name in expected]


def test_a_page_that_came_to_its_bound_says_so(
    alice: User, case: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contents, "LOOKED_AT", 3)
    keep = Filter("image")
    page = contents.page_of(Person(alice), case, order=Order(), length=5, keep=keep)
    assert (page.rows, page.is_cut) == ([], True)
    assert page.next_cursor


@pytest.mark.parametrize(("looked_at", "length"), [(1, 1), (2, 50), (500, 1), (500, 50)])
@pytest.mark.parametrize("down", [True, False])
def test_what_was_shared_is_filtered(
    alice: User,
    bob: User,
    case: Folder,
    give: Give,
    monkeypatch: pytest.MonkeyPatch,
    looked_at: int,
    length: int,
    down: bool,
) -> None:
    monkeypatch.setattr(shared, "GRANTS_LOOKED_AT", looked_at)
    give(placed(alice, name="1.pdf", content_type=PDF), bob)
    give(placed(alice, name="2.txt", content_type="text/plain"), bob)
    give(placed(alice, name="3.pdf", content_type=PDF, custody=HELD), bob)

    def listed(keep: Filter) -> set[str]:
        found = names(
            lambda cursor: shared.page_of(
                Person(bob), down=down, cursor=cursor, length=length, keep=keep
            ),
            length,
        )
        assert len(found) == len(set(found))
        return set(found)

    assert listed(EVERYTHING) == {"Case", "1.pdf", "2.txt", "3.pdf"}
    assert listed(Filter("pdf")) == {"1.pdf", "3.pdf"}
    assert listed(Filter("folder")) == {"Case"}
    assert listed(Filter(locked=True)) == {"3.pdf"}
    assert listed(Filter("video")) == set()


@pytest.mark.parametrize("looked_at", [1, 500])
def test_what_is_recent_is_filtered(
    alice: User, bob: User, give: Give, monkeypatch: pytest.MonkeyPatch, looked_at: int
) -> None:
    monkeypatch.setattr(recent, "GRANTS_LOOKED_AT", looked_at)
    own = placed(alice, name="own.pdf", content_type=PDF)
    given = placed(bob, name="given.pdf", content_type=PDF)
    give(given, alice)
    placed(alice, name="unseen.pdf", content_type=PDF)
    other = placed(alice, name="own.txt", content_type="text/plain")
    for record in (own, given, other):
        remembered.note(alice.pk, [record.pk], remembered.Way.OPENED)

    def listed(keep: Filter) -> list[str]:
        return names(
            lambda cursor: recent.page_of(Person(alice), cursor=cursor, length=1, keep=keep), 1
        )

    assert listed(EVERYTHING) == ["own.txt", "given.pdf", "own.pdf"]
    assert listed(Filter("pdf")) == ["given.pdf", "own.pdf"]
    assert listed(Filter("pdf", "mine")) == ["own.pdf"]
    assert listed(Filter(whose="shared")) == ["given.pdf"]


@pytest.mark.parametrize("walked", [1, 3, 1000])
@pytest.mark.parametrize("merged", [0, 100])
@pytest.mark.parametrize("query", ["x", "xyz", ""])
def test_a_search_is_filtered(
    alice: User,
    bob: User,
    give: Give,
    monkeypatch: pytest.MonkeyPatch,
    walked: int,
    merged: int,
    query: str,
) -> None:
    monkeypatch.setattr(paging, "WALKED", walked)
    monkeypatch.setattr(paging, "MERGED_FOLDERS", merged)
    own = trees.folder(alice, "xyz of alice")
    placed(alice, own, name="1 xyz.pdf", content_type=PDF)
    placed(alice, name="2 xyz.txt", content_type="text/plain", custody=HELD)
    placed(alice, name="3 other.zip", content_type="application/zip")
    given = placed(bob, name="4 xyz.pdf", content_type=PDF)
    give(given, alice)

    def listed(keep: Filter, within: Folder | None = None) -> list[str]:
        return names(
            lambda cursor: paging.page_of(
                alice, query=query, cursor=cursor, length=2, keep=keep, within=within
            ),
            22,
        )

    assert listed(Filter("pdf")) == ["4 xyz.pdf", "1 xyz.pdf"]
    assert listed(Filter("pdf", "mine")) == ["1 xyz.pdf"]
    assert listed(Filter(locked=True)) == ["2 xyz.txt"]
    assert listed(Filter("video")) == []
    assert listed(Filter("pdf"), own) == ["1 xyz.pdf"]
    if query:
        assert listed(Filter("folder")) == ["xyz of alice"]
        assert listed(Filter("folder", "shared")) == []
        assert listed(Filter(whose="mine")) == ["xyz of alice", "2 xyz.txt", "1 xyz.pdf"]


@pytest.mark.parametrize("keep", [Filter("pdf"), Filter(whose="shared"), Filter(locked=True)])
def test_the_number_of_queries_does_not_depend_on_what_there_is(
    alice: User,
    bob: User,
    case: Folder,
    give: Give,
    keep: Filter,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    for number in range(30):
        record = placed(alice, case, name=f"{number}.pdf", content_type=PDF)
        give(record, bob)
        remembered.note(bob.pk, [record.pk], remembered.Way.OPENED)
    for length in (2, 40):
        with django_assert_max_num_queries(4):
            contents.page_of(Person(bob), case, order=Order(), length=length, keep=keep)
        with django_assert_max_num_queries(7):
            shared.page_of(Person(bob), length=length, keep=keep)
        with django_assert_max_num_queries(2):
            recent.page_of(Person(bob), length=length, keep=keep)
        with django_assert_max_num_queries(12):
            paging.page_of(bob, query="pdf", length=length, keep=keep)


@pytest.mark.parametrize("sort", ["name", "-name", "size", "-size", "time", "-time"])
@pytest.mark.parametrize("deep", [False, True])
@pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL plans by what there is")
def test_a_filtered_folder_is_read_by_its_index_and_never_sorted(
    alice: User, case: Folder, sort: str, deep: bool
) -> None:
    order = Order.of(sort)
    assert order is not None
    who, keep = Person(alice), Filter(locked=True)
    first = contents.page_of(who, case, order=order, length=3)
    cursor = first.next_cursor if deep else ""
    with CaptureQueriesContext(connection) as captured:
        contents.page_of(who, case, order=order, cursor=cursor, length=3, keep=keep)
    assert_by_index(captured)
    with connection.cursor() as database:
        database.execute(f"EXPLAIN QUERY PLAN {captured.captured_queries[0]['sql']}")
        proposing = [detail for *_, detail in database.fetchall()]
    assert not any("TEMP B-TREE" in step for step in proposing), proposing
    if deep:
        assert any(">" in step or "<" in step for step in proposing), proposing


@pytest.mark.parametrize("who", ["owner", "reader", "newcomer"])
@pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL plans by what there is")
def test_a_filtered_search_is_read_by_indexes(
    db: None, monkeypatch: pytest.MonkeyPatch, who: str
) -> None:
    # Where a list of ids is as long as a table, SQLite reads the table.
    monkeypatch.setattr(shared, "GRANTS_LOOKED_AT", 5)
    monkeypatch.setattr(recent, "GRANTS_LOOKED_AT", 5)
    monkeypatch.setattr(paging, "WALKED", 20)
    populate(100)
    user = User.objects.get(username=who)
    for query in ("pdf", "0000007", "qz"):
        with CaptureQueriesContext(connection) as captured:
            paging.page_of(user, query=query, length=5, keep=Filter("pdf"))
        assert_by_index(captured)
    with CaptureQueriesContext(connection) as captured:
        shared.page_of(Person(user), length=5, keep=Filter("pdf"))
        recent.page_of(Person(user), length=5, keep=Filter("pdf"))
    assert_by_index(captured)


def test_a_filter_keeps_nothing_that_is_nobodys_to_see(
    alice: User, mallory: User, case: Folder
) -> None:
    page = contents.page_of(
        Person(mallory), case, order=Order(), length=50, keep=Filter(locked=True)
    )
    assert page.rows == []
    found = paging.page_of(mallory, query="pdf", length=50, keep=Filter("pdf"))
    assert found.rows == []
    assert FileRecord.objects.filter(folder=case).count() == 5


def test_a_page_looks_at_no_more_than_its_bound() -> None:
    assert filters.LOOKED_AT <= 2000
    assert filters.GRANTS_LOOKED_AT <= 500
