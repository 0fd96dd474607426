"""The way into the administration, and a change of password in it.

The admin's own sign-in page knows no limit on guesses, so it sends people to the site's.
"""

from __future__ import annotations

from typing import Any

from allauth.account.decorators import secure_admin_login
from django.contrib import admin
from django.http import HttpRequest, HttpResponse

from accounts import lockouts
from accounts.limits import Limit, LimitReached

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
