"""What the use cases refuse or cannot do. Every message may be shown to the person who asked."""

from django.contrib.humanize.templatetags.humanize import intcomma
from django.utils.translation import gettext, ngettext


class VaultError(Exception):
    """Anything that a use case refuses or cannot do."""


class FileTooLarge(VaultError):
    """More bytes than `limit`."""

    def __init__(self, limit: int) -> None:
        super().__init__(
            gettext("The file is larger than the limit of %(limit)s bytes.")
            % {"limit": intcomma(limit)}
        )
        self.limit = limit


class FileDamaged(VaultError):
    """The store does not return what was written, or does not have it any more."""

    def __init__(self) -> None:
        super().__init__(gettext("The store no longer returns this file as it was written."))


class NameTaken(VaultError):
    """Something else in that folder has the name, whatever its case: `name`.

    `uploading`: of a file that is sent and was to be refused then.
    """

    def __init__(self, name: str, *, uploading: bool = False) -> None:
        text = gettext(
            "“%(name)s” exists in that folder already, perhaps with other capital letters: choose "
            "another name."
        ) % {"name": name}
        if uploading:
            otherwise = gettext(
                "Or upload it as a new version (conflict “version”), or beside the one that is "
                "there (“rename”)."
            )
            text = f"{text} {otherwise}"
        super().__init__(text)
        self.name = name


class NotAFolder(NameTaken):
    """A path leads through a name that a file has: `name`."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.args = (
            gettext(
                "“%(name)s” is a file there, so no folder can have this name: rename one of "
                "the two, and try again."
            )
            % {"name": name},
        )


class NoSuchFolder(VaultError):
    """The folder is gone, was put away, or is nobody's that one may see."""

    def __init__(self) -> None:
        super().__init__(gettext("That folder does not exist any more: choose another one."))


class ItemGone(NoSuchFolder):
    """What was to be changed is gone, was moved, or is not this person's to change any more."""

    def __init__(self) -> None:
        super().__init__()
        self.args = (
            gettext(
                "It is no longer there, or no longer yours to change: somebody may have moved "
                "or deleted it, or your access has ended. Nothing was changed."
            ),
        )


class MayNotAdd(VaultError):
    """The person sees the folder and may not put anything into it."""

    def __init__(self) -> None:
        super().__init__(
            gettext(
                "You may not add anything to that folder: ask its owner to let you add, or "
                "choose another folder."
            )
        )


class MayNotMove(VaultError):
    """What is to be moved is not this person's to move there."""

    def __init__(self) -> None:
        super().__init__(
            gettext(
                "You may move this only within the folder that you manage: what is another "
                "person's stays in their folders. Ask its owner, or choose a folder inside."
            )
        )


class NoSuchVersion(VaultError):
    """The file has no such former version, or not for this person; perhaps not any more."""

    def __init__(self) -> None:
        super().__init__(gettext("There is no such former version of the file any more."))


class IntoItself(VaultError):
    """A folder was to be moved into itself or into a folder below it."""

    def __init__(self) -> None:
        super().__init__(
            gettext("A folder cannot be moved into itself: choose a folder outside of it.")
        )


class TooDeep(VaultError):
    """Folders would stand more than `limit` deep."""

    def __init__(self, limit: int) -> None:
        super().__init__(
            gettext("Folders can stand %(limit)s deep and no deeper: choose a folder higher up.")
            % {"limit": intcomma(limit)}
        )
        self.limit = limit


class UploadLost(VaultError):
    """The upload was swept away, or otherwise ended, before it was complete."""

    def __init__(self) -> None:
        super().__init__(gettext("The upload took too long and was given up. Please upload again."))


class AccountClosed(UploadLost):
    """The account that an upload belongs to was deactivated before it was complete."""

    def __init__(self) -> None:
        super().__init__()
        self.args = (gettext("The account is no longer active: the upload was given up."),)


class KeysMissing(VaultError):
    """Master keys are needed that are not configured: their ids, and by how many files each.

    `secrets` says the same of second factors.
    """

    def __init__(self, missing: dict[str, int], secrets: dict[str, int] | None = None) -> None:
        self.missing = missing
        self.secrets = secrets or {}
        needs = "; ".join(
            f"key {key_id} is needed by {self._needs(key_id)}"
            for key_id in sorted({*missing, *self.secrets})
        )
        super().__init__(
            f"Master keys are missing: {needs}. Add the missing key to MASTER_KEYS again, "
            "and remove it only after rotate_master_key has finished."
        )

    def _needs(self, key_id: str) -> str:
        needs = []
        for count, what in (
            (self.missing.get(key_id, 0), "file"),
            (self.secrets.get(key_id, 0), "second factor"),
        ):
            if count:
                needs.append(f"{count} {what}{'' if count == 1 else 's'}")
        return " and ".join(needs)


class KeyRetired(VaultError):
    """The primary master key was retired, so nothing may be wrapped by it any more."""

    def __init__(self, key_id: str) -> None:
        super().__init__(
            f"Master key {key_id} was retired and may never wrap anything again. Put another key "
            "first in MASTER_KEYS; `manage.py generate_master_key` makes one."
        )
        self.key_id = key_id


class RequestOver(VaultError):
    """A request takes nothing: it has ended, sleeps, or never was. Which, is not told."""

    def __init__(self) -> None:
        super().__init__(
            gettext(
                "Nothing can be sent here: the request has ended, or there never was one. Nothing "
                "was stored. Ask whoever gave you the address."
            )
        )


class RequestFull(FileTooLarge):
    """It does not fit into what a request still takes: `left` bytes.

    None where it is another bound that is in the way, of which a sender learns nothing more: the
    number of files, or the quota of the folder's owner.
    """

    def __init__(self, left: int | None = None) -> None:
        super().__init__(left or 0)
        if left is None:
            text = gettext(
                "The request takes nothing more for now. Ask whoever gave you the address to make "
                "room."
            )
        else:
            text = ngettext(
                "That is more than the request takes: %(left)s byte is left.",
                "That is more than the request takes: %(left)s bytes are left.",
                left,
            ) % {"left": intcomma(left)}
        self.args = (text,)


class QuotaExceeded(FileTooLarge):
    """The file does not fit into what is left of its owner's quota: `limit` bytes.

    `pending` bytes are kept for uploads that are not complete, `trash` are those of the trash.
    `of_another`: the quota is not that of the person who asks, but of the folder's owner.
    """

    def __init__(
        self, left: int, pending: int = 0, trash: int = 0, *, of_another: bool = False
    ) -> None:
        super().__init__(left)
        self.trash = trash
        if of_another:
            self.args = (
                gettext(
                    "The storage of that folder's owner, in which it would count, is nearly used "
                    "up: %(left)s bytes are left. Choose another folder, or ask its owner to make "
                    "room."
                )
                % {"left": intcomma(left)},
            )
            return
        parts = [
            ngettext(
                "Your storage is nearly used up: %(left)s byte is left.",
                "Your storage is nearly used up: %(left)s bytes are left.",
                left,
            )
            % {"left": intcomma(left)}
        ]
        if pending:
            text = ngettext(
                "Unfinished uploads hold %(pending)s byte of it: complete them or give them up; "
                "what they have not received is free again when they stood still for an hour.",
                "Unfinished uploads hold %(pending)s bytes of it: complete them or give them up; "
                "what they have not received is free again when they stood still for an hour.",
                pending,
            )
            parts.append(text % {"pending": intcomma(pending)})
        if trash:
            text = ngettext(
                "%(trash)s byte of what is used is in the trash: what you delete there for good is "
                "free at once.",
                "%(trash)s bytes of what is used are in the trash: what you delete there for good "
                "is free at once.",
                trash,
            )
            parts.append(text % {"trash": intcomma(trash)})
        parts.append(
            gettext("Delete files that you no longer need, or ask an administrator for more.")
        )
        self.args = (" ".join(parts),)


class TooManyUploads(VaultError):
    """A person has as many unfinished uploads as one may have: `limit`."""

    def __init__(self, limit: int) -> None:
        super().__init__(
            gettext(
                "You have %(limit)s unfinished uploads, and may have %(limit)s: nothing was "
                "begun. Complete some or give them up. One that has not received a byte ends "
                "by itself after a while."
            )
            % {"limit": intcomma(limit)}
        )
        self.limit = limit


class KeyNeeded(VaultError):
    """A held file was asked for without its key."""

    def __init__(self) -> None:
        super().__init__(gettext("This file can be read only with its own key."))


class WrongFileKey(VaultError):
    """The key or passphrase is not the one of this file. Nothing is wrong with the file itself."""

    def __init__(self, *, passphrase: bool = False) -> None:
        if passphrase:
            text = gettext(
                "Wrong key: what you typed is not the passphrase of this file. The file itself is "
                "fine."
            )
        else:
            text = gettext(
                "Wrong key: what you typed does not open this file. The file itself is fine."
            )
        super().__init__(text)


class NotAKey(VaultError):
    """What was typed cannot be a key at all."""

    def __init__(self) -> None:
        super().__init__(
            gettext(
                "That is not a key. A key has 44 characters: letters, digits, “-” and “_”, and "
                "“=” at its end."
            )
        )


class TooBusy(VaultError):
    """Too many passphrases are being checked at this moment."""

    def __init__(self) -> None:
        super().__init__(gettext("Too many passphrases are being checked. Try again in a moment."))


class WeakPassphrase(VaultError):
    """A passphrase that others would guess, with the reason in words."""


class OfferOver(VaultError):
    """The key cannot be shown or replaced any more: it was saved, or its time is over."""

    def __init__(self) -> None:
        super().__init__(
            gettext(
                "The server no longer has this key: it was confirmed that it was saved, or its "
                "time is over."
            )
        )


class AccessEnded(VaultError):
    """The person may no longer see the file: a grant ended between two questions."""

    def __init__(self) -> None:
        super().__init__(gettext("Your access to this file has ended."))


class UploadBusy(VaultError):
    """Another request is writing to this upload."""

    def __init__(self) -> None:
        super().__init__(
            gettext("Another request is writing to this upload. Try again in a moment.")
        )


class WrongOffset(VaultError):
    """The bytes do not continue what is safe. `offset` is where they would."""

    def __init__(self, offset: int) -> None:
        super().__init__(
            gettext("This upload continues at byte %(offset)s.") % {"offset": intcomma(offset)}
        )
        self.offset = offset


class OtherContent(VaultError):
    """What is safe, or was sent now, is not the content that the client means to upload.

    `offset` and `chain` say what is safe; the chain is None where none is known. `at_once` tells a
    request that was refused before its first byte from one whose bytes were other ones.
    """

    def __init__(self, offset: int, chain: bytes | None, *, at_once: bool) -> None:
        if chain is None:
            text = gettext(
                "This upload was begun before content chains were kept, so the file cannot be "
                "compared with what is safe. Nothing was stored now. Begin a new upload."
            )
        elif at_once:
            text = gettext(
                "The first %(offset)s bytes of this upload are those of another content. "
                "Nothing was stored now. Begin a new upload."
            ) % {"offset": intcomma(offset)}
        else:
            text = gettext(
                "What arrived is not the content that was announced: the file was changed "
                "while it was sent, or it was altered on the way. No file was made. Compare "
                "the first %(offset)s bytes, which are safe, or begin a new upload."
            ) % {"offset": intcomma(offset)}
        super().__init__(text)
        self.offset = offset
        self.chain = chain
        self.at_once = at_once


class WrongLength(VaultError):
    """The declared length contradicts what is known, or is missing."""
