"""Files in the administration: who owns them and who may read them, never what is in them.

No page here shows or changes content. Every change goes through a use case, which audits it.
"""

from __future__ import annotations

import uuid
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.contrib.humanize.templatetags.humanize import intcomma
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.defaultfilters import filesizeformat
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.decorators import method_decorator
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods

from accounts import finding, members
from accounts.models import User
from files.administration import bulk_actions, effective_access, folders
from files.lists import name_search, paging
from files.models import FileRecord, StoredObject
from files.vault import removing
from runtime.administration import BoundedPaginator, status

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise


from files.administration.grants import GrantOfFileInline, actor_of, save_all

FOUND = 1000
"""Files, and owners, that a search finds at most, the newest."""


class StateFilter(admin.SimpleListFilter):
    """By what is in the store; a damaged former version counts, too."""

    title = _("status")
    parameter_name = "state"

    def lookups(self, request: Any, model_admin: Any) -> list[tuple[Any, str | _StrPromise]]:
        return [(StoredObject.State.LIVE, _("intact")), (StoredObject.State.DAMAGED, _("damaged"))]

    def queryset(self, request: Any, queryset: QuerySet[FileRecord]) -> QuerySet[FileRecord] | None:
        if self.value() != StoredObject.State.DAMAGED:
            return queryset.filter(current__state=self.value()) if self.value() else queryset
        # From the few that are damaged to their files, never the other way round.
        damaged = StoredObject.objects.filter(state__in=StoredObject.SPOILT)
        return queryset.filter(pk__in=damaged.values("file_id"))


class CustodyFilter(admin.SimpleListFilter):
    title = _("who keeps the key")
    parameter_name = "custody"

    def lookups(self, request: Any, model_admin: Any) -> list[tuple[Any, str | _StrPromise]]:
        return list(KEEPERS.items())

    def queryset(self, request: Any, queryset: QuerySet[FileRecord]) -> QuerySet[FileRecord] | None:
        return queryset.filter(custody=self.value()) if self.value() else queryset


KEEPERS = {"managed": _("the server"), "held": _("the owner: locked")}
"""Custody, in words."""


class FileRecordAdmin(folders.FoundByPlainName, admin.ModelAdmin[FileRecord]):
    # The file's own page is for those who were granted the file.
    view_on_site = False
    list_display = ("name", "status", "owner", "where", "keeper", "shown_size", "created_at")
    list_filter = (StateFilter, CustodyFilter, "created_at")
    list_select_related = ("owner", "current", "folder")
    asked_for = ("owner", "folder")
    search_fields = ("name", "plain_name", "id", "owner__username", "owner__email")
    search_help_text = _("A part of a name; or of an owner's name or address; or an id in full")
    inlines = (GrantOfFileInline,)
    fields = (
        "name",
        "status",
        "owner",
        "shown_folder",
        "put_away",
        "keeper",
        "exact_size",
        "content_type",
        "id",
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
        """By owner and folder, too: links lead here, though no list of all of them is shown."""
        ours = {"owner__id__exact", "folder__id__exact"}
        return lookup in ours or super().lookup_allowed(lookup, value, request)

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
        owners = User.objects.filter(email__icontains=term) | finding.with_parts(
            User.objects.all(), term
        )
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
            text = (
                _("Members may share what they own from now on.")
                if members.may_share()
                else _("Members do not share by themselves from now on.")
            )
            self.message_user(request, text, messages.SUCCESS)
            return redirect("admin:files_filerecord_sharing")
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("Sharing by members"),
            "is_on": members.may_share(),
        }
        return TemplateResponse(request, "admin/files/filerecord/sharing.html", context)

    @admin.action(
        description=_("Share the selected files with people or groups"), permissions=["grant"]
    )
    def grant_many(
        self, request: HttpRequest, queryset: QuerySet[FileRecord]
    ) -> HttpResponse | None:
        return bulk_actions.grant_many(self, request, queryset)

    def has_grant_permission(self, request: HttpRequest) -> bool:
        return actor_of(request).has_perm("files.add_grant")

    @admin.action(
        description=_("Transfer the selected files to another owner"), permissions=["transfer"]
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

    @admin.display(description=_("folder"))
    def shown_folder(self, record: FileRecord) -> str:
        return folders.path_links(record.folder)

    @admin.display(description=_("in the trash"))
    def put_away(self, record: FileRecord) -> str:
        return folders.put_away_since(record)

    @admin.display(description=_("status"), ordering="current__state")
    def status(self, record: FileRecord) -> str:
        if record.current.state in StoredObject.SPOILT:
            return status(_("damaged"), "ill")
        if record.trashed_at is not None:
            return status(_("in the trash"), "over")
        return status(_("intact"), "well")

    @admin.display(description=_("where"))
    def where(self, record: FileRecord) -> str:
        return folders.folder_link(record.folder)

    @admin.display(description=_("who keeps the key"), ordering="custody")
    def keeper(self, record: FileRecord) -> str:
        return str(KEEPERS[record.custody])

    @admin.display(description=_("size"), ordering="size")
    def shown_size(self, record: FileRecord) -> str:
        return filesizeformat(record.size)

    @admin.display(description=_("size"))
    def exact_size(self, record: FileRecord) -> str:
        return _("%(n)s bytes") % {"n": intcomma(record.size)}

    @admin.display(description=_("wrapped by master key"))
    def master_key(self, record: FileRecord) -> str:
        return record.current.master_key_id

    @admin.display(description=_("object in the store"))
    def object_name(self, record: FileRecord) -> str:
        return record.current.object_name

    @admin.display(description=_("bytes in the store"))
    def object_size(self, record: FileRecord) -> int:
        return record.current.object_size

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: FileRecord, form: Any, change: bool) -> None:
        """The page changes grants alone; a whole row saved might undo what happened meanwhile."""

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        save_all(formset, request)

    def get_deleted_objects(
        self, objs: Any, request: HttpRequest
    ) -> tuple[list[Any], dict[Any, int], set[Any], list[Any]]:
        """A file goes with its grants; that these cannot be deleted alone is no obstacle."""
        shown, counts, _needed, protected = super().get_deleted_objects(objs, request)
        return shown, counts, set(), protected

    def delete_model(self, request: HttpRequest, obj: FileRecord) -> None:
        removing.remove(obj, actor=actor_of(request))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[FileRecord]) -> None:
        for record in queryset.select_related("current"):
            removing.remove(record, actor=actor_of(request))
