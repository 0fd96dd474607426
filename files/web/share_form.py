"""The form that shares: with whom, for what, until when. It stores nothing itself.

Every field works by itself, without a script. The script of the page (`share.js`) shows one field
for people and groups with suggestions, and hides what the choice of an end does not need.
"""

from __future__ import annotations

import calendar
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from typing import Any, cast

from django import forms
from django.core.validators import MaxValueValidator
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as say
from django.utils.translation import gettext_lazy as _

from accounts import limits
from files.models import Folder, Grant, Item
from files.sharing import named
from files.sharing.granting import Terms
from files.sharing.recipients import Recipient
from files.web.forms import LAST_DAY
from files.web.requested import user_of
from files.web.words import levels_of

OWN_END = "own"
ON_A_DATE = "date"
_DAYS = {"1": 1, "7": 7, "30": 30}
_MONTHS = {"months": 3}


def _ends(*, own: bool) -> list[tuple[str, Any]]:
    """What the one field offers that says until when; `own`, where one's own access ends."""
    return [
        *([(OWN_END, _("as long as my own access"))] if own else [("", _("no end"))]),
        ("1", _("1 day")),
        ("7", _("7 days")),
        ("30", _("30 days")),
        ("months", _("3 months")),
        (ON_A_DATE, _("on a date…")),
    ]


class _Unknown(Exception):
    """A name that means nobody, or several."""


class ShareForm(forms.Form):
    to = forms.CharField(
        label=_("Share with"),
        max_length=20_000,
        widget=forms.Textarea(
            attrs={"rows": 2, "autocomplete": "off", "spellcheck": "false", "dir": "auto"}
        ),
        help_text=_("People by user name, full name or e-mail address, groups by name."),
        error_messages={"required": _("Name at least one person or group.")},
    )
    level = forms.ChoiceField(label=_("They can"))
    until = forms.ChoiceField(label=_("Until"), required=False, initial="7")
    day = forms.DateField(
        label=_("Last day"),
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        validators=[MaxValueValidator(LAST_DAY, _("Choose a day before the year 3000."))],
        help_text=_("For “on a date…”. It ends when that day does."),
    )
    begins = forms.DateField(
        label=_("Not before"),
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        validators=[MaxValueValidator(LAST_DAY, _("Choose a day before the year 3000."))],
        help_text=_("Leave it empty to begin at once."),
    )
    reason = forms.CharField(
        label=_("Reason"),
        max_length=255,
        required=False,
        help_text=_("A note for yourself and others who manage it."),
    )

    def __init__(
        self,
        data: Any = None,
        *,
        items: Sequence[Item],
        own_end: datetime | None = None,
    ) -> None:
        """`own_end` is when the access of the person who shares ends, if it does: the earliest."""
        super().__init__(data)
        self.own_end = own_end
        # Nothing can be put into a file.
        only_folders = all(isinstance(item, Folder) for item in items)
        cast("forms.ChoiceField", self.fields["level"]).choices = levels_of(folders=only_folders)
        self.initial["level"] = Grant.Level.DOWNLOAD
        until = cast("forms.ChoiceField", self.fields["until"])
        until.choices = _ends(own=own_end is not None)
        if own_end is not None:
            until.initial = OWN_END
        self.named: list[Recipient] = []
        """Who was found so far, whatever else is wrong: the page shows them by their names."""
        self.has_unknown = False
        """Whether a name means nobody, or several."""
        self.wait = 0
        """Seconds until names that mean nobody are told again; nothing is said of any before."""

    def holds(self, request: HttpRequest) -> bool:
        """Whether it says what to do, and with whom. Names without anybody count as guesses."""
        if not self.is_bound:
            return False
        user = user_of(request)
        try:
            with limits.NAMES_OF_PEOPLE.counting(request, _Unknown, user=user.pk):
                self.full_clean()
                if self.has_unknown:
                    raise _Unknown
        except _Unknown:
            return False
        except limits.LimitReached as reached:
            # Who knows the names goes on. Anything else would tell which of them are known.
            self.full_clean()
            if not self.is_valid():
                self.wait, self.named = reached.wait, []
                self.full_clean()
        return self.is_valid()

    @property
    def status(self) -> int:
        """The status of a page that shows it."""
        return 429 if self.wait else 400 if self.errors else 200

    def clean_to(self) -> Sequence[Recipient]:
        """Everybody who was named; one whose name means nobody or several is said by name."""
        if self.wait:
            text = say(
                "You looked for many names in a short time. Write names that you are sure of, or "
                "try again in %(wait)s."
            )
            raise forms.ValidationError(text % {"wait": limits.in_words(self.wait)})
        told = named.named(self.cleaned_data["to"])
        self.named = list(told.recipients)
        self.has_unknown = bool(told.problems)
        if told.problems:
            raise forms.ValidationError(list(told.problems))
        if not told.recipients:
            raise forms.ValidationError(self.fields["to"].error_messages["required"])
        return told.recipients

    def clean_begins(self) -> date | None:
        """A day that is over, or today, is at once."""
        begins: date | None = self.cleaned_data["begins"]
        return None if begins is None or begins <= timezone.localdate() else begins

    def clean(self) -> dict[str, Any]:
        """Add `starts_at` and `expires_at`."""
        cleaned = {**self.cleaned_data}
        begins = cleaned.get("begins")
        cleaned["starts_at"] = begins and _midnight(begins)
        if not {"until", "day"} & self.errors.keys():
            cleaned["expires_at"] = expires_at = self._end(cleaned["until"], cleaned["day"])
            if begins and expires_at and expires_at <= cleaned["starts_at"]:
                self.add_error("begins", say("It would end before it begins: choose other days."))
        return cleaned

    def _end(self, until: str, day: date | None) -> datetime | None:
        now = timezone.now()
        if until == ON_A_DATE:
            if day is None:
                self.add_error("day", say("Choose the last day, or another end above."))
                return None
            end = _midnight(day + timedelta(days=1))
            if end <= now:
                self.add_error("day", say("That day is over: choose a later one."))
            return end
        if day is not None:
            chosen = dict(_ends(own=self.own_end is not None))[until]
            self.add_error(
                "day",
                say(
                    "You chose “%(chosen)s” and a day, and only one can be meant: empty the day, "
                    "or choose “on a date…” above."
                )
                % {"chosen": chosen},
            )
            return None
        if until == OWN_END:
            return self.own_end
        if until in _MONTHS:
            return _months_on(now, _MONTHS[until])
        return now + timedelta(days=_DAYS[until]) if until else None

    def terms(self) -> Terms:
        """What was chosen, of a valid form."""
        given = self.cleaned_data
        return Terms(given["level"], given["starts_at"], given["expires_at"], given["reason"])


def _midnight(day: date) -> datetime:
    """The beginning of that day, where the site is."""
    return timezone.make_aware(datetime.combine(day, time.min))


def _months_on(moment: datetime, months: int) -> datetime:
    """The same day so many months on, or the last one of a shorter month."""
    year, month = divmod(moment.month - 1 + months, 12)
    last = calendar.monthrange(moment.year + year, month + 1)[1]
    return moment.replace(year=moment.year + year, month=month + 1, day=min(moment.day, last))
