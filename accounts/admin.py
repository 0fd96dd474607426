"""People in the admin, and the way into it.

The admin's own sign-in page knows no limit on guesses, so it sends people to the site's.

Only a superuser decides who is staff and who may do what, and nobody edits an account that has more
power than they have: `accounts.authority` has the rule, and every page here is behind it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

# Imported for what they register, so that it can be replaced below.
import allauth.account.admin
import allauth.mfa.admin
import allauth.usersessions.admin
from allauth.account.decorators import secure_admin_login
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.contrib import admin, messages
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.forms import AdminPasswordChangeForm
from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Count, ProtectedError, Q, QuerySet
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.text import format_lazy
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from accounts import finding, invitations, lockouts, members, names, powers, tokens
from accounts.forms import InviteForm
from accounts.limits import Limit, LimitReached
from accounts.models import Invitation, Token, User
from files.crypto.portable import clean_line
from runtime.administration import status

if TYPE_CHECKING:
    BaseUserAdmin = DjangoUserAdmin[User]
    BasePasswordForm = AdminPasswordChangeForm[User]
    BaseFactorAdmin = admin.ModelAdmin[Authenticator]
    BaseInvitationAdmin = admin.ModelAdmin[Invitation]
    BaseTokenAdmin = admin.ModelAdmin[Token]
    BaseAnyAdmin = admin.ModelAdmin[Any]
    BaseAddressAdmin = admin.ModelAdmin[EmailAddress]
    BaseGroupForm = ModelForm[Group]
else:
    BaseGroupForm = ModelForm
    BasePasswordForm = AdminPasswordChangeForm
    BaseAnyAdmin = object
    BaseAddressAdmin = allauth.account.admin.EmailAddressAdmin
    BaseFactorAdmin = BaseInvitationAdmin = BaseTokenAdmin = admin.ModelAdmin
    BaseUserAdmin = DjangoUserAdmin  # Generic for the type checker only.

# Sessions are their owners' business, and their rows say who used the site and from where.
admin.site.unregister((Authenticator, UserSession))
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]


# The admin's own page lets the old password be guessed as often as one likes.
CHANGING = Limit("admin_password_change", {"user": "5/5m"})
_page_of_django = admin.site.password_change


def _change_password(request: HttpRequest, extra_context: Any = None) -> HttpResponse:
    if request.method == "POST":
        try:
            CHANGING.take(request, user=request.user.pk)
        except LimitReached as reached:
            lockouts.note(request, CHANGING.action, reached.wait, new=reached.is_new)
            raise
    return _page_of_django(request, extra_context)


admin.site.password_change = _change_password  # type: ignore[method-assign, assignment]


class Audited(BaseAnyAdmin):
    """Lets what one form changes be one event: accounts and groups decide who may read what."""

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.method != "POST":
            return super().changeform_view(request, *args, **kwargs)
        with powers.as_one():
            return super().changeform_view(request, *args, **kwargs)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        with powers.as_one():
            super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        with powers.as_one():
            super().delete_queryset(request, queryset)

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        powers.note(obj, "changed")  # Whatever it was: a name, a quota.
        return super().log_change(request, obj, message)


class ToldObstacles(BaseAnyAdmin):
    """Says in words what stands in the way of a deletion, and names no file."""

    def obstacles(self, things: Any) -> list[str]:
        """Why these cannot be deleted, and what to do instead."""
        return []

    def get_deleted_objects(
        self, objs: Any, request: HttpRequest
    ) -> tuple[list[Any], dict[Any, int], set[Any], list[Any]]:
        obstacles = self.obstacles(objs)
        if obstacles:
            return [], {}, set(), obstacles
        return super().get_deleted_objects(objs, request)


class FoundByName(BaseAnyAdmin):
    """Searches, and suggestions in forms, find people and groups without case and accents, too."""

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        found, may_repeat = super().get_search_results(request, queryset, search_term)
        if finding.words_typed(search_term):
            found = found | finding.with_parts(queryset, search_term)
        return found, may_repeat


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


admin.site.unregister(Group)


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


admin.site.unregister(EmailAddress)


@admin.register(EmailAddress)
class EmailAddressAdmin(BaseAddressAdmin):
    """allauth's, that asks for a person by name and not by number."""

    list_display = ("email", "verified", "primary", "user")
    list_select_related = ("user",)
    raw_id_fields = ()
    autocomplete_fields = ("user",)


@admin.register(Authenticator)
class SecondFactorAdmin(BaseFactorAdmin):
    """For people who lost their phone or key: superusers may remove a factor, and see no seed."""

    list_display = ("user", "type", "last_used_at", "created_at")
    list_filter = ("type",)
    list_select_related = ("user",)
    search_fields = ("user__username", "user__email")
    fields = list_display
    readonly_fields = list_display

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Authenticator | None = None) -> bool:
        return False


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


TOKEN_STATES = {
    "live": (_("live"), "well"),
    "expired": (_("expired"), "over"),
    "revoked": (_("revoked"), "over"),
}
"""The states of a token, as words and how they look."""


@admin.register(Token)
class TokenAdmin(BaseTokenAdmin):
    """Whose programs may what, to be looked at and revoked; how one is made needs to know folders
    (`files.administration.tokens`)."""

    list_display = (
        *("name", "user", "shown_state", "scopes", "expires_at", "last_used_at", "last_used_from"),
        "shown_fingerprint",
    )
    list_filter = ("revoked_at", "expires_at")
    list_select_related = ("user",)
    search_fields = ("user__username", "name", "=digest")
    search_help_text = _("A person, a name, or the SHA-256 of a token")
    fields = (
        *("name", "user", "shown_state", "scopes", "folder_id", "networks", "created_at"),
        *("made_by", "expires_at", "last_used_at", "last_used_from", "revoked_at", "revoked_by"),
        "shown_fingerprint",
    )
    readonly_fields = fields
    actions = ("revoke",)

    @admin.display(description=_("status"))
    def shown_state(self, token: Token) -> str:
        return status(*TOKEN_STATES[token.state])

    @admin.display(description=_("fingerprint"), ordering="digest")
    def shown_fingerprint(self, token: Token) -> str:
        return token.fingerprint

    def has_delete_permission(self, request: HttpRequest, obj: Token | None = None) -> bool:
        return False

    @admin.action(description=_("Revoke the chosen tokens"), permissions=["change"])
    def revoke(self, request: HttpRequest, chosen: QuerySet[Token]) -> None:
        actor = cast("User", request.user)
        revoked = sum(tokens.revoke(token, actor=actor) for token in chosen.select_related("user"))
        text = ngettext("%(n)s token revoked.", "%(n)s tokens revoked.", revoked)
        self.message_user(request, text % {"n": revoked}, messages.SUCCESS)
