"""The admin of files and grants: who may read what, never what is in it.

No page here shows or changes content. Every change goes through a use case, which audits it.
Grants are revoked, not deleted: they are history.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.html import format_html
from django.utils.http import urlencode
from django.views.decorators.http import require_http_methods

from accounts import members
from accounts.models import User
from files.administration import bulk_actions, effective_access, people
from files.lists import name_search, paging
from files.models import FileRecord, Grant, StoredObject
from files.sharing import granting
from files.vault import removing
from files.web.forms import computable
from runtime.administration import BoundedPaginator, SoundChoices

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise


admin.site.unregister((User, Group))
admin.site.register(User, people.PeopleOfFiles)
admin.site.register(Group, people.GroupsOfFiles)


EXPIRING = timedelta(days=7)
"""What the filter of grants counts as expiring soon."""


FOUND = 1000
"""Files, and owners, that a search finds at most, the newest."""


INLINE = 50
"""Grants on the page of a file, the newest; the list of grants has them all."""


def _actor(request: HttpRequest) -> User:
    return cast("User", request.user)


class GrantForm(forms.ModelForm[Grant]):
    """A grant, with a box to revoke one that exists."""

    revoke = forms.BooleanField(required=False, label="Revoke now")

    class Meta:
        model = Grant
        fields = ("file", "user", "group", "level", "starts_at", "expires_at", "reason")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        exists = not self.instance._state.adding
        if not exists or self.instance.revoked_at is not None:
            self.fields["revoke"].disabled = True
        if exists:
            self._fix("file", "user", "group")
        for name in self.fields.keys() & {"starts_at", "expires_at"}:
            self.fields[name].validators.append(computable)

    def _fix(self, *names: str) -> None:
        """Whom a grant was for, and to what, is history: end it and make another."""
        for name in self.fields.keys() & set(names):
            chosen = getattr(self.instance, name)
            only = (chosen.pk, chosen) if chosen else ("", "")
            self.fields[name].disabled = True
            # The usual widget would ask the database for its one option, in every row.
            self.fields[name].widget = forms.Select(choices=[only])


TOLD = 20
"""Grants that were revoked in one step of which is said what remains; the list has the others."""


def _tell_left(request: HttpRequest, ended: Sequence[Grant]) -> None:
    """Say how those whose grants were revoked still get in, and where that can be ended."""
    for grant in ended[:TOLD]:
        left = granting.remaining(grant.file, grant.user, grant.group)
        if left:
            query = urlencode({"id__in": ",".join(str(one.pk) for one in left)})
            messages.warning(
                request,
                format_html(
                    '“{}”: {} <a href="{}?{}">Show what is left</a>.',
                    grant.file,
                    granting.describe_left(left, grant.recipient_name),
                    reverse("admin:files_grant_changelist"),
                    query,
                ),
            )
    if len(ended) > TOLD:
        text = (
            f"Of the other {len(ended) - TOLD}, “Effective access” of each file says who reads it."
        )
        messages.warning(request, text)


def _save(form: GrantForm, grant: Grant, request: HttpRequest, *, is_new: bool) -> None:
    actor = _actor(request)
    if is_new:
        _grant(grant, request)
        return
    if form.changed_data and form.changed_data != ["revoke"]:
        granting.change(grant, actor=actor)
    if form.cleaned_data.get("revoke") and granting.revoke(grant, actor=actor):
        _tell_left(request, [grant])


def _grant(new: Grant, request: HttpRequest) -> None:
    """Grant; where the same is there already, the page goes on with that one."""
    made = granting.grant(new, actor=_actor(request))
    if made is not new:
        for field in Grant._meta.concrete_fields:
            setattr(new, field.attname, getattr(made, field.attname))
        new._state.adding = False
        text = f"{made.recipient_name} had that already: it is one grant, number {made.pk}."
        messages.info(request, text)


class NewestGrants(forms.BaseInlineFormSet[Grant, FileRecord, forms.ModelForm[Grant]]):
    """The newest grants of the file: all of many would be more fields than a form may have."""

    def get_queryset(self) -> QuerySet[Grant]:
        if not hasattr(self, "_queryset") and self.queryset is not None:
            newest = Grant.objects.filter(file=self.instance).order_by("-pk").values("pk")
            self.queryset = self.queryset.filter(pk__in=newest[:INLINE])
        return super().get_queryset()


class GrantInline(SoundChoices, admin.TabularInline[Grant, FileRecord]):
    model = Grant
    form = GrantForm
    formset = NewestGrants
    extra = 0
    can_delete = False
    autocomplete_fields = ("user", "group")
    fields = (
        "user",
        "group",
        "level",
        "starts_at",
        "expires_at",
        "reason",
        "shown_status",
        "granted_by",
        "revoke",
    )
    readonly_fields = ("shown_status", "granted_by")

    @admin.display(description="status")
    def shown_status(self, grant: Grant) -> str:
        return grant.status if grant.pk else ""

    def get_queryset(self, request: HttpRequest) -> QuerySet[Grant]:
        return super().get_queryset(request).select_related("user", "group", "granted_by")


class StateFilter(admin.SimpleListFilter):
    title = "state in the store"
    parameter_name = "state"

    def lookups(self, request: Any, model_admin: Any) -> list[tuple[Any, str | _StrPromise]]:
        return [(StoredObject.State.LIVE, "live"), (StoredObject.State.DAMAGED, "damaged")]

    def queryset(self, request: Any, queryset: QuerySet[FileRecord]) -> QuerySet[FileRecord] | None:
        return queryset.filter(current__state=self.value()) if self.value() else queryset


@admin.register(FileRecord)
class FileRecordAdmin(admin.ModelAdmin[FileRecord]):
    # The file's own page is for those who were granted the file.
    view_on_site = False
    list_display = ("name", "size", "owner", "custody", "state", "created_at")
    list_filter = (StateFilter, "custody", "created_at")
    list_select_related = ("owner", "current")
    asked_for = ("owner",)
    search_fields = ("name", "folded_name", "id", "owner__username", "owner__email")
    search_help_text = "A part of a name; or of an owner's name or address; or an id in full"
    inlines = (GrantInline,)
    fields = (
        "id",
        "name",
        "size",
        "content_type",
        "owner",
        "custody",
        "state",
        "master_key",
        "object_name",
        "object_size",
        "created_at",
        "updated_at",
    )
    readonly_fields = fields
    actions = ("grant_many", "transfer_many")
    show_full_result_count = False
    paginator = BoundedPaginator

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """By owner, too: links lead here, though no list of all owners is shown."""
        return lookup == "owner__id__exact" or super().lookup_allowed(lookup, value, request)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[FileRecord], search_term: str
    ) -> tuple[QuerySet[FileRecord], bool]:
        """By what has an index: the newest files with all the words in their names, and others.

        Words that are too short for the index are looked for in every name.
        """
        words = paging.words_of(search_term)
        if not words or len(name_search.served(words)) < len(words):
            return super().get_search_results(request, queryset, search_term)
        places = name_search.newest(words, before=None, at_most=FOUND)
        term = search_term.strip().replace("\0", "")
        owners = User.objects.filter(Q(username__icontains=term) | Q(email__icontains=term))
        found = Q(place__in=places) | Q(owner__in=list(owners.values_list("pk", flat=True)[:FOUND]))
        with suppress(ValueError):
            found |= Q(pk=uuid.UUID(term))
        return queryset.filter(found), False

    def get_urls(self) -> list[URLPattern]:
        """Django's, and the pages of one file that are our own."""
        view = self.admin_site.admin_view
        access = view(partial(effective_access.file_access, model_admin=self))
        transfer = view(partial(bulk_actions.transfer_one, model_admin=self))
        return [
            path("sharing/", view(self.members_share), name="files_filerecord_sharing"),
            path("<uuid:object_id>/access/", access, name="files_filerecord_access"),
            path("<uuid:object_id>/transfer/", transfer, name="files_filerecord_transfer"),
            *super().get_urls(),
        ]

    @method_decorator(require_http_methods(["GET", "HEAD", "POST"]))
    def members_share(self, request: HttpRequest) -> HttpResponse:
        """The switch: members may share what they own. It gives powers, so superusers decide."""
        if not request.user.is_superuser:
            raise PermissionDenied
        if request.method == "POST":
            members.let_share(on="on" in request.POST)
            state = (
                "may share what they own" if members.may_share() else "do not share by themselves"
            )
            self.message_user(request, f"Members {state} from now on.", messages.SUCCESS)
            return redirect("admin:files_filerecord_sharing")
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "Sharing by members",
            "is_on": members.may_share(),
        }
        return TemplateResponse(request, "admin/files/filerecord/sharing.html", context)

    @admin.action(description="Grant the selected files to people or groups", permissions=["grant"])
    def grant_many(
        self, request: HttpRequest, queryset: QuerySet[FileRecord]
    ) -> HttpResponse | None:
        return bulk_actions.grant_many(self, request, queryset)

    def has_grant_permission(self, request: HttpRequest) -> bool:
        return _actor(request).has_perm("files.add_grant")

    @admin.action(
        description="Transfer the selected files to another owner", permissions=["transfer"]
    )
    def transfer_many(
        self, request: HttpRequest, queryset: QuerySet[FileRecord]
    ) -> HttpResponse | None:
        return bulk_actions.transfer_many(self, request, queryset)

    def has_transfer_permission(self, request: HttpRequest) -> bool:
        return bulk_actions.may_transfer(request)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """With the links to the pages of our own."""
        context["may_transfer"] = bulk_actions.may_transfer(request)
        return super().render_change_form(request, context, *args, **kwargs)

    @admin.display(description="state", ordering="current__state")
    def state(self, record: FileRecord) -> str:
        return record.current.get_state_display()

    @admin.display(description="wrapped by master key")
    def master_key(self, record: FileRecord) -> str:
        return record.current.master_key_id

    @admin.display(description="object in the store")
    def object_name(self, record: FileRecord) -> str:
        return record.current.object_name

    @admin.display(description="bytes in the store")
    def object_size(self, record: FileRecord) -> int:
        return record.current.object_size

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: FileRecord, form: Any, change: bool) -> None:
        """The page changes grants alone; a whole row saved might undo what happened meanwhile."""

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        """Save the grants of the page through the use cases."""
        formset.save(commit=False)
        for new in formset.new_objects:
            _grant(new, request)
        for grant_form in formset.initial_forms:
            if grant_form.has_changed():
                _save(grant_form, grant_form.instance, request, is_new=False)

    def get_deleted_objects(
        self, objs: Any, request: HttpRequest
    ) -> tuple[list[Any], dict[Any, int], set[Any], list[Any]]:
        """A file goes with its grants; that these cannot be deleted alone is no obstacle."""
        shown, counts, _needed, protected = super().get_deleted_objects(objs, request)
        return shown, counts, set(), protected

    def delete_model(self, request: HttpRequest, obj: FileRecord) -> None:
        removing.remove(obj, actor=_actor(request))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[FileRecord]) -> None:
        for record in queryset.select_related("current"):
            removing.remove(record, actor=_actor(request))


class StatusFilter(admin.SimpleListFilter):
    title = "status"
    parameter_name = "status"

    def lookups(self, request: Any, model_admin: Any) -> list[tuple[Any, str | _StrPromise]]:
        names = ("live", "scheduled", "expired", "revoked")
        return [*((name, name) for name in names), ("expiring", "expiring within 7 days")]

    def queryset(self, request: Any, queryset: QuerySet[Grant]) -> QuerySet[Grant] | None:
        now = timezone.now()
        live = Q(pk__in=Grant.objects.live(now).values("pk"))
        conditions = {
            "live": live,
            "expiring": live & Q(expires_at__lte=now + EXPIRING),
            "scheduled": Q(revoked_at=None, starts_at__gt=now),
            "expired": Q(revoked_at=None, expires_at__lte=now),
            "revoked": Q(revoked_at__isnull=False),
        }
        return queryset.filter(conditions.get(self.value() or "", Q()))


@admin.register(Grant)
class GrantAdmin(admin.ModelAdmin[Grant]):
    form = GrantForm
    list_display = ("file", "recipient", "level", "shown_status", "expires_at", "granted_by")
    list_filter = (StatusFilter, "level")
    list_select_related = ("file", "user", "group", "granted_by")
    search_fields = ("file__name", "user__username", "user__email", "group__name", "reason")
    autocomplete_fields = ("file", "user", "group")
    fields = (
        "file",
        "user",
        "group",
        "level",
        "starts_at",
        "expires_at",
        "reason",
        "granted_by",
        "created_at",
        "revoked_at",
        "revoked_by",
        "revoke",
    )
    readonly_fields = ("granted_by", "created_at", "revoked_at", "revoked_by")
    actions = ("revoke_selected",)
    ordering = ("-id",)
    show_full_result_count = False
    paginator = BoundedPaginator

    @admin.display(description="for")
    def recipient(self, grant: Grant) -> str:
        return grant.recipient_name

    @admin.display(description="status")
    def shown_status(self, grant: Grant) -> str:
        return grant.status

    @admin.action(description="Revoke the selected grants", permissions=["change"])
    def revoke_selected(self, request: HttpRequest, queryset: QuerySet[Grant]) -> None:
        chosen = list(queryset)
        ended = [grant for grant in chosen if granting.revoke(grant, actor=_actor(request))]
        self.message_user(request, f"{len(ended)} revoked.", messages.SUCCESS)
        _tell_left(request, ended)

    def get_readonly_fields(self, request: HttpRequest, obj: Grant | None = None) -> Any:
        fixed = ("file", "user", "group") if obj else ()
        return (*self.readonly_fields, *fixed)

    def has_delete_permission(self, request: HttpRequest, obj: Grant | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Grant, form: Any, change: bool) -> None:
        _save(form, obj, request, is_new=not change)
