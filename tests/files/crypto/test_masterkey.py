"""Master keys: their names, and how they are configured."""

from __future__ import annotations

import pytest

from files.crypto.errors import MalformedKey
from files.crypto.keyring import Keyring
from files.crypto.masterkey import LocalMasterKey
from tests.files.crypto.records import NEW, OLD


@pytest.mark.parametrize(
    "text", [f"{NEW},{OLD}", f" {NEW} , {OLD} ", f"{NEW}\n{OLD}\n", f",{NEW},\r\n\t{OLD},"]
)
def test_keys_are_separated_by_commas_and_white_space(text: str) -> None:
    assert Keyring.from_text(text).ids == Keyring.from_text(f"{NEW},{OLD}").ids


def test_a_fingerprint_is_stable_and_short() -> None:
    key_id = LocalMasterKey(OLD).id
    assert key_id == LocalMasterKey(OLD).id == "494f40f8e5964fc5"
    assert key_id != LocalMasterKey(NEW).id


def test_the_position_of_a_malformed_key_is_told() -> None:
    with pytest.raises(MalformedKey, match="number 2 of 3"):
        Keyring.from_text(f"{NEW},oops,{OLD}")
