"""What a report of a failure shows: Django's debug page, and its mail to administrators.

Django hides settings by their names, and trusts whoever sees a debug page with the rest. Here the
page keeps secrets from them, too: it is photographed, pasted into issues and left open.
"""

from __future__ import annotations

import re
from collections.abc import ItemsView, Iterator
from types import FrameType
from typing import Any
from urllib.parse import parse_qsl, quote, quote_plus

from django.http import HttpRequest
from django.utils.html import escape
from django.utils.safestring import SafeString
from django.views.debug import ExceptionReporter, SafeExceptionReporterFilter

from runtime.configured_secrets import foreign_secrets, own_secrets

STARS = SafeExceptionReporterFilter.cleansed_substitute
_USERINFO = re.compile(r"(?<=://)[^/@\s]+(?=@)")
SHORTEST = 6
"""Characters; a shorter secret would be found everywhere, and hiding it would spoil the page."""


class ReporterFilter(SafeExceptionReporterFilter):
    """Hides by name, in settings, request, form fields and the variables of every frame alike."""

    hidden_settings = re.compile(
        "API|AUTH|TOKEN|KEY|SECRET|PASS|SIGNATURE|COOKIE|CREDENTIAL|DEK|CODE$|_URL$|SESSIONID"
        "|FERNET|WRAPPED",
        re.IGNORECASE,
    )

    def is_active(self, request: HttpRequest | None) -> bool:
        """Also while DEBUG is true: what was declared sensitive is."""
        return True

    def cleanse_setting(self, key: Any, value: Any) -> Any:
        cleansed = super().cleanse_setting(key, value)
        # `redis://user:password@host`, under whatever name.
        return _USERINFO.sub(STARS, cleansed) if isinstance(cleansed, str) else cleansed

    def get_safe_cookies(self, request: HttpRequest) -> dict[str, Any]:
        """Every cookie of this site opens something."""
        return dict.fromkeys(getattr(request, "COOKIES", {}), STARS)

    def get_post_parameters(self, request: HttpRequest | None) -> Any:
        cleansed = super().get_post_parameters(request)
        return self._by_name(cleansed) if cleansed else cleansed

    def get_cleansed_multivaluedict(self, request: HttpRequest, multivaluedict: Any) -> Any:
        return self._by_name(super().get_cleansed_multivaluedict(request, multivaluedict))

    def get_traceback_frame_variables(
        self, request: HttpRequest | None, tb_frame: FrameType
    ) -> ItemsView[str, Any]:
        variables = super().get_traceback_frame_variables(request, tb_frame)
        return {name: self._variable(name, value) for name, value in variables}.items()

    def _variable(self, name: str, value: Any) -> Any:
        try:
            return self.cleanse_setting(name, value)
        except Exception as error:
            # A lazy object that fails when it is looked at must not fail the report.
            return f"not shown: {type(error).__name__}"

    def _by_name(self, parameters: Any) -> Any:
        cleansed = parameters.copy()
        for name in cleansed:
            if self.hidden_settings.search(name):
                cleansed[name] = STARS
        return cleansed


class Reporter(ExceptionReporter):
    """Removes secrets from the finished report, wherever they got into it.

    Those that are configured, and those that were typed into the form: a request that fails while
    it is read fails before any view could say what in it is sensitive.
    """

    def get_traceback_html(self) -> SafeString:
        return self._without_secrets(super().get_traceback_html())

    def get_traceback_text(self) -> SafeString:
        return self._without_secrets(super().get_traceback_text())

    def _without_secrets(self, report: str) -> SafeString:
        """The report with stars for every secret: what was escaped in it stays so."""
        configured = (secret for _, secret in (*own_secrets(), *foreign_secrets()))
        # The longest first: one may be a part of another.
        for secret in sorted({*configured, *_typed(self.request)}, key=len, reverse=True):
            if len(secret) >= SHORTEST:
                for written in _spellings(secret):
                    report = report.replace(written, STARS)
        return SafeString(report)


def _typed(request: HttpRequest | None) -> Iterator[str]:
    """The secrets of a form, as far as it was read: by the names of their fields."""
    body = getattr(request, "_body", b"")
    fields = parse_qsl(body.decode(errors="replace")) if isinstance(body, bytes) else []
    parsed = getattr(request, "_post", None)
    if parsed is not None:
        fields += [(name, value) for name, values in parsed.lists() for value in values]
    for name, value in fields:
        if ReporterFilter.hidden_settings.search(name):
            yield from {value, value.strip()}


def _spellings(secret: str) -> Iterator[str]:
    shown = dict.fromkeys([secret, repr(secret)[1:-1], quote_plus(secret), quote(secret)])
    for written in shown:
        yield from {written, escape(written)}
