"""People in the admin, and the way into it.

The admin's own sign-in page knows no limit on guesses, so it sends people to the site's.

Only a superuser decides who is staff and who may do what. Otherwise the permission to edit
accounts would be the permission to become anybody.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from allauth.account.decorators import secure_admin_login
from django.contrib import admin, messages
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.db.models import ProtectedError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern

from accounts.models import User
from files import admin_people
from securestore.administration import DiscreetHistory, SoundSelections

if TYPE_CHECKING:
    BaseUserAdmin = DjangoUserAdmin[User]
else:
    BaseUserAdmin = DjangoUserAdmin  # Generic for the type checker only.

admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]

POWERS = ("is_staff", "is_superuser", "groups", "user_permissions")


@admin.register(User)
class UserAdmin(DiscreetHistory, SoundSelections, BaseUserAdmin):
    list_display = ("username", "email", "first_name", "last_name", "is_active", "is_staff")
    list_filter = ("is_active", "is_staff", "is_superuser", "groups")
    search_fields = ("username", "email", "first_name", "last_name")
    readonly_fields = ("last_login", "date_joined")
    fieldsets = (*(DjangoUserAdmin.fieldsets or ()), ("Storage", {"fields": ("quota",)}))
    add_fieldsets = (
        (
            None,
            {
                "classes": ("wide",),
                "fields": ("username", "email", "usable_password", "password1", "password2"),
            },
        ),
    )

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> tuple[Any, ...]:
        fields = tuple(super().get_readonly_fields(request, obj))
        return fields if request.user.is_superuser else (*fields, *POWERS)

    def get_urls(self) -> list[URLPattern]:
        return [*admin_people.urls(self), *super().get_urls()]

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if change and "is_active" in form.changed_data:
            admin_people.note_left_files(request, obj)

    def get_deleted_objects(
        self, objs: Any, request: HttpRequest
    ) -> tuple[list[Any], dict[Any, int], set[Any], list[Any]]:
        """As Django's, but what stands in the way is said in words, and names no file."""
        obstacles = admin_people.obstacles(objs)
        if obstacles:
            return [], {}, set(), obstacles
        return super().get_deleted_objects(objs, request)

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: Any = None
    ) -> HttpResponse:
        try:
            return super().delete_view(request, object_id, extra_context)
        except ProtectedError:  # An upload of theirs became a file just now.
            messages.error(request, "This account owns files meanwhile: nothing was deleted.")
            return redirect("admin:accounts_user_change", object_id)

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return super().has_change_permission(request, obj) and _may_touch(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return super().has_delete_permission(request, obj) and _may_touch(request, obj)


admin.site.unregister(Group)


@admin.register(Group)
class GroupAdmin(DiscreetHistory, SoundSelections, DjangoGroupAdmin):
    def get_deleted_objects(
        self, objs: Any, request: HttpRequest
    ) -> tuple[list[Any], dict[Any, int], set[Any], list[Any]]:
        """As Django's, but what stands in the way is said in words."""
        obstacles = admin_people.obstacles(objs)
        if obstacles:
            return [], {}, set(), obstacles
        return super().get_deleted_objects(objs, request)


def _may_touch(request: HttpRequest, user: User | None) -> bool:
    """Staff who are not superusers cannot reset a superuser's password or e-mail address."""
    return user is None or not user.is_superuser or bool(request.user.is_superuser)
