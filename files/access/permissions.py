"""Permissions: who may use a function at all. Which file or folder they may use it on, `rule` says.

Must never let anybody reach a file: that takes a grant.
"""

from __future__ import annotations

import enum

from django.contrib.auth.models import AnonymousUser

from accounts.models import User


class Permission(enum.StrEnum):
    """Who may use a function at all. Grants then decide on which file or folder."""

    UPLOAD = "files.add_filerecord"
    DOWNLOAD = "files.download_filerecord"
    SHARE = "files.add_grant"
    SHARE_OWN = "files.share_filerecord"
    """As SHARE, on the pages of files alone: in the administration it means nothing."""
    READ_LOG = "audit.view_auditevent"
    LINK = "files.add_link"
    """Make links for people outside to what one manages: nobody's, unless they are given it."""
    REQUEST = "files.add_request"
    """Have people outside add to folders that one manages."""


def may_share(user: User | AnonymousUser) -> bool:
    """Whether the user may share at all what they own or manage."""
    return user.has_perm(Permission.SHARE) or user.has_perm(Permission.SHARE_OWN)
