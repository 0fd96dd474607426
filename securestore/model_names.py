"""What the administration calls models and their fields: a column, a field of a form, a title.

Told here and not by the models: there it would be part of their migrations, which have no words.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.apps import apps
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

MODELS: dict[str, tuple[_StrPromise, _StrPromise]] = {
    "accounts.Invitation": (_("invitation"), _("invitations")),
    "audit.AuditEvent": (_("event"), _("events")),
    "files.AccessRequest": (_("request for access"), _("requests for access")),
    "files.FileRecord": (_("file"), _("files")),
    "files.Folder": (_("folder"), _("folders")),
    "files.FileRequest": (_("request for files"), _("requests for files")),
    "files.Grant": (_("share"), _("shares")),
    "files.Link": (_("link"), _("links")),
    "files.MasterKey": (_("master key"), _("master keys")),
}
"""One, and many."""

FIELDS: dict[str, _StrPromise] = {
    "accept_first": _("accept first"),
    "accepted_at": _("accepted at"),
    "accepted_by": _("accepted by"),
    "added_by": _("added by"),
    "address": _("address"),
    "addresses": _("addresses"),
    "answer": _("answer"),
    "answered_by": _("answered by"),
    "asked_at": _("asked at"),
    "asker": _("who asks"),
    "at": _("at"),
    "attempts": _("attempts"),
    "charged": _("charged"),
    "content_type": _("content type"),
    "created_at": _("created at"),
    "current": _("current"),
    "custody": _("custody"),
    "email": _("email"),
    "ended_at": _("ended at"),
    "ended_by": _("ended by"),
    "event": _("event"),
    "expires_at": _("expires at"),
    "file": _("file"),
    "folder": _("folder"),
    "granted_by": _("granted by"),
    "group": _("group"),
    "groups": _("groups"),
    "id": _("id"),
    "identify": _("identify"),
    "invited_by": _("invited by"),
    "kept_bytes": _("kept bytes"),
    "key_id": _("key id"),
    "kind": _("kind"),
    "label": _("label"),
    "language": _("language"),
    "last_opened_at": _("last opened at"),
    "last_used_at": _("last used at"),
    "level": _("level"),
    "mac": _("mac"),
    "maker": _("maker"),
    "most": _("most"),
    "most_bytes": _("most bytes"),
    "most_files": _("most files"),
    "most_senders": _("most senders"),
    "name": _("name"),
    "opened": _("opened"),
    "owner": _("owner"),
    "parent": _("parent"),
    "previous_mac": _("previous mac"),
    "purged_at": _("purged at"),
    "quota": _("quota"),
    "reason": _("reason"),
    "retired_at": _("retired at"),
    "revoked_at": _("revoked at"),
    "revoked_by": _("revoked by"),
    "sent_at": _("sent at"),
    "size": _("size"),
    "starts_at": _("starts at"),
    "time_zone": _("time zone"),
    "title": _("title"),
    "trashed_at": _("trashed at"),
    "trashed_by": _("trashed by"),
    "type": _("type"),
    "updated_at": _("updated at"),
    "uploaded_at": _("uploaded at"),
    "uploaded_by": _("uploaded by"),
    "used": _("used"),
    "user": _("user"),
    "user_agent": _("user agent"),
    "version": _("version"),
    "wanted": _("what is asked for"),
    "word": _("word"),
    "words": _("words"),
    "wrong_at": _("wrong at"),
    "wrong_codes": _("wrong codes"),
}
"""By name, whichever model of the administration has it, where that says nothing else itself."""

BORROWED = (
    gettext_noop("After you’ve created a user, you’ll be able to edit more user options."),  # noqa: RUF001
    gettext_noop(
        "This action will <strong>enable</strong> password-based authentication for this user."
    ),
    gettext_noop("Disable password-based authentication"),
    gettext_noop("Enable password-based authentication"),
    gettext_noop("Conflicting form data submitted. Please try again."),
    gettext_noop("Password-based authentication was disabled."),
    gettext_noop("Set password: %s"),
    gettext_noop("Reset password"),
    gettext_noop("Password-based authentication"),
    gettext_noop("Enabled"),
    gettext_noop("Disabled"),
    gettext_noop("Raw passwords are not stored, so there is no way to see the user’s password."),  # noqa: RUF001
    gettext_noop("Enable password-based authentication for this user by setting a password."),
    gettext_noop("In case you’ve forgotten, you are:"),  # noqa: RUF001
)
"""What Django says in the administration, and has not in each of our languages."""


def apply() -> None:
    """Give the models of this site these names, in the language of each page."""
    for label, (one, many) in MODELS.items():
        meta = apps.get_model(label)._meta
        meta.verbose_name, meta.verbose_name_plural = one, many
    for app in ("accounts", "audit", "files", "mfa"):
        for model in apps.get_app_config(app).get_models():
            for field in model._meta.get_fields():
                # As given, and not as Django derives it from the field's name.
                if getattr(field, "_verbose_name", "") is None and field.name in FIELDS:
                    field.verbose_name = FIELDS[field.name]  # type: ignore[union-attr]
