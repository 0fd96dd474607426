"""How the database gets at what a page shows: by indexes, and by nothing that grows with the rest.

On SQLite, whose plans are the same however much there is. PostgreSQL decides by what there is:
tests/integration/test_plans_postgresql.py counts the rows that it reads.
"""

from __future__ import annotations

from itertools import product

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import User
from benchmarks.population import Population, populate
from files.access import rule
from files.access.explaining import access_of
from files.access.principals import Person
from files.folders import moving, trash
from files.lists import paging
from files.models import FileRecord, Folder
from files.sharing.effective_access import explain_readers

pytestmark = pytest.mark.skipif(
    connection.vendor != "sqlite", reason="PostgreSQL plans by the number of rows"
)


@pytest.fixture
def population(db: None, monkeypatch: pytest.MonkeyPatch) -> Population:
    monkeypatch.setattr(paging, "WALKED", 20)
    return populate(100)


def plan_of(captured: CaptureQueriesContext, about: str = "") -> list[str]:
    """The steps of all queries, or those with that in them, as SQLite puts them."""
    steps = []
    for query in captured.captured_queries:
        if about not in query["sql"]:
            continue
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN QUERY PLAN {query['sql']}")
            steps += [detail for *_, detail in cursor.fetchall()]
    return steps


FEW = ("SCAN auth_group", "SCAN (subquery", "SCAN qualify", "SCAN audit_auditevent USING INDEX")
"""Groups are few, as is what a subquery has found; and of the log it is the end that is read."""


def assert_by_index(captured: CaptureQueriesContext, about: str = "") -> None:
    plan = plan_of(captured, about)
    assert plan
    for step in plan:
        # The index of names is a table that SQLite always calls scanned.
        few = step.startswith(FEW) or "VIRTUAL TABLE INDEX" in step
        assert few or not step.startswith("SCAN"), plan


def test_a_page_is_read_by_indexes(population: Population) -> None:
    people = ("owner", "reader", "newcomer")
    queries = ("", "pdf", "0000007", "nothing", "qz", "report pdf")
    cursors = ("", paging._encode(population.middle_place))
    for who, query, cursor in product(people, queries, cursors):
        user = User.objects.get(username=who)
        with CaptureQueriesContext(connection) as captured:
            paging.page_of(user, query=query, cursor=cursor, length=5)
        assert_by_index(captured)


def test_what_a_page_is_made_of_is_merged_and_never_sorted(population: Population) -> None:
    """Sorting would take all that there is; a merge stops when it has enough."""
    for who in ("owner", "reader", "newcomer"):
        user = User.objects.get(username=who)
        plan = paging.newest_places(user, before=2**62, at_most=5).explain()
        assert "MERGE (UNION)" in plan, who
        assert "TEMP B-TREE" not in plan, who
        assert "SCAN" not in plan, who


def test_the_index_of_names_is_what_finds_a_rare_name(population: Population) -> None:
    owner = User.objects.get(pk=population.owner)
    with CaptureQueriesContext(connection) as captured:
        page = paging.page_of(owner, query="0000007", length=5)
    assert [record.pk for record in page.records] == list(
        FileRecord.objects.filter(name__contains="0000007").values_list("pk", flat=True)
    )
    assert any("files_name_index VIRTUAL TABLE" in step for step in plan_of(captured))


def test_one_file_is_found_by_indexes(population: Population) -> None:
    """The newest has many grants, of which none is theirs."""
    people = ("owner", "reader", "newcomer")
    for who, pk in product(people, (population.newest, population.oldest)):
        user = User.objects.get(username=who)
        with CaptureQueriesContext(connection) as captured:
            record = FileRecord.objects.filter(pk=pk).first()
            assert record is not None
            access_of(Person(user), record)
            rule.visible_to(Person(user)).filter(pk=pk).first()
            rule.managed_by(Person(user)).filter(pk=pk).first()
            list(record.grants.select_related("user", "group", "granted_by")[:5])
        assert_by_index(captured)
        assert not any("V0 USING INDEX grant_file" in step for step in plan_of(captured))


def test_one_folder_is_found_by_indexes(population: Population) -> None:
    """One holds a fifth of all files, one was granted very often, one is as deep as can be."""
    people = ("owner", "reader", "newcomer", "joiner", "guest")
    folders = (population.big, population.tree, population.granted, population.deepest)
    tree = Folder.objects.get(pk=population.tree)
    for who, pk in product(people, folders):
        person = Person(User.objects.get(username=who))
        folder = Folder.objects.get(pk=pk)
        with CaptureQueriesContext(connection) as captured:
            access_of(person, folder)
            for part in (
                rule.folders_visible_to,
                rule.addable_by,
                rule.folders_managed_by,
                rule.folders_removable_by,
            ):
                part(person).filter(pk=pk).first()
            rule.covered_by_one_grant(person, folder, tree)
        assert_by_index(captured)


def test_why_somebody_reads_a_file_is_found_by_indexes(population: Population) -> None:
    record = FileRecord.objects.get(pk=population.oldest)
    for who in ("owner", "joiner", "guest"):
        user = User.objects.get(username=who)
        with CaptureQueriesContext(connection) as captured:
            explain_readers(record, [user], now=timezone.now(), live=True)
        # Not who may use the function at all, which is read from accounts and groups.
        assert_by_index(captured, about="files_")


def test_a_tree_is_moved_and_put_away_by_indexes(population: Population) -> None:
    owner = User.objects.get(pk=population.owner)
    tree = Folder.objects.select_related("owner").get(pk=population.tree)
    big = Folder.objects.select_related("owner").get(pk=population.big)
    with CaptureQueriesContext(connection) as captured:
        moving.move(tree, big, by=Person(owner), actor=owner)
        trash.put_away(tree, by=Person(owner), actor=owner)
    assert_by_index(captured)
