"""Forms: to accept an invitation; and allauth's for second factors, made safe.

allauth's keep seeds in the session as they are, and let some nonsense through to its parsers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from allauth.account import forms as account
from allauth.core import context
from allauth.mfa.adapter import get_adapter
from allauth.mfa.models import Authenticator
from allauth.mfa.totp import forms as totp
from allauth.mfa.totp.internal import auth as totp_auth
from allauth.mfa.webauthn import forms as webauthn
from django import forms
from django.conf import settings
from django.contrib.auth.forms import SetPasswordMixin
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.forms.fields import InvalidJSONInput
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

import audit
from accounts import members, profiles
from accounts.models import User
from accounts.names import is_seen
from files.crypto.portable import clean_line
from notices import readers
from runtime.administration import SoundMultipleChoiceField

# What the parts below a credential raise when it is not one. All of it is the client's doing.
_NONSENSE = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


if TYPE_CHECKING:
    BasePasswordMixin = SetPasswordMixin[User]
else:
    BasePasswordMixin = SetPasswordMixin  # Generic for the type checker only.


class LoginForm(account.LoginForm):
    """As allauth's; browsers offer the names that they keep, and passkeys, at its first field."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["login"].widget.attrs["autocomplete"] = "username webauthn"


class ProfileForm(forms.Form):
    """One's own name, language and time zone."""

    full_name = forms.CharField(
        label=_("Full name"),
        required=False,
        max_length=profiles.LONGEST_NAME,
        widget=forms.TextInput(attrs={"autocomplete": "name", "dir": "auto"}),
        help_text=_("Others see it beside your user name when they share with you."),
    )
    language = forms.ChoiceField(
        label=_("Language"),
        required=False,
        choices=lambda: [("", _("As the browser says")), *settings.LANGUAGES],
    )
    time_zone = forms.ChoiceField(
        label=_("Time zone"),
        required=False,
        choices=lambda: [
            ("", _("As the browser says")),
            *((name, name.replace("_", " ")) for name in sorted(readers.zones())),
        ],
    )

    def clean_full_name(self) -> str:
        """The name on one line, without what cannot be seen."""
        name = clean_line(self.cleaned_data["full_name"])
        if name and not is_seen(name):
            raise ValidationError(_("Type a name that can be seen, or leave it empty."))
        return name


class AcceptForm(BasePasswordMixin, forms.Form):
    """A name and a password for the account that an invitation is for."""

    username = forms.CharField(
        label=_("User name"),
        max_length=150,
        validators=User.username_validators(),
        widget=forms.TextInput(attrs={"autocomplete": "username", "autocapitalize": "none"}),
        help_text=_("Letters, digits and @ . + - _. You sign in with it, or with your address."),
    )
    password1, password2 = SetPasswordMixin.create_password_fields()

    def __init__(self, *args: Any, email: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._email = email

    def clean_username(self) -> str:
        name = str(User.normalize_username(self.cleaned_data["username"]))
        if User.objects.filter(username__iexact=name).exists():
            raise ValidationError(gettext("An account with this user name exists already."))
        return name

    def clean(self) -> dict[str, Any]:
        super().clean()
        self.validate_passwords()
        person = User(username=self.cleaned_data.get("username", ""), email=self._email)
        self.validate_password_for_user(person)
        return self.cleaned_data

    def refuse(self, refused: ValidationError) -> None:
        """Show what the database found: errors of fields that are not here stand at the top."""
        for field, problems in refused.message_dict.items():
            self.add_error(field if field in self.fields else None, problems)


class InviteForm(forms.Form):
    """Whom to invite; and, for superusers, into which groups."""

    email = forms.EmailField(label=_("E-mail address"), max_length=254)
    groups = SoundMultipleChoiceField(
        Group.objects.order_by("name"),
        label=_("Groups"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("None chosen: Members."),
    )

    def __init__(self, *args: Any, may_choose_groups: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not may_choose_groups:
            del self.fields["groups"]
        else:
            self.fields["groups"].initial = Group.objects.filter(name=members.NAME)


class ActivateTOTPForm(totp.ActivateTOTPForm):
    """As allauth's, but the seed waits in the session under the keyring, not as it is."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.user = kwargs.pop("user")
        forms.Form.__init__(self, *args, **kwargs)
        self.secret = self._seed()

    def clean_code(self) -> str:
        code = str(super().clean_code())
        # As at a sign-in: whoever saw it being typed cannot sign in with it.
        if not totp_auth.TOTP(Authenticator(user=self.user))._mark_code_used(code):
            raise get_adapter().validation_error("incorrect_code")
        return code

    def _seed(self) -> str:
        session = context.request.session
        if self.is_bound:
            kept = get_adapter().still_readable(session.get(totp_auth.SECRET_SESSION_KEY, ""))
            if kept is not None:
                return str(kept)
        # The session is new, or the key was retired: another seed is as good.
        seed = str(totp_auth.generate_totp_secret())
        session[totp_auth.SECRET_SESSION_KEY] = get_adapter().encrypt(seed)
        return seed


class CredentialField(forms.JSONField):
    """As Django's, but brackets without end are no JSON either, and no failure of ours."""

    def to_python(self, value: Any) -> Any:
        try:
            return super().to_python(value)
        except RecursionError:
            raise ValidationError(self.error_messages["invalid"], code="invalid") from None

    def bound_data(self, data: Any, initial: Any) -> Any:
        try:
            return super().bound_data(data, initial)
        except RecursionError:
            return InvalidJSONInput("")


class AddWebAuthnForm(webauthn.AddWebAuthnForm):
    credential = CredentialField(
        widget=forms.HiddenInput,
        error_messages={"required": _("Adding a passkey needs JavaScript.")},
    )
    name = forms.CharField(required=False, max_length=100)
    passwordless = forms.BooleanField(
        required=False,
        help_text=_("Then the key makes sure of you: by a fingerprint, a face or a PIN."),
    )

    def clean_name(self) -> str:
        return clean_line(self.cleaned_data["name"])

    def clean(self) -> dict[str, Any]:
        try:
            return dict(super().clean())
        except ValidationError:
            raise
        except _NONSENSE:
            raise get_adapter().validation_error("incorrect_code") from None


class EditWebAuthnForm(webauthn.EditWebAuthnForm):
    name = forms.CharField(max_length=100)

    def clean_name(self) -> str:
        name = self.cleaned_data["name"]
        if not is_seen(name):
            raise ValidationError(
                gettext("Nothing of this name can be seen: give it letters or digits.")
            )
        return clean_line(name)


class _CredentialForm(webauthn.AuthenticateWebAuthnForm):
    credential = CredentialField(
        widget=forms.HiddenInput, error_messages={"required": _("A passkey needs JavaScript.")}
    )

    def clean_credential(self) -> Any:
        try:
            return super().clean_credential()
        except ValidationError as refused:
            self._record(refused)
            raise
        except _NONSENSE:
            refusal = get_adapter().validation_error("incorrect_code")
            self._record(refusal)
            raise refusal from None

    def _record(self, refused: ValidationError) -> None:
        if refused.code == "incorrect_code":
            audit.record(
                audit.Event.SIGN_IN_FAILED,
                user_id=self.user.pk if self.user else None,
                username=self.user.username if self.user else None,
                factor="webauthn",
            )


class AuthenticateWebAuthnForm(_CredentialForm):
    reauthenticated = False
    passwordless = False


class ReauthenticateWebAuthnForm(_CredentialForm):
    reauthenticated = True
    passwordless = False


class LoginWebAuthnForm(_CredentialForm):
    reauthenticated = False
    passwordless = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, user=None, **kwargs)
