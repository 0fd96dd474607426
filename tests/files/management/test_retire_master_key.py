"""`retire_master_key`: what it says, and how it ends."""

from __future__ import annotations

from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from accounts.models import User
from files.crypto.fernetkey import generate_master_key
from files.crypto.masterkey import LocalMasterKey
from files.models import MasterKey
from files.rotation import rewrapping
from tests.files.conftest import Store, UseKeys

OLD, NEW = generate_master_key(), generate_master_key()
OLD_ID, NEW_ID = LocalMasterKey(OLD).id, LocalMasterKey(NEW).id


@pytest.fixture(autouse=True)
def _one_file(store: Store, alice: User, use_keys: UseKeys) -> None:
    """A file under the old key; the new one is now the primary."""
    use_keys(OLD)
    store(alice)
    use_keys(NEW, OLD)


def retire(*arguments: str) -> tuple[str, str]:
    out, err = StringIO(), StringIO()
    call_command("retire_master_key", *arguments, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def test_it_is_refused_while_the_key_is_needed() -> None:
    with pytest.raises(CommandError, match=r"still needed by 1 live file\..*rotate_master_key"):
        retire(OLD_ID)


def test_it_retires_and_says_what_is_left_to_do(
    use_keys: UseKeys, events: Callable[[str], list[dict[str, Any]]]
) -> None:
    rewrapping.rewrap()
    out, err = retire(OLD_ID, "--dry-run")
    assert out == f"Master key {OLD_ID} would be retired: nothing needs it.\n"
    out, err = retire(OLD_ID)
    assert out == f"Master key {OLD_ID} is retired.\n"
    assert "still configured: remove it" in err
    assert events("key_retired")[0]["actor"] == "command:retire_master_key"
    use_keys(NEW)
    assert retire(OLD_ID) == (f"Master key {OLD_ID} was retired before.\n", "")


def test_an_unknown_id_is_an_error() -> None:
    with pytest.raises(CommandError, match="No master key abc is known here"):
        retire("abc")


def test_a_key_typed_in_the_place_of_its_id_is_not_shown() -> None:
    with pytest.raises(CommandError, match=f"not its id, which is {OLD_ID}") as error:
        retire(OLD)
    assert OLD not in str(error.value)
    assert not MasterKey.objects.filter(retired_at__isnull=False).exists()
