"""The pages about a held file's own key: enter it, see it once more, save it.

A key comes in by POST only, and goes out only in an answer that no cache may keep: never in a URL,
a message or the session. What `visible` does not find is the 404 of a file that does not exist; a
file's key is for who uploaded it, so to anybody else its pages do not exist either.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from functools import partial

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods, require_POST, require_safe

import audit
from accounts import limits, reauthentication
from files.access import rule
from files.access.permissions import Permission
from files.access.principals import Person
from files.errors import FileDamaged, NotAKey, OfferOver, WrongFileKey
from files.models import FileRecord
from files.rotation import reencryption
from files.vault import held
from files.web.forms import PassphraseForm
from files.web.key_pages import DOWNLOAD, VIEW, key_context, keys_page, locked
from files.web.requested import ids_of, may_not_download, user_of, visible
from files.web.transfers import unlocking
from files.web.transfers.downloads import as_attachment

KEYS_FILE = "securestore.keys"
"""The name of the file in which the keys of several files are saved."""

REFUSED = (NotAKey, WrongFileKey, FileDamaged, limits.LimitReached)


@require_POST
@sensitive_post_parameters("key")
@login_required
@sensitive_variables()
def unlock(request: HttpRequest, file_id: uuid.UUID) -> HttpResponse:
    """Take a held file's key; the right one unlocks it in this browser for a while."""
    record = visible(request, file_id)
    user = user_of(request)
    if not user.has_perm(Permission.DOWNLOAD):
        return may_not_download(request, record)
    if not record.is_held:
        messages.info(
            request, gettext("This file needs no key: whoever may see it may download it.")
        )
        return redirect(record)
    then = request.POST.get("then", "")
    then = then if then in {DOWNLOAD, VIEW} else ""
    try:
        with wrong_keys_counted(request, record):
            key = held.unlock(record, request.POST.get("key", ""), actor=user)
    except REFUSED as refused:
        return key_refused(request, record, refused, partial(locked, request, record, then=then))
    response = redirect(f"files:{then}", record.pk) if then else redirect(record)
    unlocking.unlock(response, request, record, key)
    return response


def wrong_keys_counted(request: HttpRequest, record: FileRecord) -> AbstractContextManager[None]:
    """Count the wrong keys that are typed within: for the file, whichever version, and the user."""
    user = user_of(request)
    counted: dict[str, object] = {"file": record.pk, "user": user.pk}
    if record.owner_id == user.pk:
        # Counted apart: or whoever may type a key for the file, or sits behind the same address,
        # could keep its owner out.
        counted = {**counted, "file": f"own {record.pk}", limits.ADDRESS: f"of owner {user.pk}"}
    return limits.KEY_ENTRY.counting(request, WrongFileKey, **counted)


def key_refused(
    request: HttpRequest, record: FileRecord, refused: Exception, page: Callable[..., HttpResponse]
) -> HttpResponse:
    """The page that says why a key was not taken, and asks again."""
    if isinstance(refused, FileDamaged):
        return render(request, "files/damaged.html", {"record": record}, status=502)
    if isinstance(refused, limits.LimitReached):
        if refused.is_new:
            audit.record(audit.Event.LOCKED_OUT, file_id=record.pk)
        wait = limits.in_words(refused.wait)
        problem = gettext("Too many wrong keys were typed. Wait %(wait)s, then try again.") % {
            "wait": wait
        }
        response = page(status=429, problem=problem)
        response["Retry-After"] = str(refused.wait)
        return response
    status = 400 if isinstance(refused, NotAKey) else 403
    return page(status=status, problem=str(refused))


def _own_held(request: HttpRequest, file_id: uuid.UUID) -> FileRecord:
    """The user's own held file; 404 for any other."""
    record = visible(request, file_id)
    if not record.is_held or record.owner_id != user_of(request).pk:
        raise Http404
    return record


def _sent_held(request: HttpRequest, file_id: uuid.UUID) -> FileRecord:
    """The held file that the user uploaded, whoever's it is; 404 for any other.

    Its key was made for them: an owner whom it was given to is told that the offer is over.
    """
    record = visible(request, file_id)
    mine = {record.owner_id, record.current.creator_id}
    if not record.is_held or user_of(request).pk not in mine:
        raise Http404
    return record


def _must_prove(request: HttpRequest, record: FileRecord) -> bool:
    """Whether the key is shown only to who has proved anew who they are."""
    return not (held.is_fresh(record) or reauthentication.is_recent(request))


@require_safe
@login_required
@sensitive_variables()
def show(request: HttpRequest, file_id: uuid.UUID) -> HttpResponse:
    """The key of a new file once more, until who uploaded it has confirmed that it was saved."""
    record = _sent_held(request, file_id)
    if _must_prove(request, record):
        return reauthentication.ask(request, back_to=request.path)
    try:
        key = held.show(record, actor=user_of(request))
    except OfferOver as over:
        messages.warning(request, str(over))
        return redirect(record)
    return keys_page(request, [(record, key)])


@require_POST
@login_required
@sensitive_variables()
def key_file(request: HttpRequest, file_id: uuid.UUID) -> HttpResponse:
    """The key as a file to be kept, while it is offered."""
    record = _sent_held(request, file_id)
    if _must_prove(request, record):
        return reauthentication.ask(request, back_to=reverse("files:key", args=[record.pk]))
    try:
        key = held.show(record, actor=user_of(request))
    except OfferOver as over:
        messages.warning(request, str(over))
        return redirect(record)
    response = HttpResponse(f"{key}\n", content_type="text/plain; charset=us-ascii")
    as_attachment(response, record.key_file_name)
    return response


@require_POST
@login_required
@sensitive_variables()
def keys_file(request: HttpRequest) -> HttpResponse:
    """The keys of the files `file` in one file to be kept, as far as they are offered.

    One line for each: its name, its id and its key, with tabs between; no name has one in it.
    """
    records = _all_sent_held(request)
    if any(_must_prove(request, record) for record in records):
        return reauthentication.ask(request, back_to=reverse("files:list"))
    lines = []
    for record in records:
        with suppress(OfferOver):
            key = held.show(record, actor=user_of(request))
            lines.append(f"{record.name}\t{record.pk}\t{key}\n")
    if not lines:
        messages.warning(request, str(OfferOver()))
        return redirect("files:list")
    response = HttpResponse("".join(lines), content_type="text/plain; charset=utf-8")
    as_attachment(response, KEYS_FILE)
    return response


def _all_sent_held(request: HttpRequest) -> list[FileRecord]:
    """The held files `file` that the user uploaded; 404 where one is none of these."""
    user = user_of(request)
    wanted = ids_of(request.POST.getlist("file"))
    # Who encrypted a file anew is not on record as its uploader.
    mine = Q(current__creator=user) | Q(current__creator=None, owner=user)
    files = rule.visible_to(Person(user)).filter(mine, custody="held")
    records = list(files.filter(pk__in=wanted).select_related("current__held_key"))
    if not records or len(records) < len(wanted):
        raise Http404
    return records


@require_POST
@login_required
def saved(request: HttpRequest) -> HttpResponse:
    """Who uploaded the files `file` says that the keys were saved: the server forgets them."""
    user = user_of(request)
    records = _all_sent_held(request)
    if not request.POST.get("saved"):
        messages.error(request, gettext("Tick the box to say that you have saved the keys."))
        return redirect("files:key", records[0].pk)
    for record in records:
        held.confirm(record, actor=user)
    if not request.accepts("text/html"):  # The script of the upload page, which stays there.
        return HttpResponse(status=204)
    messages.success(
        request, gettext("Only you have the key now. Keep it safe: nobody can recover it.")
    )
    return redirect(records[0]) if len(records) == 1 else redirect("files:list")


@require_http_methods(["GET", "HEAD", "POST"])
@sensitive_post_parameters("key")
@login_required
@sensitive_variables()
def reencrypt(request: HttpRequest, file_id: uuid.UUID) -> HttpResponse:
    """Re-encrypt a held file under a new DEK, which takes its key; the key stays the same."""
    record = _own_held(request, file_id)
    page = partial(_reencrypt_page, request, record)
    if request.method != "POST":
        return page()
    try:
        with wrong_keys_counted(request, record):
            typed = request.POST.get("key", "")
            new, key = reencryption.reencrypt_held(record, typed, actor=user_of(request))
    except REFUSED as refused:
        return key_refused(request, record, refused, page)
    except (reencryption.AlreadyRunning, reencryption.FileChanged) as error:
        return page(status=409, problem=str(error))
    except reencryption.NotVerified as error:
        return page(status=502, problem=str(error))
    messages.success(
        request, gettext("The file was encrypted anew. Its key is the same as before.")
    )
    response = redirect(new)
    unlocking.unlock(response, request, new, key)
    return response


def _reencrypt_page(
    request: HttpRequest, record: FileRecord, *, status: int = 200, problem: str = ""
) -> HttpResponse:
    context = {"record": record, "problem": problem, **key_context(request, record)}
    return render(request, "files/reencrypt.html", context, status=status)


# --- Passphrases --------------------------------------------------------------------------------


def _in_words(form: PassphraseForm) -> HttpResponse:
    """What is wrong with a passphrase, for the script that asked."""
    text = " ".join(str(error) for errors in form.errors.values() for error in errors)
    return HttpResponse(f"{text}\n", status=400, content_type="text/plain; charset=utf-8")


@login_required
@require_POST
@sensitive_post_parameters("passphrase", "passphrase_again")
@sensitive_variables()
def judge_passphrase(request: HttpRequest) -> HttpResponse:
    """Whether a passphrase is good enough: 204 or, in words, 400. Nothing is kept.

    For the script of the upload page, which asks before it sends a large file.
    """
    form = PassphraseForm(request.POST, user=user_of(request))
    return HttpResponse(status=204) if form.is_valid() else _in_words(form)


@require_POST
@sensitive_post_parameters("passphrase", "passphrase_again")
@login_required
@sensitive_variables()
def set_passphrase(request: HttpRequest, file_id: uuid.UUID) -> HttpResponse:
    """Put a passphrase in the place of a new file's key: 204, or 400 and 409 in words."""
    record = _sent_held(request, file_id)
    user = user_of(request)
    if _must_prove(request, record):
        return reauthentication.ask(request, back_to=reverse("files:key", args=[record.pk]))
    form = PassphraseForm(request.POST, user=user)
    if not form.is_valid():
        return _in_words(form)
    try:
        held.set_passphrase(record, form.cleaned_data["passphrase"], actor=user)
    except OfferOver as over:
        return HttpResponse(f"{over}\n", status=409, content_type="text/plain; charset=utf-8")
    return HttpResponse(status=204)
