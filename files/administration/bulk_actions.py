"""What the admin does to many files or folders in one step: grant them, and hand them over.

Each step shows a page that asks, and then is one use case: all of it or nothing, every part
audited. Works without a script.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.widgets import FilteredSelectMultiple
from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts.models import User
from files.folders import ownership
from files.models import FileRecord, Folder, Grant, Item
from files.sharing import granting
from files.tree import placing
from files.web.forms import computable
from runtime.administration import Moment, SoundMultipleChoiceField

if TYPE_CHECKING:
    Admin = admin.ModelAdmin[Any]

AT_ONCE = ownership.AT_ONCE
"""Files or folders of one step: one transaction, and every form field counts towards Django's
limit."""

TREES_AT_ONCE = 20
"""Trees that one step hands over, each in a transaction of its own: each may hold very much."""

GRANTS_AT_ONCE = 1000
"""Each is an event of its own, and nobody else writes to the log meanwhile: some seconds."""

SHOWN = 20


def _counted(files: int, folders: int) -> str:
    """`3 files`, `1 folder`, or both; empty where there is neither."""
    of_folders = ngettext("%(n)s folder", "%(n)s folders", folders) % {"n": folders}
    of_files = ngettext("%(n)s file", "%(n)s files", files) % {"n": files}
    if files and folders:
        return _("%(folders)s and %(files)s") % {"folders": of_folders, "files": of_files}
    return of_folders if folders else of_files if files else ""


def _kinds(items: Sequence[Item]) -> str:
    """`3 files`, `1 folder`, or both."""
    folders = sum(isinstance(item, Folder) for item in items)
    none = ngettext("%(n)s file", "%(n)s files", 0) % {"n": 0}
    return _counted(len(items) - folders, folders) or none


def _actor(request: HttpRequest) -> User:
    return cast("User", request.user)


def may_transfer(request: HttpRequest) -> bool:
    """Whether this member of staff may decide who owns a file: it is to let somebody in."""
    return _actor(request).has_perms(["files.change_filerecord", "files.add_grant"])


# --- Grant many files to many -----------------------------------------------------------------


class GrantManyForm(forms.Form):
    """To whom, for what, for how long and why."""

    users = SoundMultipleChoiceField(
        User.objects.filter(is_active=True).order_by("username"),
        required=False,
        label=gettext_lazy("Users"),
        widget=FilteredSelectMultiple(gettext_lazy("users"), is_stacked=False),
    )
    groups = SoundMultipleChoiceField(
        Group.objects.order_by("name"),
        required=False,
        label=gettext_lazy("Groups"),
        widget=FilteredSelectMultiple(gettext_lazy("groups"), is_stacked=False),
    )
    level = forms.ChoiceField(label=gettext_lazy("They may"), choices=Grant.Level)
    starts_at = forms.DateTimeField(
        required=False,
        label=gettext_lazy("From"),
        widget=Moment,
        validators=[computable],
        help_text=gettext_lazy("Empty: at once."),
    )
    expires_at = forms.DateTimeField(
        required=False,
        label=gettext_lazy("Until"),
        widget=Moment,
        validators=[computable],
        help_text=gettext_lazy("Empty: no end."),
    )
    reason = forms.CharField(label=gettext_lazy("Reason"), max_length=255, required=False)

    def __init__(self, *args: Any, items: Sequence[Item], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.count = len(items)
        self.kind = "folder" if any(isinstance(item, Folder) for item in items) else "file"
        if self.kind == "file":
            self.fields["level"].choices = levels_of_files()  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        """Add `recipients`."""
        cleaned = {**self.cleaned_data}
        recipients = [*cleaned.get("users", ()), *cleaned.get("groups", ())]
        if not recipients and not {"users", "groups"} & self.errors.keys():
            raise ValidationError(_("Choose at least one user or group."))
        if len(recipients) * self.count > GRANTS_AT_ONCE:
            raise ValidationError(
                _(
                    "That would be %(n)s shares: choose less to share or fewer recipients, so "
                    "that one step makes %(most)s at most."
                )
                % {"n": len(recipients) * self.count, "most": GRANTS_AT_ONCE}
            )
        expires_at = cleaned.get("expires_at")
        if expires_at is not None and expires_at <= timezone.now():
            self.add_error("expires_at", _("Choose a moment that is still to come."))
        cleaned["recipients"] = recipients
        return cleaned


def levels_of_files() -> list[tuple[str, str]]:
    """What a file may be granted for: nothing is put into it."""
    return [(str(value), str(label)) for value, label in Grant.Level.choices if value != "add"]


def grant_many(
    model_admin: Admin, request: HttpRequest, queryset: QuerySet[Any]
) -> HttpResponse | None:
    """The action: ask to whom, then grant all of them, or none. None: back to the list."""
    records = _few_enough(model_admin, request, queryset)
    if records is None:
        return None
    asked = "confirmed" in request.POST
    form = GrantManyForm(request.POST if asked else None, items=records)
    if form.is_valid():
        given = form.cleaned_data
        try:
            done = granting.grant_many(
                records,
                given["recipients"],
                level=given["level"],
                starts_at=given["starts_at"],
                expires_at=given["expires_at"],
                reason=given["reason"],
                actor=_actor(request),
            )
        except ValidationError as error:
            form.add_error(None, error)
        else:
            told = [
                ngettext("%(n)s share made.", "%(n)s shares made.", done.made) % {"n": done.made}
            ]
            if done.extended:
                text = ngettext(
                    "%(n)s that is there already now lasts longer.",
                    "%(n)s that are there already now last longer.",
                    done.extended,
                )
                told.append(text % {"n": done.extended})
            if done.skipped:
                text = _("%(n)s skipped: the same share is there already.")
                told.append(text % {"n": done.skipped})
            text = " ".join(told)
            model_admin.message_user(request, text, messages.SUCCESS)
            return None
    return _page(
        request,
        model_admin,
        form,
        records,
        title=_("Share folders") if form.kind == "folder" else _("Share files"),
        button=_("Share"),
        action="grant_many",
    )


def _few_enough(
    model_admin: Admin, request: HttpRequest, queryset: QuerySet[Any]
) -> list[Any] | None:
    """The selected ones; None, having said why, where there are too many or some are gone."""
    records = list(queryset.select_related("owner")[: AT_ONCE + 1])
    selected = request.POST.getlist(ACTION_CHECKBOX_NAME)
    if len(records) > AT_ONCE:
        why = _("Select %(most)s at most: nothing was done.") % {"most": AT_ONCE}
    elif "confirmed" in request.POST and len(records) < len(set(selected)):
        why = _("Some of what was selected is gone: nothing was done. Select again.")
    else:
        return records
    model_admin.message_user(request, why, messages.ERROR)
    return None


# --- Hand files over --------------------------------------------------------------------------


class TransferForm(forms.Form):
    """Who is to own the files or folders."""

    new_owner = forms.ModelChoiceField(
        User.objects.filter(is_active=True).order_by("username"), label=gettext_lazy("New owner")
    )


def transfer_many(
    model_admin: Admin, request: HttpRequest, queryset: QuerySet[FileRecord]
) -> HttpResponse | None:
    """The action: ask for the new owner, then hand all the files over, or none."""
    records = _few_enough(model_admin, request, queryset)
    if records is None:
        return None
    form = TransferForm(request.POST if "confirmed" in request.POST else None)
    if _transferred(model_admin, request, form, records):
        return None
    return _transfer_page(request, model_admin, form, records, action="transfer_many")


def transfer_one(request: HttpRequest, object_id: Any, model_admin: Admin) -> HttpResponse:
    """The page of one file that asks for its new owner."""
    if not may_transfer(request):
        raise PermissionDenied
    record = get_object_or_404(FileRecord.objects.select_related("owner"), pk=object_id)
    form = TransferForm(request.POST if request.method == "POST" else None)
    if _transferred(model_admin, request, form, [record]):
        return redirect("admin:files_filerecord_change", record.pk)
    return _transfer_page(request, model_admin, form, [record], original=record)


def transfer_one_tree(request: HttpRequest, object_id: Any, model_admin: Admin) -> HttpResponse:
    """The page of one folder that asks for the new owner of all that is in it."""
    if not may_transfer(request):
        raise PermissionDenied
    trees = Folder.objects.select_related("owner").filter(parent__isnull=False)
    folder = get_object_or_404(trees, pk=object_id)
    form = TransferForm(request.POST if request.method == "POST" else None)
    if _transferred(model_admin, request, form, [folder]):
        return redirect("admin:files_folder_change", folder.pk)
    return _transfer_page(request, model_admin, form, [folder], original=folder)


def transfer_all(request: HttpRequest, user_id: int, model_admin: Admin) -> HttpResponse:
    """The page of one person that hands over what they own: trees first, then files of the root.

    The oldest first.
    """
    if not (may_transfer(request) and model_admin.has_view_permission(request)):
        raise PermissionDenied
    person = get_object_or_404(User, pk=user_id)
    records = _owned(person)
    form = TransferForm(request.POST if request.method == "POST" else None)
    if records and _transferred(model_admin, request, form, records):
        left = still_owned(person)
        if not left:
            return redirect("admin:accounts_user_change", person.pk)
        text = _("Not everything yet: %(person)s still owns %(left)s.") % {
            "person": person,
            "left": left,
        }
        model_admin.message_user(request, text, messages.WARNING)
        return redirect("admin:accounts_user_transfer", person.pk)
    return _transfer_page(request, model_admin, form, records, original=person)


def _owned(person: User) -> list[Item]:
    """What one step hands over of what is that person's."""
    trees = Folder.objects.filter(owner=person, parent__parent=None, parent__isnull=False)
    found: list[Item] = [
        *trees.select_related("owner").order_by("created_at", "pk")[:TREES_AT_ONCE]
    ]
    if len(found) == TREES_AT_ONCE:
        return found
    in_root = Q(folder=None) | Q(folder__parent=None)
    files = FileRecord.objects.filter(in_root, owner=person).select_related("owner")
    return [*found, *files.order_by("created_at", "pk")[:AT_ONCE]]


def still_owned(person: User) -> str:
    """What that person owns, in words; empty where it is nothing but an empty root."""
    files = FileRecord.objects.filter(owner=person).count()
    folders = Folder.objects.filter(owner=person, parent__isnull=False).count()
    return _counted(files, folders)


def _transferred(
    model_admin: Admin, request: HttpRequest, form: TransferForm, records: Sequence[Item]
) -> bool:
    if not form.is_valid():
        return False
    new_owner, actor = form.cleaned_data["new_owner"], _actor(request)
    trees = [one for one in records if isinstance(one, Folder)]
    files = [one for one in records if isinstance(one, FileRecord)]
    done: list[Item] = []
    try:
        done += [one for one in trees if ownership.transfer_tree(one, to=new_owner, actor=actor)]
        count = ownership.transfer(files, to=new_owner, actor=actor) if files else 0
    except ownership.NotTransferred as error:
        form.add_error(None, str(error))
        if done:
            text = _("%(what)s handed over to %(who)s before that, with all that is below.")
            text %= {"what": _kinds(done), "who": new_owner}
            model_admin.message_user(request, text, messages.WARNING)
        return False
    done += files[:count]
    text = (
        _("%(what)s handed over to %(who)s, with all that is below.")
        if trees
        else _("%(what)s handed over to %(who)s.")
    )
    text %= {"what": _kinds(done), "who": new_owner}
    if len(done) < len(records):
        text += " " + _("%(n)s left out: %(who)s owns it already, or it is gone.") % {
            "n": len(records) - len(done),
            "who": new_owner,
        }
    model_admin.message_user(request, text, messages.SUCCESS)
    return True


def _transfer_page(
    request: HttpRequest,
    model_admin: Admin,
    form: forms.Form,
    records: Sequence[Item],
    *,
    action: str = "",
    original: Any = None,
) -> HttpResponse:
    return _page(
        request,
        model_admin,
        form,
        records,
        title=_("Transfer ownership"),
        button=_("Transfer"),
        action=action,
        original=original,
    )


def _page(
    request: HttpRequest,
    model_admin: Admin,
    form: forms.Form,
    records: Sequence[Item],
    *,
    title: str,
    button: str,
    action: str,
    original: Any = None,
) -> HttpResponse:
    context = {
        **model_admin.admin_site.each_context(request),
        "opts": model_admin.opts,
        "media": model_admin.media + form.media,
        "title": title,
        "button": button,
        "form": form,
        "records": records,
        "counted": _kinds(records),
        "shown": [_shown(record) for record in records[:SHOWN]],
        "not_shown": len(records) - SHOWN,
        "original": original,
        "action": action,
        "checkbox": ACTION_CHECKBOX_NAME,
    }
    return TemplateResponse(request, "admin/files/many.html", context)


def _shown(item: Item) -> dict[str, Any]:
    """One of them, as the page that asks names it."""
    found = {"name": str(item), "owner": item.owner, "kind": item.kind}
    if isinstance(item, Folder):
        files, folders, size = placing.counts_below(item)
        return {**found, "files": files, "folders": folders, "size": size}
    return {**found, "size": item.size}
