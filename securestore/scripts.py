"""What scripts of the pages get beside themselves: their words, in one language."""

from __future__ import annotations

from django.conf import settings
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.utils import translation
from django.views.decorators.http import require_safe
from django.views.i18n import JavaScriptCatalog

FRESH = 3600
"""Seconds for which a browser needs not ask for the words again."""

# Those of the site alone, which stand in LOCALE_PATHS: the administration has a catalogue itself.
_catalog = JavaScriptCatalog.as_view(domain="djangojs", packages=["securestore"])


@require_safe
def words(request: HttpRequest, language: str) -> HttpResponseBase:
    """The words of scripts in a language: gettext and its like, with what is translated.

    Nothing depends on who asks, so that any cache may keep it. Raises Http404 for a language that
    the site does not speak.
    """
    if language not in dict(settings.LANGUAGES):
        raise Http404
    with translation.override(language):
        response = _catalog(request)
    response.headers["Cache-Control"] = f"public, max-age={FRESH}"
    return response
