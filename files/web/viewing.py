"""The viewer: a file shown in the page, without being saved.

The page fetches ranges through the door of downloads, which decides and notes as ever, and hands
them to a frame that has nothing: an opaque origin, no connection, no address of the file. What
parses a document runs there. Audio and video are the browser's own to play, in the page.
"""

from __future__ import annotations

import uuid
from typing import Final

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.templatetags.static import static
from django.urls import reverse
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_safe

from files.access.permissions import Permission
from files.models import FileRecord
from files.records.kinds import PLAYED, kind_of
from files.web.key_pages import VIEW, locked
from files.web.requested import may_not_download, user_of, visible
from files.web.transfers import unlocking
from files.web.transfers.downloads import etag_of

SCRIPTS: Final = ("viewer/", "vendor/pdfjs/")
"""The folders of static files that the frame may take scripts from: its own, and pdf.js's."""


@require_safe
@login_required
@sensitive_variables()
def view(request: HttpRequest, file_id: uuid.UUID) -> HttpResponse:
    """The page that shows a file to who may download it; a locked one asks for its key."""
    return show(request, visible(request, file_id))


@sensitive_variables()
def show(request: HttpRequest, record: FileRecord) -> HttpResponse:
    """The same of a file, or of what it was, that the user has got so far as to ask for."""
    if not user_of(request).has_perm(Permission.DOWNLOAD):
        return may_not_download(request, record)
    if record.is_damaged:
        return render(request, "files/damaged.html", {"record": record}, status=502)
    kind = kind_of(record.content_type, record.name)
    context = {"record": record, "kind": kind, **_addresses(record)}
    if kind is None:
        return render(request, "files/not_viewable.html", context)
    if record.is_held and unlocking.unlocked(request, record) is None:
        return locked(request, record, then=VIEW)
    response = render(request, "files/view.html", {**context, "etag": etag_of(record)})
    # Nothing but this very frame: it cannot even navigate itself to anywhere else.
    needs = {"media-src": "'self'"} if kind in PLAYED else {"frame-src": [_frame(request)]}
    response._csp_update = needs  # type: ignore[attr-defined]
    return response


def _addresses(record: FileRecord) -> dict[str, str]:
    """Where its bytes come from, and where one goes back to."""
    if record.former_id is None:
        bytes_at = reverse("files:download", args=[record.pk])
        return {"address": bytes_at, "back": record.get_absolute_url()}
    return {
        "address": reverse("files:version_download", args=[record.pk, record.version]),
        "back": reverse("files:versions", args=[record.pk]),
    }


def _frame(request: HttpRequest) -> str:
    return request.build_absolute_uri(reverse("files:viewer"))


@require_safe
@xframe_options_sameorigin
def frame(request: HttpRequest) -> HttpResponse:
    """The frame's document: the same for everybody and every file, and nobody's origin."""
    response = render(request, "files/viewer_frame.html")
    for name, value in frame_headers(request).items():
        response[name] = value
    return response


def frame_headers(request: HttpRequest) -> dict[str, str]:
    """What keeps the frame to itself, whatever runs in it.

    Full addresses, and not `'self'`: the frame's own origin is none.
    """
    ours = [request.build_absolute_uri(static(folder)) for folder in SCRIPTS]
    policy = {
        "default-src": "'none'",
        "script-src": " ".join(ours),
        "style-src": ours[0],
        "worker-src": "blob:",  # A page of no origin may start no other.
        "connect-src": "'none'",
        "form-action": "'none'",
        "base-uri": "'none'",
        "frame-ancestors": "'self'",
        # Also where it is opened by itself.
        "sandbox": "allow-scripts",
    }
    return {
        "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
        # Where a browser knows it (WICG, Connection Allowlists): WebRTC, which no policy of
        # contents covers, and connections that are made before a policy is asked.
        "Connection-Allowlist": "(response-origin)",
        "Referrer-Policy": "no-referrer",
        "X-DNS-Prefetch-Control": "off",
    }
