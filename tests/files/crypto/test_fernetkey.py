"""Fernet keys as text: what is none is refused, and not shown."""

from __future__ import annotations

import base64
import traceback

import pytest
from cryptography.fernet import Fernet

from files.crypto.errors import MalformedKey
from files.crypto.fernetkey import generate_master_key
from files.crypto.heldkey import hold, release
from files.crypto.keyring import Keyring
from files.crypto.masterkey import LocalMasterKey
from tests.files.crypto.records import CONTEXT, DEK, HELD, NEW, OLD


@pytest.mark.parametrize(
    "text",
    [
        "changeme-changeme",
        OLD[:-1],
        OLD[:-2] + "==",
        OLD + "=",
        OLD[:20] + "!" + OLD[21:],
        OLD[:20] + "é" + OLD[21:],
        base64.b64encode(b"\xfb" * 32).decode(),
        base64.urlsafe_b64encode(bytes(31)).decode(),
        OLD * 2,
    ],
)
def test_a_malformed_key_is_refused_and_not_shown(text: str) -> None:
    for make in (
        lambda: LocalMasterKey(text),
        lambda: Keyring.from_text(f"{NEW},{text}"),
        lambda: hold(DEK, text, CONTEXT),
        lambda: release(HELD.material, text, CONTEXT),
    ):
        with pytest.raises(MalformedKey, match="44 characters") as refusal:
            make()
        shown = "".join(traceback.format_exception_only(refusal.value))
        assert text not in shown
        assert text[:8] not in shown


def test_generated_keys() -> None:
    keys = {generate_master_key() for _ in range(8)}
    assert len(keys) == 8
    for key in keys:
        LocalMasterKey(key)
        Fernet(key)
