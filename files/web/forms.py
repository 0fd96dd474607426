"""The forms of the pages. A form checks what was typed; it never stores anything itself."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any, cast

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.core.validators import MaxValueValidator
from django.utils import timezone
from django.utils.html import format_html
from django.views.decorators.debug import sensitive_variables

from accounts.models import User
from files.errors import WeakPassphrase
from files.keys import passphrases
from files.keys.custody import UserKey
from files.models import Custody, Grant
from files.sharing.recipients import Found, Recipient, describe, find, key_of

LAST_DAY = date(2999, 12, 31)
"""The very last ones cannot be computed with in every time zone."""

computable = MaxValueValidator(
    datetime(3000, 1, 1, tzinfo=UTC), "Choose a moment before the year 3000."
)


class SeveralFilesInput(forms.ClearableFileInput):
    allow_multiple_selected = True


class SeveralFilesField(forms.FileField):
    """All the files of one field, where Django's own field keeps the last."""

    widget = SeveralFilesInput

    def clean(self, data: Any, initial: Any = None) -> list[UploadedFile[Any]]:
        """The files, in the order in which they were chosen; at least one."""
        files = data if isinstance(data, list) else [data]
        # An empty file is a file like any other, and names have a rule of their own.
        return [self._one(file) for file in files or [None]]

    def _one(self, file: Any) -> UploadedFile[Any]:
        if not isinstance(file, UploadedFile):
            raise forms.ValidationError(self.error_messages["required"], code="required")
        return file


class PassphraseForm(forms.Form):
    """A passphrase that is to stand for a file's key, typed twice."""

    passphrase = forms.CharField(
        label="Passphrase",
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password", "dir": "auto"}),
    )
    passphrase_again = forms.CharField(
        label="The same passphrase again",
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password", "dir": "auto"}),
    )

    def __init__(self, *args: Any, user: User | None = None, **kwargs: Any) -> None:
        """`user` is whose passphrase it will be: it must not be made of their names."""
        super().__init__(*args, **kwargs)
        self._user = user

    @sensitive_variables()
    def clean(self) -> dict[str, Any]:
        """Hold the passphrase against its repetition and the rule of strength."""
        cleaned = {**self.cleaned_data}
        passphrase = cleaned.get("passphrase") or ""
        again = cleaned.get("passphrase_again") or ""
        if not passphrase and not again:
            return cleaned
        if "\N{REPLACEMENT CHARACTER}" in passphrase:
            # Bytes that were no UTF-8: the key would be of another passphrase than was typed.
            self.add_error("passphrase", "It has characters that did not arrive: send UTF-8.")
            return cleaned
        if passphrase != again:
            self.add_error("passphrase_again", "That is not the same passphrase: type both again.")
            return cleaned
        user = self._user
        known = [user.username, *user.email.split("@")] if user else []
        try:
            passphrases.check(passphrase, known=known)
        except WeakPassphrase as weak:
            self.add_error("passphrase", str(weak))
        return cleaned


class UploadForm(PassphraseForm):
    files = SeveralFilesField(  # type: ignore[assignment]  # shadows what the stubs name
        label="Files", error_messages={"required": "Choose at least one file."}
    )
    custody = forms.ChoiceField(
        label="Who keeps the key?",
        choices=Custody.choices,
        required=False,
        widget=forms.RadioSelect,
        initial=Custody.MANAGED.value,
        error_messages={"invalid_choice": "“%(value)s” is not a custody that this site offers."},
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("passphrase", "passphrase_again"):
            self.fields[name].required = False

    def clean(self) -> dict[str, Any]:
        """A passphrase is for held custody alone."""
        cleaned = super().clean()
        held = cleaned.get("custody") == Custody.HELD
        if cleaned.get("passphrase") and not held and "custody" not in self.errors:
            self.add_error("custody", "A passphrase is for files whose key you keep: choose that.")
        return cleaned

    @sensitive_variables()
    def new_keys(self, count: int) -> list[UserKey] | None:
        """Keys for that many files, as was chosen; None for managed custody. Raises TooBusy."""
        if self.cleaned_data.get("custody") != Custody.HELD:
            return None
        if passphrase := self.cleaned_data.get("passphrase"):
            # Derived once: each file's DEK is locked for that file alone all the same.
            return [UserKey.from_passphrase(passphrase)] * count
        return [UserKey.generated() for _ in range(count)]


class NameForm(forms.Form):
    """A name for a file or a folder; the rule of names is the use case's."""

    name = forms.CharField(
        label="Name",
        max_length=1000,
        error_messages={"required": "Type a name."},
        widget=forms.TextInput(attrs={"autocomplete": "off", "dir": "auto"}),
    )


class ForGoodForm(forms.Form):
    """That what is deleted now is deleted for good, and that this is meant."""

    sure = forms.BooleanField(
        label="I know that nobody can bring it back.",
        error_messages={"required": "Tick this to delete it for good."},
    )


PRESETS = [("1", "1 day"), ("7", "7 days"), ("30", "30 days")]
UNTIL_OWN_END = "own"


def _days(text: str) -> int | str:
    return text if text == UNTIL_OWN_END else int(text)


class ShareForm(forms.Form):
    """A grant as its owner thinks of it: to whom, for what, for how long.

    Where the text does not name exactly one person or group, the form offers those it may mean.
    """

    recipient = forms.CharField(
        label="To",
        max_length=254,
        help_text="User name, full name or e-mail address of a person, or the name of a group. "
        "A part of a name finds up to ten to choose from.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "dir": "auto"}),
    )
    chosen = forms.CharField(label="Who is meant?", required=False, widget=forms.RadioSelect)
    # For which text the choices were offered: they mean nothing once another was typed.
    searched = forms.CharField(required=False, widget=forms.HiddenInput)
    level = forms.ChoiceField(label="May", choices=Grant.Level)
    days = forms.TypedChoiceField(
        label="For",
        coerce=_days,
        required=False,
        empty_value=None,
        choices=[*PRESETS, ("", "no end, or until…")],
        initial="7",
    )
    until = forms.DateField(
        label="Until the end of",
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}),
        validators=[MaxValueValidator(LAST_DAY, "Choose a day before the year 3000.")],
    )
    reason = forms.CharField(max_length=255, required=False)

    def __init__(
        self,
        *args: Any,
        own_end: datetime | None = None,
        of_folder: bool = False,
        **kwargs: Any,
    ) -> None:
        """`own_end` is when the access of the person who shares ends, if it does."""
        super().__init__(*args, **kwargs)
        if not of_folder:
            # Nothing can be put into a file.
            levels = [one for one in Grant.Level.choices if one[0] != Grant.Level.ADD]
            cast("forms.ChoiceField", self.fields["level"]).choices = levels
        self.own_end = own_end
        self.found: Found | None = None
        if own_end is not None:
            days = cast("forms.TypedChoiceField", self.fields["days"])
            days.choices = [
                *PRESETS,
                (UNTIL_OWN_END, "as long as my own access"),
                ("", "until…"),
            ]
            days.initial = UNTIL_OWN_END

    def clean_recipient(self) -> Recipient:
        """The person or the group that is meant; never a guess."""
        text = self.cleaned_data["recipient"].strip()
        found = find(text)
        chosen = self.data.get("chosen") if self.data.get("searched", "").strip() == text else None
        for one in found.similar:
            if key_of(one) == chosen:
                return one
        if len(found.exact) == 1:
            return found.exact[0]
        if not found.similar:
            raise forms.ValidationError("There is no person and no group of that name.")
        self._offer(found, text)
        raise forms.ValidationError(
            "That may mean more than these: choose one, or type more of the name."
            if found.are_more
            else "Choose who is meant, or type another name."
        )

    def _offer(self, found: Found, text: str) -> None:
        self.found = found
        # Somebody may have chosen another's address as user name: each is shown by its own names.
        cast("forms.RadioSelect", self.fields["chosen"].widget).choices = [
            (key_of(one), format_html("<bdi>{}</bdi>", describe(one))) for one in found.similar
        ]
        self.data = {**{name: self.data.get(name) for name in self.data}, "searched": text}

    def clean(self) -> dict[str, Any]:
        """Add `expires_at`, from the days or the date."""
        cleaned = {**self.cleaned_data}
        days, until = cleaned.get("days"), cleaned.get("until")
        expires_at = None
        if until is not None and days is not None:
            chosen = "your own access" if days == UNTIL_OWN_END else f"{days} day{'s'[: days != 1]}"
            self.add_error(
                "until",
                f"You chose {chosen} and a day, and only one can be meant: empty the day, or "
                "choose “until…” above.",
            )
        if until is not None:
            midnight = datetime.combine(until + timedelta(days=1), time.min)
            expires_at = timezone.make_aware(midnight)
        elif days == UNTIL_OWN_END:
            expires_at = self.own_end
        elif days is not None:
            expires_at = timezone.now() + timedelta(days=days)
        if expires_at is not None and expires_at <= timezone.now():
            self.add_error("until", "Choose a day that is not over.")
        cleaned["expires_at"] = expires_at
        return cleaned
