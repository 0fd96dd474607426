"""Text goes compressed to who takes gzip: pages, words of scripts, JSON. Static files are already.

How long a compressed answer is says something of what is in it: who can have another's browser ask
again and again, put guesses into what the answer repeats, and see lengths on the wire, learns what
else is in it, letter by letter (BREACH, CVE-2013-3587). So:

- what shows a secret (a key, a code, a token) is never compressed, nor are bytes of files;
- nothing is that another site asked for, where a browser tells (W3C Fetch Metadata);
- the tokens of forms are others in each answer: Django masks them with a random number each time;
- every compressed answer is longer by up to a hundred random bytes (Heal the BREACH, as Django's
  own middleware has them), so that a difference of one shows only after very many answers.

Answers with an ETag are not touched, so that ranges and conditions keep their meaning. A proxy must
compress nothing that comes from here: it does not know what is a secret.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import patch_vary_headers
from django.utils.text import compress_string

JSON: Final = "application/json"
TEXT: Final = frozenset(
    {"text/html", "text/css", "text/javascript", "application/javascript", JSON}
)
SHORTEST: Final = 500
"""Bytes: what is shorter fits into one packet anyway."""

MOST_RANDOM: Final = 100
"""Bytes that are added, at most."""

SHOW_SECRETS: Final = frozenset(
    {"mfa_activate_totp", "mfa_view_recovery_codes", "mfa_generate_recovery_codes"}
)
"""Pages of others' that show a secret. Ours say `no-transform` (RFC 9111, 5.2.2.6)."""


class CompressionMiddleware:
    """Compresses what may be. Must stand outside of whatever writes into an answer's content."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if not isinstance(response, HttpResponse) or not _may_be_compressed(request, response):
            return response
        patch_vary_headers(response, ("Accept-Encoding", "Sec-Fetch-Site"))
        if takes_gzip(request) and request.headers.get("Sec-Fetch-Site") != "cross-site":
            packed = compress_string(response.content, max_random_bytes=MOST_RANDOM)
            if len(packed) < len(response.content):
                response.content = packed
                response["Content-Encoding"] = "gzip"
                response["Content-Length"] = str(len(packed))
        return response


def _may_be_compressed(request: HttpRequest, response: HttpResponse) -> bool:
    if response.streaming or len(response.content) < SHORTEST:
        return False
    kind = response.get("Content-Type", "").partition(";")[0].strip().lower()
    # What programs get for something they sent may be a token, or a code.
    if kind not in TEXT or (kind == JSON and request.method not in {"GET", "HEAD"}):
        return False
    keeps_its_bytes = ("ETag", "Content-Encoding", "Content-Range", "Content-Disposition")
    if any(response.has_header(name) for name in keeps_its_bytes):
        return False
    match = request.resolver_match
    shows_a_secret = match is not None and match.view_name in SHOW_SECRETS
    return not shows_a_secret and "no-transform" not in response.get("Cache-Control", "")


def takes_gzip(request: HttpRequest) -> bool:
    """Whether the client takes gzip (RFC 9110, 12.5.3); one that says nothing is not asked to."""
    weights = {}
    for part in request.headers.get("Accept-Encoding", "").lower().split(","):
        coding, _, parameters = part.partition(";")
        name, _, weight = parameters.strip().partition("=")
        weights[coding.strip()] = weight.strip() if name.strip() == "q" else "1"
    weight = weights.get("gzip", weights.get("*", "0"))
    try:
        return float(weight) > 0
    except ValueError:
        return False
