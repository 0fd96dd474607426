"""Accounts and groups in the administration.

Only a superuser decides who is staff and who may do what, and nobody edits an account that has more
power than they have: `accounts.authority` has the rule, and every page here is behind it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.forms import AdminPasswordChangeForm
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.db.models import Count, ProtectedError, QuerySet
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.text import format_lazy
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts import members, names
from accounts.admin.changes import Audited, FoundByName, ToldObstacles
from accounts.models import User
from files.crypto.portable import clean_line
from runtime.administration import status

if TYPE_CHECKING:
    BaseUserAdmin = DjangoUserAdmin[User]
    BasePasswordForm = AdminPasswordChangeForm[User]
    BaseGroupForm = ModelForm[Group]
else:
    BaseUserAdmin = DjangoUserAdmin  # Generic for the type checker only.
    BasePasswordForm = AdminPasswordChangeForm
    BaseGroupForm = ModelForm

admin.site.unregister(Group)


class PasswordForm(BasePasswordForm):
    """As Django's, whose warning is put together before it is known who reads it."""

    usable_password_help_text = format_lazy(  # type: ignore[assignment]  # as Django's own
        '{} <ul id="id_unusable_warning" class="messagelist"><li class="warning">{}</li></ul>',
        _(
            "Whether the user will be able to authenticate using a password or not. If disabled, "
            "they may still be able to authenticate using other backends, such as Single Sign-On "
            "or LDAP."
        ),
        _("If disabled, the current password for this user will be lost."),
    )


@admin.register(User)
class UserAdmin(FoundByName, Audited, ToldObstacles, BaseUserAdmin):
    change_password_form = PasswordForm
    list_display = ("username", "status", "role", "full_name", "email", "last_login")
    list_filter = ("is_active", "is_staff", "is_superuser", "groups")
    search_fields = ("username", "email", "first_name", "last_name")
    readonly_fields = ("last_login", "date_joined")
    fieldsets = (*(DjangoUserAdmin.fieldsets or ()), (_("Storage"), {"fields": ("quota",)}))
    add_fieldsets = (
        (
            None,
            {
                "classes": ("wide",),
                "fields": ("username", "email", "usable_password", "password1", "password2"),
            },
        ),
    )

    @admin.display(description=_("status"), ordering="is_active")
    def status(self, user: User) -> str:
        if not user.is_active:
            return status(_("deactivated"), "over")
        return status(_("active"), "well") if user.last_login else status(_("never signed in"))

    @admin.display(description=_("role"), ordering="is_staff")
    def role(self, user: User) -> str:
        if user.is_superuser:
            return gettext("superuser")
        return gettext("staff") if user.is_staff else gettext("member")

    @admin.display(description=_("full name"), ordering="last_name")
    def full_name(self, user: User) -> str:
        return user.get_full_name()

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        if not change:
            # As who was invited: without it they could neither upload nor download.
            form.instance.groups.add(members.ensure_members_group())

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: Any = None
    ) -> HttpResponse:
        try:
            return super().delete_view(request, object_id, extra_context)
        except ProtectedError:  # An upload of theirs became a file just now.
            messages.error(request, _("This account owns files meanwhile: nothing was deleted."))
            return redirect("admin:accounts_user_change", object_id)


class GroupForm(BaseGroupForm):
    """Refuses a name of which nothing would be seen."""

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        if not names.is_seen(name):
            raise ValidationError(_("Nothing of this name can be seen: give it letters or digits."))
        # As it will be kept, so that two that look alike are one.
        return clean_line(name)


@admin.register(Group)
class GroupAdmin(FoundByName, Audited, ToldObstacles, DjangoGroupAdmin):
    """Groups, whose changes are audited."""

    form = GroupForm
    list_display = ("name", "people")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Group]:
        groups: QuerySet[Group] = super().get_queryset(request)
        return groups.annotate(people=Count("user"))

    @admin.display(description=_("people"), ordering="people")
    def people(self, group: Any) -> int:
        number: int = group.people
        return number
