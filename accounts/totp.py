"""Codes of authenticator apps: one step of tolerance either way, and none works twice.

RFC 6238, section 5.2: a clock may be off by a step, and a code that was accepted is not accepted
again. allauth remembers it for one step of 30 seconds; with the tolerance it would be valid for
three. So it is remembered for as long as it could be, and one more.
"""

from __future__ import annotations

from allauth.mfa import app_settings
from allauth.mfa.totp.internal.auth import TOTP
from django.core.cache import cache


def _mark_code_used(self: TOTP, code: str) -> bool:
    """Whether the code was not used before; from now on it was."""
    steps = 2 * app_settings.TOTP_TOLERANCE + 2
    key = self._get_used_cache_key(code)
    return bool(cache.add(key, "y", timeout=steps * app_settings.TOTP_PERIOD))


TOTP._mark_code_used = _mark_code_used
