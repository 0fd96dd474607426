"""Who may be meant, while somebody types a name on the page that shares."""

from __future__ import annotations

from dataclasses import asdict

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_safe

from accounts import limits
from files.access.permissions import may_share
from files.access.principals import Person
from files.sharing import recipients
from files.web.requested import user_of

LONGEST = 254
"""Characters that are looked at, as many as the form takes."""


@require_safe
@login_required
def suggest(request: HttpRequest) -> JsonResponse:
    """People and groups for what was typed, as JSON. 403 for who may share nothing at all.

    429 in words for who asked too often: a form that names people who are not there counts, too.
    """
    user = user_of(request)
    if not may_share(user):
        raise PermissionDenied
    limits.NAMES_OF_PEOPLE.take(request, user=user.pk)
    # The same text finds others tomorrow, and what was found is nobody's business afterwards.
    found = recipients.suggest(Person(user), request.GET.get("q", "")[:LONGEST])
    answer = JsonResponse({"suggestions": [asdict(one) for one in found]})
    answer["Cache-Control"] = "no-store"
    return answer
