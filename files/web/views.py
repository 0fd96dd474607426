"""The pages: parse, call one use case, answer. No rule and no cryptography lives here.

A file is only ever fetched through `visible` or `managed`, so that a stranger gets the same 404
as for a file that does not exist.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Collection, Sequence
from functools import partial
from typing import Any, cast

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required, permission_required
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    UnreadablePostError,
)
from django.http.multipartparser import MultiPartParserError
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.models import User
from accounts.reauthentication import recently_authenticated
from files import access
from files.access import Access, Permission, access_of, may_share
from files.errors import AccessEnded, FileDamaged, FileTooLarge, KeyNeeded, UploadLost, WrongFileKey
from files.keys import custody
from files.lists import paging
from files.models import FileRecord, Grant
from files.sharing import denials, granting
from files.sharing.history import page_of
from files.sharing.recipients import describe
from files.vault import opening, removing, storing
from files.web.forms import ShareForm, UploadForm
from files.web.transfers import archive, downloads, unlocking
from files.web.transfers.bodies import declared_length
from files.web.transfers.forms import (
    BadTime,
    BodyTooShort,
    BodyTooSlow,
    NoForm,
    ReceivedFile,
    TooManyFiles,
    VaultUploadHandler,
)
from runtime.slowness import slowness_of

_ROW_NUMBER = re.compile(r"[0-9]{1,18}", re.ASCII)

DOWNLOAD = "download"
"""What goes on once a file's key was entered."""

FORM_OVERHEAD = 64 * 1024
"""Bytes that a form may take beside its files."""


def user_of(request: HttpRequest) -> User:
    """The signed-in user; for views behind `login_required`."""
    return cast("User", request.user)


def visible(request: HttpRequest, file_id: uuid.UUID) -> FileRecord:
    """The file, if the user may see it; 404 otherwise."""
    files = access.visible_to(user_of(request))
    files = files.select_related("owner", "current__held_key")
    return _found(request, files, file_id)


def managed(request: HttpRequest, file_id: uuid.UUID) -> FileRecord:
    """The file, if the user may share and delete it; 404 otherwise."""
    files = access.managed_by(user_of(request)).select_related("owner", "current")
    return _found(request, files, file_id)


def _found(request: HttpRequest, files: QuerySet[FileRecord], file_id: uuid.UUID) -> FileRecord:
    try:
        return get_object_or_404(files, pk=file_id)
    except Http404:
        denied(request, [file_id], denials.NOT_VISIBLE)
        raise


def denied(request: HttpRequest, wanted: Collection[uuid.UUID], reason: str) -> None:
    """Record that the user was refused these files."""
    door = request.resolver_match.view_name if request.resolver_match else ""
    denials.note(user_of(request), wanted, reason=reason, door=door)


def may_not_download(request: HttpRequest, record: FileRecord) -> HttpResponse:
    """The page for who sees a file and lacks the permission to download any."""
    denied(request, [record.pk], denials.NO_PERMISSION)
    return render(request, "files/may_not_download.html", {"record": record}, status=403)


def _query(parameters: dict[str, str]) -> str:
    return "?" + urlencode(parameters)


@require_safe
@login_required
def file_list(request: HttpRequest) -> HttpResponse:
    """Own and shared files, newest first, searched by name."""
    query = request.GET.get("q", "").strip()[:200]
    cursor = request.GET.get("after", "")
    page = paging.page_of(
        user_of(request), query=query, cursor=cursor, length=settings.FILES_PER_PAGE
    )
    kept = {"q": query} if query else {}
    context = {
        "query": query,
        "records": page.records,
        "is_cut": page.is_cut,
        "next_url": _query({**kept, "after": page.next_cursor}) if page.next_cursor else "",
        "first_url": _query(kept) if cursor else "",
    }
    return render(request, "files/list.html", context)


@require_safe
@login_required
def detail(request: HttpRequest, file_id: uuid.UUID) -> HttpResponse:
    """What there is to know about one file, and what may be done with it."""
    record = visible(request, file_id)
    user = user_of(request)
    access = access_of(user, record)
    if access is None:  # Revoked between the two queries.
        raise Http404
    grants = record.grants.select_related("user", "group", "granted_by")
    may_download = user.has_perm(Permission.DOWNLOAD)
    context = {
        "record": record,
        "access": access,
        "may_download": may_download,
        "digests": _digests(request, record) if may_download else None,
        "may_manage": access.may_manage,
        "may_share": may_share(user),
        "grants": grants[: settings.GRANTS_PER_PAGE] if access.may_manage else [],
        **(key_context(request, record) if record.is_held else {}),
    }
    return render(request, "files/detail.html", context)


def _digests(request: HttpRequest, record: FileRecord) -> dict[str, str] | None:
    """The digests of the bytes, as text, for who could have the bytes now."""
    found = opening.digests_of(record.current, unlocking.key_of(request, record))
    if found is None:
        return None
    return {"sha256": found.sha256.hex() if found.sha256 else "", "chain": found.chain.hex()}


def key_context(request: HttpRequest, record: FileRecord) -> dict[str, Any]:
    """What a page says of a held file's key: never the key."""
    found = unlocking.unlocked(request, record)
    mine = record.current.creator_id == user_of(request).pk
    return {
        "unlocked_until": found[1] if found else None,
        "has_passphrase": bool(custody.derivation_of(record.current)),
        "offer_ends": mine and custody.offer_ends(record.current),
    }


def locked(
    request: HttpRequest,
    record: FileRecord,
    *,
    status: int = 403,
    problem: str = "",
    then: str = "",
) -> HttpResponse:
    """The page that asks for a held file's key, instead of its bytes.

    `then` is DOWNLOAD where these were asked for: the right key goes on with them.
    """
    context = {"record": record, "problem": problem, "then": then}
    context |= key_context(request, record)
    return render(request, "files/locked.html", context, status=status)


@require_safe
@login_required
@sensitive_variables()
def download(request: HttpRequest, file_id: uuid.UUID) -> HttpResponseBase:
    """The file's bytes: GET and HEAD, whole or a range."""
    record = visible(request, file_id)
    user = user_of(request)
    if not user.has_perm(Permission.DOWNLOAD):
        return may_not_download(request, record)
    if downloads.is_part_of_a_page(request):
        raise PermissionDenied
    key = unlocking.key_of(request, record)
    try:
        return downloads.answer(request, record, partial(_still_allowed, user.pk, record), key)
    except (KeyNeeded, WrongFileKey):
        # A cookie that opens nothing has been overtaken by another key.
        return locked(request, record, then=DOWNLOAD)
    except AccessEnded:
        raise Http404 from None
    except FileDamaged:
        return render(request, "files/damaged.html", {"record": record}, status=502)


@require_POST
@login_required
def download_several(request: HttpRequest) -> HttpResponseBase:
    """The files named by the form's `file` fields, as one ZIP; 404 if one is not visible."""
    user = user_of(request)
    wanted = ids_of(request.POST.getlist("file")[: settings.DATA_UPLOAD_MAX_NUMBER_FIELDS])
    if not user.has_perm(Permission.DOWNLOAD):
        denied(request, wanted, denials.NO_PERMISSION)
        raise PermissionDenied
    if not wanted:
        messages.error(request, "Choose at least one file.")
        return redirect("files:list")
    files = access.visible_to(user).select_related("current", "owner")
    records = list(files.filter(pk__in=wanted).order_by("name", "pk"))
    if len(records) < len(wanted):
        denied(request, wanted - {record.pk for record in records}, denials.NOT_VISIBLE)
        raise Http404
    # What unlocks a held file is sent to its own pages alone.
    if held := [record for record in records if record.is_held]:
        return render(request, "files/zip_held.html", {"held": held}, status=403)
    try:
        return archive.answer(records, partial(_still_allowed, user.pk), user=user)
    except AccessEnded:
        raise Http404 from None
    except FileDamaged:
        damaged = next((record for record in records if record.is_damaged), records[0])
        return render(request, "files/damaged.html", {"record": damaged}, status=502)


def ids_of(texts: list[str]) -> set[uuid.UUID]:
    """The ids that a form names; 404 where one is none."""
    try:
        return {uuid.UUID(text) for text in texts}
    except ValueError:
        raise Http404 from None


def _still_allowed(user_id: int, record: FileRecord) -> bool:
    # A fresh copy of the user: it may have been deactivated since.
    fresh = User.objects.filter(pk=user_id).first()
    return fresh is not None and fresh.has_perm(Permission.DOWNLOAD, record)


@require_safe
@login_required
def history(request: HttpRequest, file_id: uuid.UUID) -> HttpResponse:
    """What happened to a file, for its owner and those who manage it."""
    record = managed(request, file_id)
    user = user_of(request)
    before = request.GET.get("before", "")
    number = int(before) if _ROW_NUMBER.fullmatch(before) else None
    reads_log = user.is_staff and user.has_perm(Permission.READ_LOG)
    context = {
        "record": record,
        "reads_log": reads_log,
        "page": page_of(
            record, before=number, length=settings.EVENTS_PER_PAGE, reads_log=reads_log
        ),
        "is_first": number is None,
    }
    return render(request, "files/history.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@recently_authenticated
def delete(request: HttpRequest, file_id: uuid.UUID) -> HttpResponse:
    """Ask, then delete."""
    record = managed(request, file_id)
    if request.method != "POST":
        return render(request, "files/delete.html", {"record": record})
    removing.remove(record, actor=user_of(request))
    messages.success(request, f"“{record.name}” was deleted.")
    return redirect("files:list")


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def grants(request: HttpRequest, file_id: uuid.UUID) -> HttpResponse:
    """Who may read a file; share it, and revoke."""
    record = managed(request, file_id)
    user = user_of(request)
    if not may_share(user):
        return render(request, "files/may_not_share.html", {"record": record}, status=403)
    access = access_of(user, record)
    if access is None:  # Revoked between the two queries.
        raise Http404
    if "revoke" in request.POST:
        return _revoke(request, record, access)
    form = ShareForm(request.POST if request.method == "POST" else None, own_end=access.until)
    if form.is_valid() and (made := _share(form, record, user)):
        _tell_shared(request, made, form)
        return redirect("files:grants", record.pk)
    return _grants_page(request, record, access, form, status=400 if form.errors else 200)


def _grants_page(
    request: HttpRequest, record: FileRecord, access: Access, form: ShareForm, *, status: int
) -> HttpResponse:
    shown = record.grants.select_related("user", "group", "granted_by")
    page = Paginator(shown, settings.GRANTS_PER_PAGE).get_page(request.GET.get("page"))
    revocable = {
        grant.pk
        for grant in page
        if grant.status in {"live", "scheduled"}
        and granting.may_withdraw(grant, access, actor=user_of(request))
    }
    context = {"record": record, "access": access, "form": form, "grants": page}
    context |= _what_is_left(request, record, access)
    return render(request, "files/grants.html", {**context, "revocable": revocable}, status=status)


def _what_is_left(request: HttpRequest, record: FileRecord, access: Access) -> dict[str, Any]:
    """By what else somebody reads the file, whose grant the address says was revoked just now."""
    number = request.GET.get("ended", "")
    if request.method == "POST" or not _ROW_NUMBER.fullmatch(number):
        return {}
    revoked = record.grants.filter(pk=int(number), revoked_at__isnull=False)
    ended = revoked.select_related("user", "group").first()
    if ended is None:
        return {}
    left = granting.remaining(record, ended.user, ended.group)
    user = user_of(request)
    may_end = {one.pk for one in left if granting.may_withdraw(one, access, actor=user)}
    return {"ended": ended, "left": left, "may_end": may_end}


def _tell_shared(request: HttpRequest, made: Grant, form: ShareForm) -> None:
    recipient, wanted = describe(form.cleaned_data["recipient"]), form.cleaned_data["expires_at"]
    if made.expires_at == wanted:
        messages.success(request, f"Shared with {recipient}.")
        return
    messages.warning(
        request,
        f"{recipient} has that already, for longer: revoke that grant first to make it end sooner.",
    )


def _share(form: ShareForm, record: FileRecord, user: User) -> Grant | None:
    given = form.cleaned_data
    to = given["recipient"]
    new = Grant(
        file=record,
        user=to if isinstance(to, User) else None,
        group=None if isinstance(to, User) else to,
        level=given["level"],
        expires_at=given["expires_at"],
        reason=given["reason"],
    )
    try:
        return granting.share(new, actor=user)
    except ValidationError as error:
        form.add_error(None, error)
        return None


def _revoke(request: HttpRequest, record: FileRecord, access: Access) -> HttpResponse:
    number = request.POST["revoke"]
    if not _ROW_NUMBER.fullmatch(number):
        raise Http404
    target = get_object_or_404(record.grants, pk=int(number))
    user = user_of(request)
    try:
        changed = granting.withdraw(target, actor=user)
    except ValidationError as error:
        messages.error(request, error.messages[0])
        return _grants_page(request, record, access, ShareForm(own_end=access.until), status=403)
    messages.success(
        request,
        f"The grant for {target.recipient_name} was revoked{'' if changed else ' before'}.",
    )
    left = granting.given_by(target.user_id, record) if changed else 0
    if left:
        # Each stands on its own: whoever revokes decides about them.
        messages.warning(
            request,
            f"{target.recipient_name} gave {left} grant{'' if left == 1 else 's'} of this file to "
            f"others. {'It stays' if left == 1 else 'They stay'} until revoked.",
        )
    still_there = access.managed_by(user).filter(pk=record.pk).exists()
    if not still_there:
        return redirect("files:list")
    return redirect(reverse("files:grants", args=[record.pk]) + f"?ended={target.pk}")


# The token is in the body, and reading the body is what stores the files. So this outer view is
# exempt, installs the handler and reads; the inner one is protected, and alone publishes.
@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
@sensitive_post_parameters("passphrase", "passphrase_again")
@sensitive_variables()
@login_required
@permission_required(Permission.UPLOAD, raise_exception=True)
def upload(request: HttpRequest) -> HttpResponseBase:
    """The upload page; several files in one form, streamed into the vault."""
    if request.method != "POST":
        return upload_page(request)
    if declared_length(request) > settings.MAX_UPLOAD_SIZE + FORM_OVERHEAD:
        error = FileTooLarge(settings.MAX_UPLOAD_SIZE)
        return _refused_upload(request, error, status=413)
    if request.content_type != "multipart/form-data":
        kind = f"“{request.content_type}”" if request.content_type else "of no type"
        return _refused_upload(request, NoForm(f"The body is {kind}."), status=415)
    handler = VaultUploadHandler(request, user_of(request))
    request.upload_handlers = [handler]
    try:
        request.POST  # noqa: B018  reads the whole body, through the handler
        return publish_uploads(request, handler)
    except (BodyTooShort, UnreadablePostError):
        if (slow := slowness_of(request)) is not None:
            return _refused_upload(request, BodyTooSlow(slow), status=408)
        return _refused_upload(request, BodyTooShort(), status=400)
    except MultiPartParserError as error:
        if (slow := slowness_of(request)) is not None:
            return _refused_upload(request, BodyTooSlow(slow), status=408)
        return _refused_upload(
            request, NoForm(f"The form could not be read ({error})."), status=400
        )
    except (TooManyFiles, BadTime) as error:
        return _refused_upload(request, error, status=400)
    except UploadLost as lost:
        return _refused_upload(request, lost, status=409)
    finally:
        handler.abort()


def _refused_upload(request: HttpRequest, error: Exception, *, status: int) -> HttpResponse:
    """The upload page, which says why nothing was stored."""
    return _upload_answer(request, empty_form(request), [("", error)], [], status=status)


def empty_form(request: HttpRequest) -> UploadForm:
    """The form of the upload page with nothing in it."""
    return UploadForm(user=user_of(request))


@csrf_protect
def upload_page(request: HttpRequest) -> HttpResponse:
    """The empty form. Protected only so that it gets a token."""
    return _upload_answer(request, empty_form(request), [], [], status=200)


@csrf_protect
def publish_uploads(request: HttpRequest, handler: VaultUploadHandler) -> HttpResponse:
    """Turn what the handler has stored into files, now that the token has been checked."""
    form = UploadForm(request.POST, request.FILES, user=user_of(request))
    files = [file for file in request.FILES.getlist("files") if isinstance(file, ReceivedFile)]
    handler.date(files, request.POST.getlist("modified"))
    received = [file.upload for file in files]
    if not form.is_valid() and (form.errors.keys() - {"files"} or not handler.refused):
        return _upload_answer(request, form, [], [], status=400)
    keys = form.new_keys(len(received))
    stored = storing.publish(received, keys)
    if handler.refused:
        too_large = any(isinstance(error, FileTooLarge) for _, error in handler.refused)
        status = 413 if too_large else 400
        return _upload_answer(
            request, empty_form(request), handler.refused, stored, status=status, keys=keys
        )
    if keys and not keys[0].derivation:
        return keys_page(request, shown_keys(stored, keys))
    count = len(stored)
    messages.success(request, f"{count} file{'' if count == 1 else 's'} stored.")
    return redirect("files:list")


def _upload_answer(
    request: HttpRequest,
    form: UploadForm,
    problems: Sequence[tuple[str, Exception]],
    stored: list[FileRecord],
    *,
    status: int,
    keys: Sequence[custody.UserKey] | None = None,
) -> HttpResponse:
    context = {
        "form": form,
        "shown": shown_keys(stored, keys),
        "problems": [(name, str(error)) for name, error in problems],
        "stored": stored,
        "max_size": settings.MAX_UPLOAD_SIZE,
    }
    return render(request, "files/upload.html", context, status=status)


# --- Keys to be saved ---------------------------------------------------------------------------


def shown_keys(
    stored: Sequence[FileRecord], keys: Sequence[custody.UserKey] | None
) -> list[tuple[FileRecord, str]]:
    """New files with the keys that their owner is to be shown; passphrases are not among them."""
    pairs = zip(stored, keys or (), strict=False)
    return [(record, key.text) for record, key in pairs if not key.derivation]


def keys_page(
    request: HttpRequest,
    shown: Sequence[tuple[FileRecord, str]],
    *,
    status: int = 200,
    problem: str = "",
) -> HttpResponse:
    """The page that shows keys and asks for a confirmation that they were saved."""
    context = {"shown": shown, "problem": problem}
    return render(request, "files/keys.html", context, status=status)
