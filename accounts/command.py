"""The page that offers the command `securestore`: both programs, with their SHA-256."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.contrib.staticfiles import finders
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

FOLDER = "client"
"""Of static files, as `make client` fills it."""


@dataclass(frozen=True)
class Offered:
    """A program that can be downloaded here."""

    name: str
    sha256: str
    url: str

    @property
    def is_wheel(self) -> bool:
        return self.name.endswith(".whl")


@require_safe
@login_required
def command(request: HttpRequest) -> HttpResponse:
    """Where the command is, how it is installed, and how to sign in with it."""
    version, found = offered()
    for_pipx = next((one for one in found if one.is_wheel), None)
    context = {
        "version": version,
        "offered": found,
        "site": request.build_absolute_uri("/").rstrip("/"),
        "wheel": request.build_absolute_uri(for_pipx.url) if for_pipx else "",
    }
    return render(request, "accounts/command.html", context)


def offered() -> tuple[str, list[Offered]]:
    """The version of the command and its programs; none where they were not built."""
    path = finders.find(f"{FOLDER}/about.json")
    if not isinstance(path, str):
        return "", []
    about = json.loads(Path(path).read_text(encoding="ascii"))
    # Under their own names: installers read the version in the name of a wheel.
    return about["version"], [
        Offered(name, sha256, f"{settings.STATIC_URL}{FOLDER}/{name}")
        for name, sha256 in sorted(about["files"].items())
    ]
