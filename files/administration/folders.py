"""Folders in the administration: whose they are, what is in them by number, who may read them.

No page here shows what is in a file, or changes a name or a place. Every change goes through a use
case, which audits it. Roots are not listed: they are their owners', and nobody grants them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.contrib import admin
from django.db.models import Count, F, QuerySet, Sum
from django.http import HttpRequest, HttpResponse
from django.template.defaultfilters import filesizeformat
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from files.administration import bulk_actions, effective_access
from files.administration.grants import GrantInline, actor_of, save_all
from files.models import Ancestry, FileRecord, Folder, Item
from files.records.names import plain_name
from files.tree import placing
from runtime import moments
from runtime.administration import BoundedPaginator, status

if TYPE_CHECKING:
    BaseAnyAdmin = admin.ModelAdmin[Any]
else:
    BaseAnyAdmin = object

SHOWN = 200
"""Folders that the page of one shows of those that are in it, by name."""


@dataclass(frozen=True, slots=True)
class Below:
    """How much is below a folder, with what was put away, and the bytes with former versions."""

    files: int = 0
    folders: int = 0
    size: int = 0


def below(folders: Collection[Folder]) -> defaultdict[UUID, Below]:
    """How much is below each of these. Two queries."""
    within = Ancestry.objects.filter(ancestor__in=folders)
    inner = dict(
        within.filter(distance__gt=0).values_list("ancestor").annotate(Count("descendant"))
    )
    files = FileRecord.objects.filter(folder__above__ancestor__in=folders).order_by()
    counted = files.values_list("folder__above__ancestor").annotate(
        number=Count("pk"), total=Sum(F("size") + F("kept_bytes"))
    )
    found: defaultdict[UUID, Below] = defaultdict(Below)
    found.update({pk: Below(folders=number) for pk, number in inner.items()})
    for pk, number, size in counted:
        found[pk] = Below(number, inner.get(pk, 0), size)
    return found


def path_links(folder: Folder | None) -> str:
    """The folders above it and itself, each with a link to its page."""
    if folder is None:
        return ""
    links = (
        (reverse("admin:files_folder_change", args=[one.pk]), one.name)
        for one in placing.path_of(folder)
        if not one.is_root
    )
    return format_html_join(" / ", '<a href="{}"><bdi>{}</bdi></a>', links)


def folder_link(folder: Folder | None) -> str:
    """The folder with a link to its page; the root of its owner is no page."""
    if folder is None or folder.is_root:
        return gettext("top level")
    link = reverse("admin:files_folder_change", args=[folder.pk])
    return format_html('<a href="{}"><bdi>{}</bdi></a>', link, folder.name)


def within_words(below: Below) -> str:
    """How much is below a folder, as `3 files, 1 folder, 2 MB`."""
    return ", ".join(
        (
            ngettext("%(n)s file", "%(n)s files", below.files) % {"n": below.files},
            ngettext("%(n)s folder", "%(n)s folders", below.folders) % {"n": below.folders},
            filesizeformat(below.size),
        )
    )


def put_away_since(item: Item) -> str:
    """Since when it is nobody's to read, and whether that is because of a folder above it."""
    if item.trashed_at is not None:
        return _("since %(moment)s") % {"moment": moments.in_words(item.trashed_at)}
    parent = item.container
    if parent is not None and placing.is_asleep(parent):
        return gettext("with a folder above it")
    return gettext("no")


class PutAwayFilter(admin.SimpleListFilter):
    title = _("status")
    parameter_name = "away"

    def lookups(self, request: Any, model_admin: Any) -> list[tuple[Any, Any]]:
        return [("yes", _("in the trash itself"))]

    def queryset(self, request: Any, queryset: QuerySet[Folder]) -> QuerySet[Folder] | None:
        return queryset.filter(trashed_at__isnull=False) if self.value() == "yes" else queryset


class FoundByPlainName(BaseAnyAdmin):
    """A search finds names without case and accents, too."""

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        found, may_repeat = super().get_search_results(request, queryset, search_term)
        plain = plain_name(search_term)
        if plain != search_term.lower():
            found = found | super().get_search_results(request, queryset, plain)[0]
        return found, may_repeat


class FolderAdmin(FoundByPlainName, admin.ModelAdmin[Folder]):
    view_on_site = False
    list_display = (
        *("name", "status", "owner", "where"),
        *("files", "folders", "size", "created_at"),
    )
    list_filter = (PutAwayFilter, "created_at")
    list_select_related = ("owner", "parent")
    asked_for = ("parent",)
    list_per_page = 50
    ordering = ("-created_at",)
    search_fields = ("name", "plain_name", "id", "owner__username", "owner__email")
    search_help_text = _("A part of a name; or of an owner's name or address; or an id in full")
    inlines = (GrantInline,)
    fields = (
        *("name", "put_away", "where", "owner", "files", "folders", "size", "within"),
        *("added_by", "created_at", "id"),
    )
    readonly_fields = fields
    actions = ("grant_many",)
    show_full_result_count = False
    paginator = BoundedPaginator

    def get_queryset(self, request: HttpRequest) -> QuerySet[Folder]:
        return super().get_queryset(request).filter(parent__isnull=False)

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """By owner and by what it is in, too: links lead here."""
        ours = {"owner__id__exact", "parent__id__exact"}
        return lookup in ours or super().lookup_allowed(lookup, value, request)

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """With the numbers of what is below the folders of this page."""
        changes: Any = super().get_changelist_instance(request)
        changes.result_list = list(changes.result_list)
        self._count(changes.result_list)
        return changes

    def _count(self, folders: Collection[Folder]) -> None:
        counted = below(folders)
        for folder in folders:
            folder.below_it = counted[folder.pk]  # type: ignore[attr-defined]

    def _below(self, folder: Any) -> Below:
        """Counted where it is shown, and not before it is known who asks."""
        if not hasattr(folder, "below_it"):
            self._count([folder])
        found: Below = folder.below_it
        return found

    def get_urls(self) -> list[URLPattern]:
        """Django's, and the pages of one folder that are our own."""
        view = self.admin_site.admin_view
        access = view(partial(effective_access.folder_access, model_admin=self))
        transfer = view(partial(bulk_actions.transfer_one_tree, model_admin=self))
        return [
            path("<uuid:object_id>/access/", access, name="files_folder_access"),
            path("<uuid:object_id>/transfer/", transfer, name="files_folder_transfer"),
            *super().get_urls(),
        ]

    @admin.action(
        description=_("Share the selected folders with people or groups"), permissions=["grant"]
    )
    def grant_many(self, request: HttpRequest, queryset: QuerySet[Folder]) -> HttpResponse | None:
        return bulk_actions.grant_many(self, request, queryset)

    def has_grant_permission(self, request: HttpRequest) -> bool:
        return actor_of(request).has_perm("files.add_grant")

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """With the links to the pages of our own."""
        context["may_transfer"] = bulk_actions.may_transfer(request)
        return super().render_change_form(request, context, *args, **kwargs)

    @admin.display(description=_("status"), ordering="trashed_at")
    def status(self, folder: Folder) -> str:
        if folder.trashed_at is not None:
            return status(_("in the trash"), "over")
        return status(_("in use"), "well")

    @admin.display(description=_("where"))
    def where(self, folder: Folder) -> str:
        return folder_link(folder.parent)

    @admin.display(description=_("files below"))
    def files(self, folder: Any) -> int:
        return self._below(folder).files

    @admin.display(description=_("folders below"))
    def folders(self, folder: Any) -> int:
        return self._below(folder).folders

    @admin.display(description=_("size"))
    def size(self, folder: Any) -> str:
        return filesizeformat(self._below(folder).size)

    @admin.display(description=_("what is in it"))
    def within(self, folder: Folder) -> str:
        """Its folders, with the numbers of what is below these; its files are in another list."""
        inner = list(Folder.objects.filter(parent=folder).order_by("name", "pk")[: SHOWN + 1])
        counted = below(inner)
        rows = (
            (
                reverse("admin:files_folder_change", args=[one.pk]),
                one.name,
                within_words(counted[one.pk]),
                _(" (in the trash)") if one.trashed_at else "",
            )
            for one in inner[:SHOWN]
        )
        row = '<li><a href="{}"><bdi>{}</bdi></a>: {}{}</li>'
        by_folder = f"?folder__id__exact={folder.pk}"
        return format_html(
            '<ul>{}</ul><a href="{}">{}</a>{}',
            format_html_join("", row, rows),
            reverse("admin:files_filerecord_changelist") + by_folder,
            _("its files"),
            self._more(folder) if len(inner) > SHOWN else "",
        )

    def _more(self, folder: Folder) -> str:
        address = reverse("admin:files_folder_changelist") + f"?parent__id__exact={folder.pk}"
        return format_html(', <a href="{}">{}</a>', address, _("all its folders"))

    @admin.display(description=_("in the trash"))
    def put_away(self, folder: Folder) -> str:
        return put_away_since(folder)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Folder | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Folder, form: Any, change: bool) -> None:
        """The page changes grants alone."""

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        save_all(formset, request)
