"""An export reads back as it was written, and nothing of a broken one goes unnoticed."""

from __future__ import annotations

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from files.crypto.errors import CryptoError
from files.crypto.fernetkey import generate_master_key
from files.crypto.keyexport.reading import open_export, read_header
from files.crypto.keyexport.writing import Protector, write_export
from tests.files.crypto.rescue.exports import entry_of


@settings(max_examples=40)
@given(st.lists(st.text(max_size=60), max_size=30), st.data())
def test_whatever_the_names_an_export_reads_back_and_no_cut_goes_unnoticed(
    names: list[str], data: st.DataObject
) -> None:
    entries = [entry_of(name) for name in names]
    protector = Protector.fernet_key(generate_master_key())
    out = io.BytesIO()
    write_export(out, protector, entries)
    assert list(open_export(out, read_header(out), protector.key).entries()) == entries
    whole = out.getvalue()
    at = data.draw(st.integers(0, len(whole) - 1))
    flipped = (
        whole[:at] + bytes([whole[at] ^ (1 << data.draw(st.integers(0, 7)))]) + whole[at + 1 :]
    )
    for broken in (whole[:at], flipped, whole + b"x"):
        source = io.BytesIO(broken)
        with pytest.raises(CryptoError):
            list(open_export(source, read_header(source), protector.key).entries())
