"""How the database gets at what a page shows: by indexes, and by nothing that grows with the rest.

On SQLite, whose plans are the same however much there is. PostgreSQL decides by what there is:
tests/integration/test_plans_postgresql.py counts the rows that it reads.
"""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from benchmarks.population import Population, populate
from files import access
from files.access import Person, access_of
from files.lists import paging
from files.models import FileRecord

pytestmark = pytest.mark.skipif(
    connection.vendor != "sqlite", reason="PostgreSQL plans by the number of rows"
)


@pytest.fixture
def population(db: None, monkeypatch: pytest.MonkeyPatch) -> Population:
    monkeypatch.setattr(paging, "WALKED", 20)
    return populate(100)


def plan_of(captured: CaptureQueriesContext) -> list[str]:
    """The steps of all queries, as SQLite puts them."""
    steps = []
    for query in captured.captured_queries:
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN QUERY PLAN {query['sql']}")
            steps += [detail for *_, detail in cursor.fetchall()]
    return steps


def assert_by_index(captured: CaptureQueriesContext) -> None:
    plan = plan_of(captured)
    assert plan
    for step in plan:
        # Groups are few; the index of names is a table that SQLite always calls scanned.
        few = step.startswith("SCAN auth_group") or "VIRTUAL TABLE INDEX" in step
        assert few or not step.startswith("SCAN"), plan


@pytest.mark.parametrize("who", ["owner", "reader", "newcomer"])
@pytest.mark.parametrize("query", ["", "pdf", "0000007", "nothing", "qz", "report pdf"])
@pytest.mark.parametrize("deep", [False, True])
def test_a_page_is_read_by_indexes(
    population: Population, who: str, query: str, deep: bool
) -> None:
    user = User.objects.get(username=who)
    cursor = paging._encode(population.middle_place) if deep else ""
    with CaptureQueriesContext(connection) as captured:
        paging.page_of(user, query=query, cursor=cursor, length=5)
    assert_by_index(captured)


@pytest.mark.parametrize("who", ["owner", "reader", "newcomer"])
def test_what_a_page_is_made_of_is_merged_and_never_sorted(
    population: Population, who: str
) -> None:
    """Sorting would take all that there is; a merge stops when it has enough."""
    user = User.objects.get(username=who)
    plan = paging.newest_places(user, before=2**62, at_most=5).explain()
    assert "MERGE (UNION)" in plan
    assert "TEMP B-TREE" not in plan
    assert "SCAN" not in plan


def test_the_index_of_names_is_what_finds_a_rare_name(population: Population) -> None:
    owner = User.objects.get(pk=population.owner)
    with CaptureQueriesContext(connection) as captured:
        page = paging.page_of(owner, query="0000007", length=5)
    assert [record.pk for record in page.records] == list(
        FileRecord.objects.filter(name__contains="0000007").values_list("pk", flat=True)
    )
    assert any("files_name_index VIRTUAL TABLE" in step for step in plan_of(captured))


@pytest.mark.parametrize("who", ["owner", "reader", "newcomer"])
def test_one_file_is_found_by_indexes(population: Population, who: str) -> None:
    """The newest has many grants, of which none is theirs."""
    user = User.objects.get(username=who)
    for pk in (population.newest, population.oldest):
        with CaptureQueriesContext(connection) as captured:
            record = FileRecord.objects.filter(pk=pk).first()
            assert record is not None
            access_of(Person(user), record)
            access.visible_to(Person(user)).filter(pk=pk).first()
            access.managed_by(Person(user)).filter(pk=pk).first()
            list(record.grants.select_related("user", "group", "granted_by")[:5])
        assert_by_index(captured)
        assert not any("V0 USING INDEX grant_file" in step for step in plan_of(captured))
