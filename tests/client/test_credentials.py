"""Where a token comes from, where it is kept, and that nobody else reads it."""

from __future__ import annotations

import stat
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from client.securestore_client import credentials
from client.securestore_client.credentials import Asked
from client.securestore_client.errors import ClientError
from client.securestore_client.transport import Server

pytestmark = pytest.mark.usefixtures("at_home")

SITE = "https://files.example.org"
TOKEN = "ssv_" + "b" * 36
OTHER = "ssv_" + "c" * 36


class Keyring:
    """A secret store of a system's."""

    priority = 5.0

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], str] = {}

    def set_password(self, service: str, name: str, secret: str) -> None:
        self.kept[service, name] = secret

    def get_password(self, service: str, name: str) -> str | None:
        return self.kept.get((service, name))

    def delete_password(self, service: str, name: str) -> None:
        del self.kept[service, name]


def settings_file() -> Path:
    return credentials._path()


def test_a_token_is_kept_in_a_file_of_this_account_alone() -> None:
    assert credentials.keep(SITE, TOKEN) == str(settings_file())
    assert stat.S_IMODE(settings_file().stat().st_mode) == 0o600
    assert stat.S_IMODE(settings_file().parent.stat().st_mode) == 0o700
    assert credentials.server_of(Asked()) == SITE
    assert credentials.token_of(Asked(), SITE) == TOKEN
    assert credentials.forget(SITE)
    assert TOKEN not in settings_file().read_text()
    with pytest.raises(ClientError) as refused:
        credentials.token_of(Asked(), SITE)
    assert refused.value.exit_code == 3


def test_it_is_kept_in_the_secret_store_of_the_system_where_there_is_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store = Keyring()
    monkeypatch.delenv("SECURESTORE_KEYRING")
    monkeypatch.setitem(sys.modules, "keyring", SimpleNamespace(get_keyring=lambda: store))
    assert "secret store" in credentials.keep(SITE, TOKEN)
    assert TOKEN not in settings_file().read_text()
    assert credentials.token_of(Asked(), SITE) == TOKEN
    credentials.forget(SITE)
    assert store.kept == {}


def test_one_that_keeps_no_secrets_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    store = Keyring()
    store.priority = 0
    monkeypatch.delenv("SECURESTORE_KEYRING")
    monkeypatch.setitem(sys.modules, "keyring", SimpleNamespace(get_keyring=lambda: store))
    credentials.keep(SITE, TOKEN)
    assert store.kept == {}
    assert credentials.token_of(Asked(), SITE) == TOKEN


def test_a_file_that_the_environment_names(at_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    credentials.keep(SITE, OTHER)
    (at_home / "token").write_text(f"\n{TOKEN}\n")
    monkeypatch.setenv("SECURESTORE_TOKEN_FILE", str(at_home / "token"))
    assert credentials.token_of(Asked(), SITE) == TOKEN
    (at_home / "token").write_text("a secret that is no token")
    with pytest.raises(ClientError) as refused:
        credentials.token_of(Asked(), SITE)
    assert "a secret" not in str(refused.value)


def test_a_command_says_it(at_home: Path) -> None:
    (at_home / "my token").write_text(TOKEN)
    command = f"cat '{at_home / 'my token'}'"
    assert credentials.token_of(Asked(token_command=command), SITE) == TOKEN
    credentials.keep_command(SITE, command)
    assert TOKEN not in settings_file().read_text()
    assert credentials.token_of(Asked(), SITE) == TOKEN
    for wrong in ("false", "/no/such/program", "echo nothing", "cat 'unclosed"):
        with pytest.raises(ClientError):
            credentials.token_of(Asked(token_command=wrong), SITE)


@pytest.mark.parametrize(
    "address",
    ["http://files.example.org", "files.example.org", "ftp://x", "https://", "https://x?y"],
)
def test_an_address_has_to_be_one_that_nobody_overhears(address: str) -> None:
    with pytest.raises(ClientError) as refused:
        Server(address)
    assert refused.value.exit_code == 2


@pytest.mark.parametrize("address", ["http://127.0.0.1:8000", "http://localhost/below"])
def test_this_machine_needs_no_tls(address: str) -> None:
    assert Server(address).url == address
