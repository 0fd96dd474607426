"""`generate_master_key`: the key, and nothing else, on standard output."""

from __future__ import annotations

from io import StringIO

from django.core.management import call_command

from files.crypto.keyring import Keyring
from files.crypto.masterkey import LocalMasterKey


def generate() -> tuple[str, str]:
    out, err = StringIO(), StringIO()
    call_command("generate_master_key", stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def test_standard_output_holds_one_usable_key_and_nothing_else() -> None:
    out, err = generate()
    key = out.removesuffix("\n")
    assert Keyring.from_text(key).ids == (LocalMasterKey(key).id,)
    assert len(out.splitlines()) == 1
    assert err == f"Key id: {LocalMasterKey(key).id}\n"
    assert key not in err


def test_no_key_comes_twice() -> None:
    assert generate()[0] != generate()[0]
