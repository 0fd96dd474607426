"""Who is on the pages of files."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Permission
from django.test import Client

from accounts.models import User


def may_share(user: User) -> User:
    """Let somebody share what they own or manage."""
    user.user_permissions.add(Permission.objects.get(codename="add_grant"))
    return user


@pytest.fixture
def sharer(client: Client, alice: User) -> Client:
    """Alice, who may share."""
    client.force_login(may_share(alice))
    return client
