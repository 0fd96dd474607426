"""Grants in the administration: given, changed, revoked, never deleted, for they are history.

Every change goes through a use case, which audits it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

from django import forms
from django.contrib import admin, messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from accounts.models import User
from files.administration.bulk_actions import levels_of_files
from files.models import Grant
from files.sharing import granting
from files.upkeep import attention
from files.web.forms import computable
from runtime.administration import BoundedPaginator, SoundChoices, status

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise


INLINE = 50
"""Grants on the page of a file, the newest; the list of grants has them all."""

TOLD = 20
"""Grants that were revoked in one step of which is said what remains; the list has the others."""


STATES = {
    "live": (_("active"), "well"),
    "scheduled": (_("not begun"), "soon"),
    "expired": (_("ended"), "over"),
    "revoked": (_("revoked"), "over"),
}
"""The states of a share, as words and how they look."""


def status_of(grant: Grant) -> str:
    """What is the matter with it now; what ends soon looks so."""
    now = timezone.now()
    name = grant.status_at(now)
    word, tone = STATES[name]
    if name == "live" and grant.expires_at and grant.expires_at <= now + attention.ENDING:
        word, tone = _("ends soon"), "soon"
    return status(word, tone)


def actor_of(request: HttpRequest) -> User:
    """Who uses the administration."""
    return cast("User", request.user)


class GrantForm(forms.ModelForm[Grant]):
    """A grant, with a box to revoke one that exists."""

    of_files = False

    revoke = forms.BooleanField(required=False, label=_("Revoke now"))

    class Meta:
        model = Grant
        fields = ("file", "folder", "user", "group", "level", "starts_at", "expires_at", "reason")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        exists = not self.instance._state.adding
        if not exists or self.instance.revoked_at is not None:
            self.fields["revoke"].disabled = True
        if exists:
            self._fix("file", "folder", "user", "group")
        for name in self.fields.keys() & {"starts_at", "expires_at"}:
            self.fields[name].validators.append(computable)
        # The page of a file: what it is about is no field there, and the rule would not be asked.
        if "level" in self.fields and self.of_files:
            self.fields["level"].choices = levels_of_files()  # type: ignore[attr-defined]

    def _fix(self, *names: str) -> None:
        """Whom a grant was for, and to what, is history: end it and make another."""
        for name in self.fields.keys() & set(names):
            chosen = getattr(self.instance, name)
            only = (chosen.pk, chosen) if chosen else ("", "")
            self.fields[name].disabled = True
            # The usual widget would ask the database for its one option, in every row.
            self.fields[name].widget = forms.Select(choices=[only])


def tell_left(request: HttpRequest, ended: Sequence[Grant]) -> None:
    """Say how those whose grants were revoked still get in, and where that can be ended."""
    for grant in ended[:TOLD]:
        left = granting.remaining(grant.target, grant.user, grant.group)
        if left:
            query = urlencode({"id__in": ",".join(str(one.pk) for one in left)})
            messages.warning(
                request,
                format_html(
                    '“{}”: {} <a href="{}?{}">{}</a>.',
                    grant.target,
                    granting.describe_left(left, grant.recipient_name),
                    reverse("admin:files_grant_changelist"),
                    query,
                    _("Show what is left"),
                ),
            )
    if len(ended) > TOLD:
        text = _("Of the other %(n)s, “Effective access” of each says who reads it.") % {
            "n": len(ended) - TOLD
        }
        messages.warning(request, text)


def save(form: GrantForm, grant: Grant, request: HttpRequest, *, is_new: bool) -> None:
    """Do what the form of one grant says, through the use cases. Raises ValidationError."""
    actor = actor_of(request)
    if is_new:
        grant_once(grant, request)
        return
    if form.changed_data and form.changed_data != ["revoke"]:
        granting.change(grant, actor=actor)
    if form.cleaned_data.get("revoke") and granting.revoke(grant, actor=actor):
        tell_left(request, [grant])


def save_all(formset: Any, request: HttpRequest) -> None:
    """Save the grants of a page through the use cases."""
    formset.save(commit=False)
    for new in formset.new_objects:
        grant_once(new, request)
    for grant_form in formset.initial_forms:
        if grant_form.has_changed():
            save(grant_form, grant_form.instance, request, is_new=False)


def grant_once(new: Grant, request: HttpRequest) -> None:
    """Grant; where the same is there already, the page goes on with that one."""
    made = granting.grant(new, actor=actor_of(request))
    if made is not new:
        for field in Grant._meta.concrete_fields:
            setattr(new, field.attname, getattr(made, field.attname))
        new._state.adding = False
        text = _("%(who)s had that already: it is one share, number %(number)s.") % {
            "who": made.recipient_name,
            "number": made.pk,
        }
        messages.info(request, text)


class GrantOfFileForm(GrantForm):
    """As a row of the page of a file."""

    of_files = True


class NewestGrants(forms.BaseInlineFormSet[Any, Any, Any]):
    """The newest grants of it: all of many would be more fields than a form may have."""

    def get_queryset(self) -> QuerySet[Grant]:
        if not hasattr(self, "_queryset") and self.queryset is not None:
            of_it = Grant.objects.filter(**{self.fk.name: self.instance})
            newest = of_it.order_by("-pk").values("pk")
            self.queryset = self.queryset.filter(pk__in=newest[:INLINE])
        return super().get_queryset()


class GrantInline(SoundChoices, admin.TabularInline[Any, Any]):
    """The grants of a folder, on its page."""

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

    @admin.display(description=_("status"))
    def shown_status(self, grant: Grant) -> str:
        return status_of(grant) if grant.pk else ""

    def get_queryset(self, request: HttpRequest) -> QuerySet[Grant]:
        return super().get_queryset(request).select_related("user", "group", "granted_by")


class GrantOfFileInline(GrantInline):
    """The grants of a file, on its page."""

    form = GrantOfFileForm


class KindFilter(admin.SimpleListFilter):
    title = _("what is shared")
    parameter_name = "for"

    def lookups(self, request: Any, model_admin: Any) -> list[tuple[Any, str | _StrPromise]]:
        return [("file", _("a file")), ("folder", _("a folder"))]

    def queryset(self, request: Any, queryset: QuerySet[Grant]) -> QuerySet[Grant] | None:
        conditions = {"file": Q(folder=None), "folder": Q(folder__isnull=False)}
        return queryset.filter(conditions.get(self.value() or "", Q()))


class StatusFilter(admin.SimpleListFilter):
    title = _("status")
    parameter_name = "status"

    def lookups(self, request: Any, model_admin: Any) -> list[tuple[Any, str | _StrPromise]]:
        named = [(name, word) for name, (word, _tone) in STATES.items()]
        return [*named, ("expiring", _("ends within 7 days"))]

    def queryset(self, request: Any, queryset: QuerySet[Grant]) -> QuerySet[Grant] | None:
        now = timezone.now()
        live = Q(pk__in=Grant.objects.live(now).values("pk"))
        conditions = {
            "live": live,
            "expiring": Q(pk__in=Grant.objects.ending(now, within=attention.ENDING).values("pk")),
            "scheduled": Q(revoked_at=None, starts_at__gt=now),
            "expired": Q(revoked_at=None, expires_at__lte=now),
            "revoked": Q(revoked_at__isnull=False),
        }
        return queryset.filter(conditions.get(self.value() or "", Q()))


class GrantAdmin(admin.ModelAdmin[Grant]):
    form = GrantForm
    list_display = ("what", "recipient", "shown_status", "until", "short_level", "granted_by")
    list_filter = (StatusFilter, KindFilter, "level")
    list_select_related = ("file", "folder", "user", "group", "granted_by")
    search_fields = (
        *("file__name", "folder__name", "user__username", "user__email", "group__name", "reason"),
    )
    autocomplete_fields = ("file", "folder", "user", "group")
    fields = (
        "file",
        "folder",
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

    @admin.display(description=_("what"), ordering="file")
    def what(self, grant: Grant) -> str:
        if grant.folder is None:
            return str(grant.file)
        return _("the folder “%(name)s”") % {"name": grant.folder}

    @admin.display(description=_("for"))
    def recipient(self, grant: Grant) -> str:
        return grant.recipient_name

    @admin.display(description=_("status"))
    def shown_status(self, grant: Grant) -> str:
        return status_of(grant)

    @admin.display(description=_("until"), ordering="expires_at")
    def until(self, grant: Grant) -> Any:
        return grant.expires_at or _("no end")

    @admin.display(description=_("may"), ordering="level")
    def short_level(self, grant: Grant) -> str:
        """Its first word: the rest explains it, where it is chosen."""
        return str(grant.get_level_display()).split(":", 1)[0]

    @admin.action(description=_("Revoke the selected shares"), permissions=["change"])
    def revoke_selected(self, request: HttpRequest, queryset: QuerySet[Grant]) -> None:
        chosen = list(queryset)
        ended = [grant for grant in chosen if granting.revoke(grant, actor=actor_of(request))]
        text = ngettext("%(n)s share revoked.", "%(n)s shares revoked.", len(ended))
        self.message_user(request, text % {"n": len(ended)}, messages.SUCCESS)
        tell_left(request, ended)

    def get_fields(self, request: HttpRequest, obj: Grant | None = None) -> Any:
        """One that is being made has no past, and is not ended at once.

        Elsewhere, where nothing is named, what all of them have is asked for: for filters.
        """
        is_new = request.path == reverse("admin:files_grant_add")
        return self.fields[: self.fields.index("granted_by")] if is_new else self.fields

    def get_readonly_fields(self, request: HttpRequest, obj: Grant | None = None) -> Any:
        fixed = ("file", "folder", "user", "group") if obj else ()
        return (*self.readonly_fields, *fixed)

    def has_delete_permission(self, request: HttpRequest, obj: Grant | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Grant, form: Any, change: bool) -> None:
        save(form, obj, request, is_new=not change)
