"""What the admin of people needs to know of their files: pages, and what outlives an account.

A person's files and grants are never deleted with the account, nor a group's: the files may matter
to others, and the grants are history. Such an account is deactivated, its files are handed over.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import partial
from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.contrib.auth.models import Group
from django.db.models import Count, Model
from django.http import HttpRequest
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.admin.people import GroupAdmin, UserAdmin
from accounts.models import User
from files.administration import bulk_actions, effective_access
from files.models import FileRecord, Folder, Grant

if TYPE_CHECKING:
    Admin = admin.ModelAdmin[Any]


class PeopleOfFiles(UserAdmin):
    """Accounts, with what the admin must know of their files."""

    def obstacles(self, things: Any) -> list[str]:
        return obstacles(things)

    def get_deleted_objects(
        self, objs: Any, request: HttpRequest
    ) -> tuple[list[Any], dict[Any, int], set[Any], list[Any]]:
        """An empty root goes with its owner; that no folder is deleted here is no obstacle."""
        shown, counts, needed, protected = super().get_deleted_objects(objs, request)
        return shown, counts, needed - {Folder._meta.verbose_name}, protected

    def get_urls(self) -> list[URLPattern]:
        return [*urls(self), *super().get_urls()]

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if change and "is_active" in form.changed_data:
            note_left_files(request, obj)


class GroupsOfFiles(GroupAdmin):
    """Groups, whose grants are history."""

    def obstacles(self, things: Any) -> list[str]:
        return obstacles(things)


def urls(model_admin: Admin) -> list[URLPattern]:
    """The pages of one person: which files they can read, and handing over what they own."""
    view = model_admin.admin_site.admin_view
    access = view(partial(effective_access.user_access, model_admin=model_admin))
    transfer = view(partial(bulk_actions.transfer_all, model_admin=model_admin))
    return [
        path("<int:user_id>/access/", access, name="accounts_user_access"),
        path("<int:user_id>/transfer/", transfer, name="accounts_user_transfer"),
    ]


def obstacles(things: Collection[Model]) -> list[str]:
    """Why these people or groups cannot be deleted, and what to do instead. Four queries."""
    users = [one for one in things if isinstance(one, User)]
    groups = [one for one in things if isinstance(one, Group)]
    owned = _count(FileRecord.objects.filter(owner__in=users), "owner")
    folders = _count(Folder.objects.filter(owner__in=users, parent__isnull=False), "owner")
    granted = _count(Grant.objects.filter(user__in=users), "user")
    found = []
    for user in users:
        reasons = []
        if user.pk in owned:
            n = owned[user.pk]
            reasons.append(ngettext("owns %(n)s file", "owns %(n)s files", n) % {"n": n})
        if user.pk in folders:
            n = folders[user.pk]
            reasons.append(ngettext("owns %(n)s folder", "owns %(n)s folders", n) % {"n": n})
        if user.pk in granted:
            reasons.append(_named(granted[user.pk]))
        if reasons:
            if user.pk in owned or user.pk in folders:
                advice = _(
                    "transfer what it owns to somebody else, or deactivate the account instead"
                )
            else:
                advice = _("deactivate the account instead")
            why = _(" and ").join(reasons)
            text = _("%(person)s %(why)s: %(advice)s.")
            found.append(text % {"person": user, "why": why, "advice": advice})
    named = _count(Grant.objects.filter(group__in=groups), "group")
    found += [
        _(
            "%(group)s %(why)s: revoke what is shared with it, or take everybody out of the "
            "group instead."
        )
        % {"group": group, "why": _named(named[group.pk])}
        for group in groups
        if group.pk in named
    ]
    return found


def _named(number: int) -> str:
    return ngettext(
        "is named by %(n)s share, which is kept as history",
        "is named by %(n)s shares, which are kept as history",
        number,
    ) % {"n": number}


def _count(rows: Any, field: str) -> dict[int, int]:
    return dict(rows.order_by().values_list(field).annotate(Count("pk")))


def note_left_files(request: HttpRequest, person: User) -> None:
    """Tell whoever deactivated an account what became of its files, and where to go on."""
    owned = bulk_actions.still_owned(person)
    if owned and not person.is_active:
        text = format_html(
            '{} <a href="{}">{}</a>',
            _("The account %(person)s can no longer sign in. It owns %(owned)s.")
            % {"person": person, "owned": owned},
            reverse("admin:accounts_user_transfer", args=[person.pk]),
            _("Transfer what it owns to somebody else."),
        )
        messages.warning(request, text)
