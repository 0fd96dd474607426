"""PostgreSQL: how many rows a page costs where there are many, and what a name's index needs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from typing import Any

import pytest
from django.core.management.base import CommandError
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoDbBlocker

from accounts.models import User
from benchmarks.population import Population, populate
from files.access import rule
from files.access.explaining import access_of
from files.access.principals import Person
from files.lists import contents, paging, recent, shared
from files.lists.contents import Order
from files.lists.filters import Filter
from files.models import FileRecord, Folder, StoredObject
from tests.audit.databases import as_default
from tests.integration.postgresql import server

SIZE = 20_000
MOST = 5_000
"""Rows that a step may read: of a table as small as that of the folders here, all of it; of the one
page that memberships fill, all of it for each row of a search."""
BOUND = 100
"""Files that a search walks through, and files that the index of names proposes, at most."""


@pytest.fixture(scope="module")
def population(django_db_blocker: DjangoDbBlocker) -> Iterator[Population]:
    """A filled database on a server of its own, as the default one."""
    with (
        server(migrated=True) as configuration,
        django_db_blocker.unblock(),
        as_default(configuration),
    ):
        yield populate(SIZE)


@pytest.fixture
def bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages and searches look at few files, so that what grows with all of them shows."""
    monkeypatch.setattr(paging, "WALKED", BOUND)
    monkeypatch.setattr(paging, "PROPOSED", BOUND)
    monkeypatch.setattr(paging, "FOLDERS_NAMED", BOUND)
    # Of more PostgreSQL might rather sort the few thousand files that the largest folder here has.
    monkeypatch.setattr(contents, "LOOKED_AT", BOUND // 2)
    monkeypatch.setattr(shared, "GRANTS_LOOKED_AT", BOUND)
    monkeypatch.setattr(recent, "GRANTS_LOOKED_AT", BOUND)


def most_rows(work: Callable[[], object]) -> int:
    """The rows that the busiest step of its queries reads."""
    with CaptureQueriesContext(connection) as captured:
        work()
    most = 0
    for query in captured.captured_queries:
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {query['sql']}")
            [[plans]] = cursor.fetchall()
        [found] = json.loads(plans) if isinstance(plans, str) else plans
        most = max(most, _busiest(found["Plan"]))
    return most


def _busiest(node: dict[str, Any]) -> int:
    names = ("Actual Rows", "Rows Removed by Filter", "Rows Removed by Index Recheck")
    here = sum(int(node.get(name, 0)) for name in names) * int(node["Actual Loops"])
    return max([here, *(_busiest(child) for child in node.get("Plans", []))])


@pytest.mark.parametrize("who", ["owner", "reader", "newcomer"])
def test_no_page_reads_more_than_its_bounds(
    population: Population, bounded: None, who: str
) -> None:
    user = User.objects.get(username=who)
    deep = paging._encode(population.middle_place)
    for cursor in ("", deep):
        page = partial(paging.page_of, user, cursor=cursor, length=50)
        assert most_rows(page) <= MOST, (who, cursor)


@pytest.mark.parametrize("who", ["owner", "reader", "newcomer"])
def test_no_search_reads_more_than_its_bounds(
    population: Population, bounded: None, who: str
) -> None:
    user = User.objects.get(username=who)
    deep = paging._encode(population.middle_place)
    for query in ("pdf", "0012345", "nothing", "qz", "report pdf", "---"):
        for cursor in ("", deep):
            page = partial(paging.page_of, user, query=query, cursor=cursor, length=50)
            assert most_rows(page) <= MOST, (who, query, cursor)


@pytest.mark.parametrize("who", ["owner", "reader", "newcomer"])
def test_one_file_costs_no_more_for_its_many_grants(population: Population, who: str) -> None:
    user = User.objects.get(username=who)

    def look() -> None:
        record = FileRecord.objects.get(pk=population.newest)
        access_of(Person(user), record)
        rule.visible_to(Person(user)).filter(pk=record.pk).first()
        rule.managed_by(Person(user)).filter(pk=record.pk).first()
        list(record.grants.select_related("user", "group", "granted_by")[:100])

    assert most_rows(look) <= MOST


@pytest.mark.parametrize("who", ["owner", "reader", "newcomer", "joiner", "guest"])
def test_one_folder_costs_no_more_for_what_is_in_it_or_its_grants(
    population: Population, who: str
) -> None:
    person = Person(User.objects.get(username=who))
    folders = [
        Folder.objects.get(pk=pk)
        for pk in (population.big, population.tree, population.granted, population.deepest)
    ]

    def look() -> None:
        for folder in folders:
            access_of(person, folder)
            for part in (rule.folders_visible_to, rule.addable_by, rule.folders_managed_by):
                part(person).filter(pk=folder.pk).first()
            rule.covered_by_one_grant(person, folder, folders[0])

    assert most_rows(look) <= MOST


def test_a_folder_that_thousands_may_open_is_as_quick_for_everybody_else(
    population: Population,
) -> None:
    """Whoever comes by a group is not looked for among people."""
    person = Person(User.objects.get(username="joiner"))
    folder = Folder.objects.get(pk=population.granted)
    assert folder.grants.count() > (most := SIZE // 20)

    def look() -> None:
        for part in (rule.folders_visible_to, rule.addable_by, rule.folders_managed_by):
            part(person).filter(pk=folder.pk).first()

    assert most_rows(look) < most


def test_what_has_ended_is_not_looked_for_among_all_that_counts(population: Population) -> None:
    record = FileRecord.objects.get(pk=population.newest)
    assert record.grants.count() > SIZE // 20
    page = record.grants.ended().select_related("user", "group", "granted_by")[:100]
    assert most_rows(lambda: list(page)) < SIZE // 20


@pytest.mark.parametrize("who", ["owner", "reader", "newcomer"])
def test_no_filtered_page_reads_more_than_its_bounds(
    population: Population, bounded: None, who: str
) -> None:
    """What is looked at; that each row is then asked of the rule costs a page of any kind so."""
    user = User.objects.get(username=who)
    person, big = Person(user), Folder.objects.get(pk=population.big)
    for keep in (Filter("pdf"), Filter("video"), Filter(locked=True), Filter(whose="shared")):
        for sort in ("name", "-name", "size", "-size", "time", "-time"):
            order = Order.of(sort)
            assert order is not None
            page = partial(contents.page_of, person, big, order=order, length=20, keep=keep)
            assert most_rows(page) <= MOST, (who, keep, sort)
        for list_of in (shared, recent):
            page = partial(list_of.page_of, person, length=20, keep=keep)
            assert most_rows(page) <= MOST, (who, keep, list_of)
        if who == "newcomer":  # Of others, folders by name: see above.
            page = partial(paging.page_of, user, query="report pdf", length=20, keep=keep)
            assert most_rows(page) <= MOST, (who, keep)


def test_a_rare_name_is_found_by_trigrams(population: Population) -> None:
    owner = User.objects.get(pk=population.owner)
    found = FileRecord.objects.filter(plain_name__contains="0012345").order_by("-place")
    assert "filerecord_plain_names" in found.explain()
    page = paging.page_of(owner, query="0012345", length=50)
    assert page.records == list(found)
    assert len(page.records) == 1


def test_a_role_that_may_not_make_the_extension_is_told_what_to_do(
    population: Population,
) -> None:
    migration = import_module("files.migrations.0009_names_and_usage")
    with connection.cursor() as cursor:
        cursor.execute("CREATE ROLE stranger LOGIN")
        cursor.execute("CREATE DATABASE bare TEMPLATE template0")
    configuration = {**connection.settings_dict, "NAME": "bare", "USER": "stranger"}
    refused = pytest.raises(CommandError, match="CREATE EXTENSION pg_trgm")
    with as_default(configuration), connection.schema_editor() as editor, refused:
        migration._create_trigrams(editor)


def test_the_migrations_can_be_taken_back_and_made_again(
    django_db_blocker: DjangoDbBlocker,
) -> None:
    """On a server of its own: what is in folders is in its owner's root afterwards."""
    with (
        server(migrated=True) as configuration,
        django_db_blocker.unblock(),
        as_default(configuration),
    ):
        population = populate(2_000)
        some = StoredObject.objects.filter(pk__lte=StoredObject.objects.earliest("pk").pk + 9)
        some.update(past_master_key_ids=" second first ")
        newest = MigrationExecutor(connection).loader.graph.leaf_nodes()
        for targets in ([("files", "0006_download_session")], newest):
            MigrationExecutor(connection).migrate(targets)
        owner = User.objects.get(pk=population.owner)
        assert len(paging.page_of(owner, query="0001234", length=50).records) == 1
        assert StoredObject.objects.filter(past_master_key_ids=" second first ").count() == 10
        assert not FileRecord.objects.exclude(folder__parent=None).exists()
        with connection.cursor() as cursor:
            cursor.execute("SELECT reloptions FROM pg_class WHERE relname = 'files_storedobject'")
            assert cursor.fetchall() == [(["fillfactor=50"],)]
