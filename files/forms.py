"""The forms of the pages. A form checks what was typed; it never stores anything itself."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Any

from django import forms
from django.contrib.auth.models import Group
from django.core.files.uploadedfile import UploadedFile
from django.db.models import Q
from django.utils import timezone

from accounts.models import User
from files.models import Custody, Grant


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


class UploadForm(forms.Form):
    files = SeveralFilesField(  # type: ignore[assignment]  # shadows what the stubs name
        label="Files", error_messages={"required": "Choose at least one file."}
    )
    custody = forms.ChoiceField(
        choices=[(Custody.MANAGED.value, Custody.MANAGED.label)],
        required=False,
        widget=forms.HiddenInput,
        initial=Custody.MANAGED.value,
        error_messages={"invalid_choice": "“%(value)s” is not a custody that this site offers."},
    )


class ShareForm(forms.Form):
    """A grant as its owner thinks of it: to whom, for what, for how long."""

    recipient = forms.CharField(
        label="To",
        max_length=254,
        help_text="User name or e-mail address of a person, or the name of a group.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "dir": "auto"}),
    )
    level = forms.ChoiceField(label="May", choices=Grant.Level)
    days = forms.TypedChoiceField(
        label="For",
        coerce=int,
        required=False,
        empty_value=None,
        choices=[("1", "1 day"), ("7", "7 days"), ("30", "30 days"), ("", "no end, or until…")],
        initial="7",
    )
    until = forms.DateField(
        label="Until the end of", required=False, widget=forms.DateInput(attrs={"type": "date"})
    )
    reason = forms.CharField(max_length=255, required=False)

    def clean_recipient(self) -> User | Group:
        """The person or the group of that name."""
        name = self.cleaned_data["recipient"].strip()
        people = User.objects.filter(Q(username__iexact=name) | Q(email__iexact=name))
        found: list[User | Group] = [
            *people.filter(is_active=True)[:2],
            *Group.objects.filter(name=name),
        ]
        if not found:
            raise forms.ValidationError("There is no person and no group of that name.")
        if len(found) > 1:
            # Somebody may have chosen another's address as user name: never guess who is meant.
            raise forms.ValidationError("That names more than one: ask an administrator.")
        return found[0]

    def clean(self) -> dict[str, Any]:
        """Add `expires_at`, from the days or the date."""
        cleaned = {**self.cleaned_data}
        days, until = cleaned.get("days"), cleaned.get("until")
        expires_at = None
        if until is not None:
            midnight = datetime.combine(until + timedelta(days=1), time.min)
            expires_at = timezone.make_aware(midnight)
        elif days is not None:
            expires_at = timezone.now() + timedelta(days=days)
        if expires_at is not None and expires_at <= timezone.now():
            self.add_error("until", "Choose a day that is not over.")
        cleaned["expires_at"] = expires_at
        return cleaned
