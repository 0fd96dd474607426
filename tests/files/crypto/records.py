"""Keys and key records that the tests of wrapping share."""

from __future__ import annotations

import base64
from dataclasses import replace
from uuid import UUID

from files.crypto.heldkey import hold
from files.crypto.keyrecord import Custody, KeyRecord, KeyState
from files.crypto.stream.keys import Context, derive_keys

OLD, NEW, USER = (base64.urlsafe_b64encode(bytes([n]) * 32).decode() for n in (1, 2, 3))
DEK = bytes(range(32))
CONTEXT = Context(UUID(int=1), UUID(int=2), 1_700_000_000)
MANAGED = KeyRecord(
    state=KeyState.SEALED,
    context=CONTEXT,
    size=1234,
    commitment=derive_keys(DEK, CONTEXT).commitment,
    custody=Custody.MANAGED,
    material=DEK,
)
HELD = replace(MANAGED, custody=Custody.HELD, material=hold(DEK, USER, CONTEXT))
UPLOADING = replace(MANAGED, state=KeyState.UPLOADING, size=0)
RECORDS = [
    MANAGED,
    HELD,
    UPLOADING,
    replace(UPLOADING, custody=Custody.HELD),
    replace(HELD, state=KeyState.UPLOADING, size=0),
]
