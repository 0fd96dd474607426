"""The administration is shown by areas, to each the ones that they may see."""

from __future__ import annotations

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.test import Client, RequestFactory
from django.urls import reverse

from accounts.models import User
from securestore.administration import AREAS, Site, area_of

pytestmark = pytest.mark.django_db
admin.autodiscover()


def areas(client: Client) -> dict[str, list[str]]:
    shown = client.get(reverse("admin:index")).context["app_list"]
    return {str(area["name"]): [str(one["name"]) for one in area["models"]] for area in shown}


def test_every_model_stands_in_one_area() -> None:
    named = [label for area in AREAS for label in area.models]
    assert len(named) == len(set(named))
    assert {model._meta.label_lower for model in admin.site._registry} == set(named)


def test_a_superuser_sees_all_of_them_in_order(client: Client, root: User) -> None:
    client.force_login(root)
    assert areas(client) == {
        "People": [
            *("Users", "Groups", "Invitations", "E-mail addresses", "Second factors"),
            "Tokens for programs",
        ],
        "Files": ["Files", "Folders"],
        "Access": ["Shares", "Links", "Requests for files", "Requests for access"],
        "Audit": ["Events"],
        "System": ["Master keys", "Mails"],
    }


def test_permissions_decide_what_staff_see(client: Client, mallory: User) -> None:
    mallory.is_staff = True
    mallory.save()
    client.force_login(mallory)
    assert areas(client) == {}
    assert "Ask an administrator" in client.get(reverse("admin:index")).text
    mallory.user_permissions.set(Permission.objects.filter(codename="view_folder"))
    assert areas(client) == {"Files": ["Folders"]}


def test_a_model_that_was_forgotten_is_not_hidden(root: User) -> None:
    site, request = Site(name="admin"), RequestFactory().get("/admin/")
    request.user = root
    model, model_admin = next(iter(admin.site._registry.items()))
    forgotten = type("Forgotten", (type(model_admin),), {})
    site._registry = {model: forgotten(model, site)}
    assert area_of("no.such") is AREAS[-1]
    assert [area["app_label"] for area in site.get_app_list(request)] == [
        area_of(model._meta.label_lower).slug
    ]


def test_an_applications_page_shows_the_areas_it_is_in(client: Client, root: User) -> None:
    client.force_login(root)
    shown = client.get(reverse("admin:app_list", args=["files"])).context["app_list"]
    assert [area["app_label"] for area in shown] == ["files", "access", "system"]


def test_each_page_says_where_it_is(client: Client, root: User, bob: User) -> None:
    client.force_login(root)
    listed = client.get(reverse("admin:files_grant_changelist")).text
    assert 'aria-current="page">Shares</a>' in listed
    assert "<h1>Shares</h1>" in listed
    change = client.get(reverse("admin:accounts_user_change", args=[bob.pk])).text
    way = change.split('<div class="breadcrumbs">')[1].split("</div>")[0]
    assert reverse("admin:accounts_user_changelist") in way
    assert "People" in way
    assert "bob" in way
