"""Requests of the tests: who may ask, a request of Alice's, who sends."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import Permission

from accounts.models import User
from files.access.principals import Person
from files.folders import making
from files.models import FileRequest, Folder, Sender
from files.sharing import requests, senders
from files.sharing.requests import Terms
from files.tree import placing


def may_ask(user: User) -> User:
    """Let somebody ask people outside."""
    user.user_permissions.add(Permission.objects.get(codename="add_request"))
    return User.objects.get(pk=user.pk)


def folder_of(owner: User, name: str = "Applications") -> Folder:
    """A folder in the root of that person."""
    return making.create_folder(placing.root_of(owner), name, by=Person(owner), actor=owner)


def ask(maker: User, folder: Folder | None = None, **terms: Any) -> tuple[FileRequest, str]:
    """A request of that person's, who may make one from now on, and its token."""
    maker = may_ask(maker)
    folder = folder or folder_of(maker)
    terms = {"title": "Your papers", "most_bytes": 1_000_000, **terms}
    return requests.make(folder, Terms(**terms), by=Person(maker), actor=maker)


def sender_of(request: FileRequest, name: str = "Ann") -> Sender:
    """Somebody who sends through it."""
    found = senders.admit(request, name=name)
    return Sender.objects.select_related("request__folder__owner", "request__maker").get(
        pk=found.pk
    )
