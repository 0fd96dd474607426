"""The administration takes any address: what makes no sense is refused or left out, in words."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group
from django.db import models
from django.test import Client
from django.urls import reverse

from accounts.models import User
from files.models import FileRecord, Grant
from tests.files.test_models import filed

JUNK = (
    "junk",
    "\0",
    "-1",
    "9" * 30,
    "2026-13-45",
    "99999-01-01T00:00",
    "'\"<b>",
    "",
    "1,junk",
    "é",
)
admin.autodiscover()
MODELS = sorted(admin.site._registry, key=lambda model: model._meta.label)
LOOKUPS = ("", "__exact", "__in", "__gte", "__isnull", "__year", "__range", "__regex", "__nonsense")

depth = pytest.mark.parametrize(
    "thorough", [False, pytest.param(True, marks=pytest.mark.soak)], ids=["some", "all"]
)
OFTEN = {"files.FileRecord", "accounts.User"}
"""What functional tests try in each run; the others are tried among the integration tests."""
each_model = pytest.mark.parametrize(
    "model",
    [
        pytest.param(
            one,
            id=one._meta.label,
            marks=[] if one._meta.label in OFTEN else pytest.mark.integration,
        )
        for one in MODELS
    ],
)


@pytest.fixture
def record(alice: User) -> FileRecord:
    return filed(alice)


@pytest.fixture
def staff(client: Client, root: User, record: FileRecord) -> Client:
    Grant.objects.create(file=record, user=root)
    client.force_login(root)
    return client


def tries(names: Iterable[str], *, thorough: bool) -> list[tuple[str, str]]:
    """Every name with every junk, or each with one of them in turn."""
    if thorough:
        return list(product(names, JUNK))
    return [(name, JUNK[number % len(JUNK)]) for number, name in enumerate(names)]


def page(model: Any, name: str, *arguments: Any) -> str:
    meta = model._meta
    return reverse(f"admin:{meta.app_label}_{meta.model_name}_{name}", args=arguments)


def has(model: Any, name: str) -> bool:
    return (
        model._meta.label not in {"files.MasterKey", "files.AccessRequest"} or name == "changelist"
    )


@depth
@each_model
def test_a_link_that_fills_a_form_in_with_nonsense_opens_it(
    staff: Client, model: Any, thorough: bool
) -> None:
    if not has(model, "add"):
        return
    names = [field.name for field in model._meta.get_fields()] + ["nonsense", "_to_field"]
    both = [*names, *(f"{name}_0" for name in names)] if thorough else names
    for name, junk in tries(both, thorough=thorough):
        answer = staff.get(page(model, "add"), {name: junk})
        # No such page for this model; a reference to a field that must not be one.
        assert answer.status_code in {200, 302, 400, 403}, (name, junk)
    answer = staff.get(page(model, "add"), dict.fromkeys(names[:-1], "junk"))
    assert answer.status_code in {200, 302, 403}


def test_what_made_no_sense_is_said_and_the_rest_is_filled_in(staff: Client, root: User) -> None:
    given: dict[str, Any] = {
        "expires_at": "soon",
        "user": root.pk,
        "level": "manage",
        "starts_at": "2030-01-01",
    }
    answer = staff.get(page(Grant, "add"), given)
    assert "no value for “expires_at” that makes sense" in answer.content.decode()
    initial = answer.context["adminform"].form.initial
    assert (initial["user"], initial["level"]) == (root.pk, "manage")
    assert initial["starts_at"].year == 2030
    assert "expires_at" not in initial


@depth
@each_model
def test_a_list_takes_any_filter_and_any_page(staff: Client, model: Any, thorough: bool) -> None:
    lookups = LOOKUPS if thorough else ("", "__gte", "__range")
    fields = [field.name for field in model._meta.get_fields()]
    names = [f"{field}{lookup}" for field in fields for lookup in lookups]
    for name, junk in tries(names if thorough else names[::2], thorough=thorough):
        answer = staff.get(page(model, "changelist"), {name: junk})
        assert answer.status_code in {200, 302, 400}, (name, junk)
    others = ("p", "o", "q", "e", "all", "_popup", "_to_field", "_changelist_filters", "_facets")
    for name, junk in tries(others, thorough=thorough):
        answer = staff.get(page(model, "changelist"), {name: junk}, follow=True)
        assert answer.status_code in {200, 400}, (name, junk)


@depth
@each_model
def test_a_page_of_a_row_takes_any_id_and_any_parameter(
    staff: Client, model: Any, thorough: bool
) -> None:
    if not has(model, "change"):
        return
    row = model._default_manager.first()
    names = ("change", "delete", "history")
    for name, junk in tries(names, thorough=thorough):
        if junk and "\0" not in junk:
            answer = staff.get(page(model, name, junk))
            assert answer.status_code in {200, 302, 403, 404}, (name, junk)
    parameters = ("_to_field", "_popup", "_changelist_filters", "p", "nonsense")
    for name in names if row is not None else ():
        for parameter, junk in tries(parameters, thorough=thorough):
            answer = staff.get(page(model, name, row.pk), {parameter: junk})
            assert answer.status_code in {200, 302, 400, 403, 404}, (name, parameter, junk)


@depth
@each_model
def test_a_form_takes_any_value(staff: Client, model: Any, thorough: bool) -> None:
    if not has(model, "add"):
        return
    for junk in JUNK if thorough else ("", "9" * 30, "1,junk"):
        fields = [field for field in model._meta.get_fields() if isinstance(field, models.Field)]
        form = {name: junk for field in fields for name in (field.name, f"{field.name}_0")}
        answer = staff.post(page(model, "add"), {**form, "_save": "Save"})
        assert answer.status_code in {200, 302, 400, 403}, junk
        chosen = {"action": junk, "_selected_action": [junk, "1"], "index": junk}
        answer = staff.post(page(model, "changelist"), chosen)
        assert answer.status_code in {200, 302, 403}, junk


@pytest.mark.parametrize("field", ["app_label", "model_name", "field_name", "term", "page"])
def test_completions_take_any_question(staff: Client, field: str) -> None:
    good = {"app_label": "files", "model_name": "grant", "field_name": "user", "term": "al"}
    assert staff.get(reverse("admin:autocomplete"), good).status_code == 200
    for junk in JUNK:
        answer = staff.get(reverse("admin:autocomplete"), {**good, field: junk})
        assert answer.status_code in {200, 403, 404}, junk


@pytest.mark.parametrize("page", ["admin:files_filerecord_access", "admin:accounts_user_access"])
def test_effective_access_takes_any_page(
    staff: Client, record: FileRecord, alice: User, page: str
) -> None:
    subject = record.pk if "filerecord" in page else alice.pk
    for name, junk in tries(("show", "page", "nonsense"), thorough=False):
        assert staff.get(reverse(page, args=[subject]), {name: junk}).status_code == 200


def test_a_group_is_named_by_anything_that_is_a_name(staff: Client) -> None:
    staff.post(reverse("admin:auth_group_add"), {"name": "x" * 151})
    assert not Group.objects.filter(name__startswith="x").exists()
