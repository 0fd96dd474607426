"""The name of every event that the log knows. A name that was once used never changes."""

from __future__ import annotations

from enum import StrEnum, auto
from typing import TYPE_CHECKING

from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise


class Event(StrEnum):
    # Accounts
    SIGNED_IN = auto()
    SIGN_IN_FAILED = auto()
    SIGNED_OUT = auto()
    LOCKED_OUT = auto()
    PASSWORD_CHANGED = auto()
    EMAIL_CHANGED = auto()
    PROFILE_CHANGED = auto()
    MFA_CHANGED = auto()
    PASSWORD_RESET_ASKED = auto()
    SESSION_REVOKED = auto()
    USER_INVITED = auto()
    INVITATION_ACCEPTED = auto()
    INVITATION_REVOKED = auto()
    ACCOUNT_CHANGED = auto()  # By an administrator: what it may do, and in which groups.
    GROUP_CHANGED = auto()
    TOKEN_CREATED = auto()  # For a program. No event has the token itself.
    TOKEN_REVOKED = auto()
    PROGRAM_ALLOWED = auto()  # To have a token, which it fetches next.
    PROGRAM_REFUSED = auto()
    TOKEN_REFUSED = auto()  # Why, is told here alone: its client learns nothing.

    # Files
    FILE_UPLOADED = auto()
    UPLOAD_ABORTED = auto()
    FILE_DOWNLOADED = auto()
    DOWNLOAD_DENIED = auto()
    ACCESS_DENIED = auto()  # Another page of a file than its bytes.
    DOWNLOAD_FAILED = auto()
    WRONG_KEY = auto()
    FILE_UNLOCKED = auto()  # A held file's right key was given.
    KEY_SHOWN = auto()  # Again, after the answer that completed the upload.
    KEY_SAVED = auto()  # Its owner has it: the server forgot it.
    PASSPHRASE_SET = auto()
    FILE_DELETED = auto()  # For good, with what it takes to bring it back.
    OWNERSHIP_TRANSFERRED = auto()
    RENAMED = auto()  # A file or a folder. No event has a name in it.
    MOVED = auto()
    PUT_AWAY = auto()  # Into the trash.
    RESTORED = auto()
    VERSION_ADDED = auto()  # It is the current one; what was, is a former one.
    VERSION_RESTORED = auto()  # A former one is the current one again.
    VERSION_DELETED = auto()  # A former one, for good: by its owner, or by its age.

    # Folders
    FOLDER_CREATED = auto()
    FOLDER_DELETED = auto()  # For good, with all that was in it.

    # Grants
    GRANT_CREATED = auto()
    GRANT_CHANGED = auto()
    GRANT_REVOKED = auto()
    SELF_GRANTED = auto()  # An administrator let themselves in.

    # Requests: people without an account who send files in
    REQUEST_CREATED = auto()
    REQUEST_ENDED = auto()
    SENDER_ADMITTED = auto()  # Under the name that they said, or by their address.
    SENDER_REFUSED = auto()  # A code was wrong.
    UPLOAD_ACCEPTED = auto()
    UPLOAD_DECLINED = auto()  # It is in the trash.
    # People outside
    LINK_CREATED = auto()  # No event has the secret of its URL.
    LINK_REVOKED = auto()
    LINK_OPENED = auto()  # Once an hour for each address.
    LINK_REFUSED = auto()  # A wrong password or code, or an address that may have no code.
    LINK_CODE_SENT = auto()
    LINK_EXHAUSTED = auto()  # The last download that it was good for is complete.
    LINK_ENDED = auto()  # By its time.

    # Requests for access
    ACCESS_ASKED = auto()  # For what exists, or does not.
    ACCESS_REQUEST_GRANTED = auto()
    ACCESS_REQUEST_DECLINED = auto()

    # Keys
    FILE_REENCRYPTED = auto()
    KEY_REWRAPPED = auto()  # One summary for a run, not one event for each record.
    KEY_RETIRED = auto()
    KEYS_EXPORTED = auto()
    KEYS_IMPORTED = auto()  # One for each batch that was committed.

    # Operations
    AUDIT_EXPORTED = auto()
    DAMAGE_FOUND = auto()
    DAMAGE_CLEARED = auto()  # It reads completely again, and an operator said so.
    FILES_VERIFIED = auto()  # One summary for a run.
    SWEPT = auto()
    DATABASE_CLOSED = auto()  # To be moved: the last event there.
    DATABASE_REOPENED = auto()
    DATABASE_MOVED = auto()  # The first event at the new place.
    COMMAND_RUN = auto()


_LABELS: dict[str, _StrPromise] = {
    Event.SIGNED_IN: _("Signed in"),
    Event.SIGN_IN_FAILED: _("Sign in failed"),
    Event.SIGNED_OUT: _("Signed out"),
    Event.LOCKED_OUT: _("Locked out"),
    Event.PASSWORD_CHANGED: _("Password changed"),
    Event.EMAIL_CHANGED: _("Email changed"),
    Event.PROFILE_CHANGED: _("Profile changed"),
    Event.MFA_CHANGED: _("Mfa changed"),
    Event.PASSWORD_RESET_ASKED: _("Password reset asked"),
    Event.SESSION_REVOKED: _("Session revoked"),
    Event.USER_INVITED: _("User invited"),
    Event.INVITATION_ACCEPTED: _("Invitation accepted"),
    Event.INVITATION_REVOKED: _("Invitation revoked"),
    Event.ACCOUNT_CHANGED: _("Account changed"),
    Event.GROUP_CHANGED: _("Group changed"),
    Event.FILE_UPLOADED: _("File uploaded"),
    Event.UPLOAD_ABORTED: _("Upload aborted"),
    Event.FILE_DOWNLOADED: _("File downloaded"),
    Event.DOWNLOAD_DENIED: _("Download denied"),
    Event.ACCESS_DENIED: _("Access denied"),
    Event.DOWNLOAD_FAILED: _("Download failed"),
    Event.WRONG_KEY: _("Wrong key"),
    Event.FILE_UNLOCKED: _("File unlocked"),
    Event.KEY_SHOWN: _("Key shown"),
    Event.KEY_SAVED: _("Key saved"),
    Event.PASSPHRASE_SET: _("Passphrase set"),
    Event.FILE_DELETED: _("File deleted"),
    Event.OWNERSHIP_TRANSFERRED: _("Ownership transferred"),
    Event.RENAMED: _("Renamed"),
    Event.MOVED: _("Moved"),
    Event.PUT_AWAY: _("Put away"),
    Event.RESTORED: _("Restored"),
    Event.VERSION_ADDED: _("Version added"),
    Event.VERSION_RESTORED: _("Version restored"),
    Event.VERSION_DELETED: _("Version deleted"),
    Event.FOLDER_CREATED: _("Folder created"),
    Event.FOLDER_DELETED: _("Folder deleted"),
    Event.GRANT_CREATED: _("Grant created"),
    Event.GRANT_CHANGED: _("Grant changed"),
    Event.GRANT_REVOKED: _("Grant revoked"),
    Event.SELF_GRANTED: _("Self granted"),
    Event.REQUEST_CREATED: _("Request created"),
    Event.REQUEST_ENDED: _("Request ended"),
    Event.SENDER_ADMITTED: _("Sender admitted"),
    Event.SENDER_REFUSED: _("Sender refused"),
    Event.UPLOAD_ACCEPTED: _("Upload accepted"),
    Event.UPLOAD_DECLINED: _("Upload declined"),
    Event.LINK_CREATED: _("Link created"),
    Event.LINK_REVOKED: _("Link revoked"),
    Event.LINK_OPENED: _("Link opened"),
    Event.LINK_REFUSED: _("Link refused"),
    Event.LINK_CODE_SENT: _("Link code sent"),
    Event.LINK_EXHAUSTED: _("Link exhausted"),
    Event.LINK_ENDED: _("Link ended"),
    Event.ACCESS_ASKED: _("Access asked"),
    Event.ACCESS_REQUEST_GRANTED: _("Access request granted"),
    Event.ACCESS_REQUEST_DECLINED: _("Access request declined"),
    Event.FILE_REENCRYPTED: _("File reencrypted"),
    Event.KEY_REWRAPPED: _("Key rewrapped"),
    Event.KEY_RETIRED: _("Key retired"),
    Event.KEYS_EXPORTED: _("Keys exported"),
    Event.KEYS_IMPORTED: _("Keys imported"),
    Event.AUDIT_EXPORTED: _("Audit exported"),
    Event.DAMAGE_FOUND: _("Damage found"),
    Event.DAMAGE_CLEARED: _("Damage cleared"),
    Event.FILES_VERIFIED: _("Files verified"),
    Event.SWEPT: _("Swept"),
    Event.DATABASE_CLOSED: _("Database closed"),
    Event.DATABASE_REOPENED: _("Database reopened"),
    Event.DATABASE_MOVED: _("Database moved"),
    Event.COMMAND_RUN: _("Command run"),
}


def label(name: str) -> str:
    """The name as a person reads it: `Sign in failed`. Of a later version's events too."""
    return str(_LABELS.get(name) or name.replace("_", " ").capitalize())
