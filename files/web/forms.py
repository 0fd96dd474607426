"""The forms of the pages. A form checks what was typed; it never stores anything itself."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.core.validators import MaxValueValidator
from django.utils.translation import gettext, gettext_lazy
from django.views.decorators.debug import sensitive_variables

from accounts.models import User
from files.errors import WeakPassphrase
from files.keys import passphrases
from files.keys.custody import UserKey
from files.models import Custody

LAST_DAY = date(2999, 12, 31)
"""The very last ones cannot be computed with in every time zone."""

computable = MaxValueValidator(
    datetime(3000, 1, 1, tzinfo=UTC), gettext_lazy("Choose a moment before the year 3000.")
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
        label=gettext_lazy("Passphrase"),
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password", "dir": "auto"}),
    )
    passphrase_again = forms.CharField(
        label=gettext_lazy("The same passphrase again"),
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
            self.add_error(
                "passphrase", gettext("It has characters that did not arrive: send UTF-8.")
            )
            return cleaned
        if passphrase != again:
            self.add_error(
                "passphrase_again", gettext("That is not the same passphrase: type both again.")
            )
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
        label=gettext_lazy("Files"),
        error_messages={"required": gettext_lazy("Choose at least one file.")},
    )
    custody = forms.ChoiceField(
        label=gettext_lazy("Who keeps the key?"),
        choices=Custody.choices,
        required=False,
        widget=forms.RadioSelect,
        initial=Custody.MANAGED.value,
        error_messages={
            "invalid_choice": gettext_lazy(
                "“%(value)s” is no answer to who keeps the key: choose one."
            )
        },
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
            self.add_error(
                "custody", gettext("A passphrase is for files whose key you keep: choose that.")
            )
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
        label=gettext_lazy("Name"),
        max_length=1000,
        error_messages={"required": gettext_lazy("Type a name.")},
        widget=forms.TextInput(attrs={"autocomplete": "off", "dir": "auto"}),
    )


class ForGoodForm(forms.Form):
    """That what is deleted now is deleted for good, and that this is meant."""

    sure = forms.BooleanField(
        label=gettext_lazy("I know that nobody can bring it back."),
        error_messages={"required": gettext_lazy("Tick this to delete it for good.")},
    )
