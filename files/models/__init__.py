"""What the vault knows: files, their encryptions in the store, and who was granted what.

A module for each family; Django looks for all of them here. Must never touch the store or a key:
the rooms of use cases alone join rows and objects.
"""

from files.models.answers import KeptAnswer
from files.models.asked import AccessRequest
from files.models.database import DatabaseState, Pulse
from files.models.entries import Entry, Item
from files.models.folders import Ancestry, Folder
from files.models.grants import Grant, GrantQuerySet
from files.models.keys import HeldKey, MasterKey
from files.models.links import Link, LinkDownload, LinkQuerySet
from files.models.recent import RecentFile
from files.models.records import FileRecord, Usage
from files.models.requests import FileRequest, FileRequestQuerySet, Received, Sender
from files.models.stored_objects import Custody, StoredObject
from files.models.transfers import Conflict, DownloadSession, UploadSession
from files.models.verifications import VerificationClaim, VerificationRun
from files.models.versions import KeptVersion

__all__ = [
    "AccessRequest",
    "Ancestry",
    "Conflict",
    "Custody",
    "DatabaseState",
    "DownloadSession",
    "Entry",
    "FileRecord",
    "FileRequest",
    "FileRequestQuerySet",
    "Folder",
    "Grant",
    "GrantQuerySet",
    "HeldKey",
    "Item",
    "KeptAnswer",
    "KeptVersion",
    "Link",
    "LinkDownload",
    "LinkQuerySet",
    "MasterKey",
    "Pulse",
    "Received",
    "RecentFile",
    "Sender",
    "StoredObject",
    "UploadSession",
    "Usage",
    "VerificationClaim",
    "VerificationRun",
]
