"""The bytes of a file to who asks with a token: whole or by ranges, as for every download.

Never sends on once the token, its person or the rule would refuse them (`files.web.transfers`).
"""

from __future__ import annotations

from functools import partial

from django.core.exceptions import PermissionDenied
from django.http import (
    HttpRequest,
    HttpResponseBase,
)
from django.views.decorators.debug import sensitive_variables

from accounts import tokens
from accounts.models import User
from files.access.permissions import Permission
from files.access.principals import Program
from files.models import FileRecord
from files.sharing import denials
from files.web.api.entrance import program_of, token_of, user_of
from files.web.api.keys import key_of as file_key_of
from files.web.api.problems import Problem
from files.web.requested import (
    denied,
    is_still_open_to,
)
from files.web.transfers import downloads


@sensitive_variables()
def send(request: HttpRequest, record: FileRecord) -> HttpResponseBase:
    if not user_of(request).has_perm(Permission.DOWNLOAD):
        denied(request, [record.pk], denials.NO_PERMISSION)
        raise Problem("no_permission", "Your account may not download files.")
    if downloads.is_part_of_a_page(request, record):
        raise PermissionDenied
    key = file_key_of(request, record)
    still_allowed = partial(_still_allowed, token_of(request).pk, program_of(request), record)
    response = downloads.answer(request, record, still_allowed, key)
    if response.status_code in {412, 416}:
        code = "precondition_failed" if response.status_code == 412 else "range_not_satisfiable"
        problem = Problem(code).response()
        for name in ("ETag", "Content-Range"):
            if name in response.headers:
                problem[name] = response.headers[name]
        return problem
    response["Securestore-File"] = str(record.pk)
    return response


def _still_allowed(token_id: int, who: Program, record: FileRecord) -> bool:
    """Asked again in the middle of a download: the token, its person, and the rule."""
    fresh = User.objects.filter(pk=who.user.pk).first()
    if fresh is None or not fresh.has_perm(Permission.DOWNLOAD) or not tokens.is_live(token_id):
        return False
    return is_still_open_to(Program(fresh, who.scopes, who.folder), record)
