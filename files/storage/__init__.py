"""Encrypted objects in an S3 store: written whole or not at all, read from any offset.

Knows object names, keys and bytes; knows no models and no users. Everything that the store
returns is untrusted until it has authenticated.
"""

from files.storage.backend import EncryptedS3Storage, KeySource, Listed, ObjectKey, Unfinished
from files.storage.errors import (
    ObjectMissing,
    StoreError,
    StoreRefused,
    StoreUnavailable,
)
from files.storage.progress import Progress, SealedObject, Tail
from files.storage.reader import ObjectReader
from files.storage.writer import ObjectWriter

__all__ = [
    "EncryptedS3Storage",
    "KeySource",
    "Listed",
    "ObjectKey",
    "ObjectMissing",
    "ObjectReader",
    "ObjectWriter",
    "Progress",
    "SealedObject",
    "StoreError",
    "StoreRefused",
    "StoreUnavailable",
    "Tail",
    "Unfinished",
]
