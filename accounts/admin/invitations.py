"""Invitations in the administration: sent, sent again, taken back.

Never deletes one: what was sent stays as history.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from accounts import invitations
from accounts.forms import InviteForm
from accounts.limits import LimitReached
from accounts.models import Invitation, User
from runtime.administration import status

if TYPE_CHECKING:
    BaseInvitationAdmin = admin.ModelAdmin[Invitation]
else:
    BaseInvitationAdmin = admin.ModelAdmin

STATES = {
    "open": (_("not used yet"), "soon"),
    "expired": (_("expired"), "over"),
    "accepted": (_("accepted"), "well"),
    "revoked": (_("taken back"), "over"),
}
"""The states of an invitation, as words and how they look."""


class InvitationFilter(admin.SimpleListFilter):
    title = _("status")
    parameter_name = "state"

    def lookups(self, request: Any, model_admin: Any) -> list[tuple[Any, Any]]:
        named = [(state, word) for state, (word, _tone) in STATES.items()]
        return [("waiting", _("unused")), *named]

    def queryset(self, request: Any, queryset: QuerySet[Invitation]) -> QuerySet[Invitation] | None:
        now = timezone.now()
        conditions = {
            "waiting": Q(accepted_at=None, revoked_at=None),
            "open": Q(accepted_at=None, revoked_at=None, expires_at__gt=now),
            "expired": Q(accepted_at=None, revoked_at=None, expires_at__lte=now),
            "accepted": Q(accepted_at__isnull=False),
            "revoked": Q(revoked_at__isnull=False),
        }
        return queryset.filter(conditions.get(self.value() or "", Q()))


@admin.register(Invitation)
class InvitationAdmin(BaseInvitationAdmin):
    """Invite by mail, send again, revoke. What was sent stays as history."""

    list_display = ("email", "shown_state", "expires_at", "invited_by", "to_groups", "sent_at")
    list_filter = (InvitationFilter,)
    list_select_related = ("invited_by",)
    search_fields = ("email", "invited_by__username")
    fields = (*list_display, "accepted_at", "accepted_by", "revoked_at", "revoked_by")
    readonly_fields = fields
    actions = ("send_again", "revoke")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Invitation]:
        return super().get_queryset(request).prefetch_related("groups")

    @admin.display(description=_("status"))
    def shown_state(self, invitation: Invitation) -> str:
        return status(*STATES[invitation.state])

    @admin.display(description=_("groups"))
    def to_groups(self, invitation: Invitation) -> str:
        return ", ".join(group.name for group in invitation.groups.all())

    def has_invite_permission(self, request: HttpRequest) -> bool:
        return isinstance(request.user, User) and invitations.may_invite(request.user)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Invitation | None = None) -> bool:
        return self.has_invite_permission(request) or super().has_view_permission(request, obj)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self.has_invite_permission(request)

    def has_change_permission(self, request: HttpRequest, obj: Invitation | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Invitation | None = None) -> bool:
        return False

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Ask for an address and send the invitation."""
        if not self.has_invite_permission(request):
            raise PermissionDenied
        form = InviteForm(
            request.POST if request.method == "POST" else None,
            may_choose_groups=request.user.is_superuser,
        )
        if form.is_valid() and self._invited(request, form):
            return redirect("admin:accounts_invitation_changelist")
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("Invite by e-mail"),
            "form": form,
        }
        return TemplateResponse(request, "admin/accounts/invitation/add_form.html", context)

    def _invited(self, request: HttpRequest, form: InviteForm) -> bool:
        given = form.cleaned_data
        try:
            sent = invitations.invite(
                given["email"],
                groups=given.get("groups", ()),
                actor=cast("User", request.user),
                request=request,
            )
        except ValidationError as refused:
            form.add_error("email", refused)
            return False
        except LimitReached as reached:
            form.add_error(None, str(reached))
            return False
        self._tell(request, sent)
        return True

    def _tell(self, request: HttpRequest, sent: Invitation) -> None:
        text = _("The invitation to %(email)s is on its way.") % {"email": sent.email}
        self.message_user(request, text, messages.SUCCESS)

    @admin.action(description=_("Send the chosen invitations again"), permissions=["invite"])
    def send_again(self, request: HttpRequest, chosen: QuerySet[Invitation]) -> None:
        for invitation in chosen:
            try:
                sent = invitations.resend(
                    invitation, actor=cast("User", request.user), request=request
                )
            except invitations.NotOpen:
                text = _("%(email)s: %(state)s already; invite anew.") % {
                    "email": invitation.email,
                    "state": STATES[invitation.state][0],
                }
                self.message_user(request, text, messages.ERROR)
            except LimitReached as reached:
                self.message_user(request, f"{invitation.email}: {reached}", messages.ERROR)
            else:
                self._tell(request, sent)

    @admin.action(description=_("Take back the chosen invitations"), permissions=["invite"])
    def revoke(self, request: HttpRequest, chosen: QuerySet[Invitation]) -> None:
        actor = cast("User", request.user)
        revoked = sum(invitations.revoke(invitation, actor=actor) for invitation in chosen)
        text = ngettext("%(n)s invitation taken back.", "%(n)s invitations taken back.", revoked)
        self.message_user(request, text % {"n": revoked}, messages.SUCCESS)
