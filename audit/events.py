"""The name of every event that the log knows. A name that was once used never changes."""

from enum import StrEnum, auto


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


def label(name: str) -> str:
    """The name as a person reads it: `Sign in failed`. Of a later version's events too."""
    return name.replace("_", " ").capitalize()
