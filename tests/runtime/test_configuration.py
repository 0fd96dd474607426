"""The readers of the configuration: typed, strict, and never showing a secret."""

from __future__ import annotations

import logging
import os
import stat
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path

import environ
import pytest
from django.core.exceptions import ImproperlyConfigured

from runtime import configuration
from runtime.configuration import (
    byte_size,
    database,
    days,
    endpoint,
    env_file,
    flag,
    folder,
    master_keys_files,
    networks,
    one_of,
    optional_secret,
    positive,
    read_environment,
    refuse_readable_by_others,
    secret,
    sender,
    service,
    session_options,
    time_zone,
    whole,
)


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An environment file that is read in the place of `.env`."""
    path = tmp_path / "env"
    path.touch(mode=0o600)
    monkeypatch.setenv("SECURESTORE_ENV_FILE", str(path))
    for name in ("NAME", "NAME_FILE", "MASTER_KEYS", "MASTER_KEYS_FILE"):
        monkeypatch.delenv(name, raising=False)
    return path


def reader(**values: str) -> environ.Env:
    class Environment(environ.Env):  # type: ignore[misc]  # it ships no types
        ENVIRON = values

    return Environment()


# --- Files ------------------------------------------------------------------------------------


def test_the_file_beside_the_project_is_read_when_none_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SECURESTORE_ENV_FILE")
    monkeypatch.setattr(configuration, "BASE_DIR", tmp_path)
    assert env_file() is None
    (tmp_path / ".env").touch()
    assert env_file() == tmp_path / ".env"


def test_an_empty_name_means_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECURESTORE_ENV_FILE", "")
    assert env_file() is None


def test_a_named_file_must_be_there(path: Path) -> None:
    path.unlink()
    with pytest.raises(ImproperlyConfigured, match="which is not a file"):
        read_environment()


def test_the_processs_own_variables_come_first_and_gain_nothing(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.write_text("NAME=of the file\nOTHER_NAME='quoted # value'\n# comment\n\n")
    monkeypatch.setenv("NAME", "of the process")
    env = read_environment()
    assert env.str("NAME") == "of the process"
    assert env.str("OTHER_NAME") == "quoted # value"
    assert "OTHER_NAME" not in os.environ


def test_two_readers_share_nothing(path: Path) -> None:
    path.write_text("NAME=one\n")
    first = read_environment()
    path.write_text("NAME=two\n")
    assert (first.str("NAME"), read_environment().str("NAME")) == ("one", "two")


@pytest.mark.parametrize(
    "line", ["c2VjcmV0LXZhbHVl=", "name = secret-value", "  NAME=secret-value", "secret-value"]
)
def test_a_line_that_is_none_is_refused_by_its_number_and_not_shown(
    path: Path, line: str, caplog: pytest.LogCaptureFixture
) -> None:
    path.write_text(f"NAME=1\n{line}\n")
    with caplog.at_level(logging.DEBUG), pytest.raises(ImproperlyConfigured) as error:
        read_environment()
    assert "line 2: expected NAME=value" in str(error.value)
    assert "secret-value" not in str(error.value) + caplog.text
    assert "c2Vjcm" not in str(error.value) + caplog.text


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o620])
def test_secrets_that_others_may_read_are_refused(path: Path, mode: int) -> None:
    path.chmod(mode)
    with pytest.raises(ImproperlyConfigured, match=f"run `chmod 600 {path}`"):
        read_environment()


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_secrets_of_their_owner_alone_are_read(path: Path, mode: int) -> None:
    path.chmod(mode)
    refuse_readable_by_others(path)


@pytest.mark.parametrize(
    ("mode", "owner", "passes"),
    [
        (0o600, 0, True),
        (0o400, 0, True),
        (0o440, 0, True),
        (0o640, 0, False),
        (0o444, 0, False),
        (0o604, 0, False),
        (0o400, 1000, True),
        (0o440, 1000, False),
        (0o644, 1000, False),
    ],
)
def test_a_secret_in_a_file_is_its_owners_or_handed_over_by_root(
    path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    mode: int,
    owner: int,
    passes: bool,
) -> None:
    path.write_text("secret-value")
    path.chmod(mode)
    real = Path.stat

    def owned(self: Path, **options: bool) -> os.stat_result:
        found = list(real(self, **options))
        found[stat.ST_UID] = owner
        return os.stat_result(found)

    monkeypatch.setattr(Path, "stat", owned)
    env = reader(NAME_FILE=str(path), MASTER_KEYS_FILE=str(path))
    with caplog.at_level(logging.WARNING):
        assert secret(env, "NAME") == "secret-value"
    assert ("other accounts may read it" in caplog.text) is not passes
    if passes:
        assert secret(env, "MASTER_KEYS") == "secret-value"
        return
    with pytest.raises(ImproperlyConfigured, match=f"run `chmod 600 {path}`") as error:
        secret(env, "MASTER_KEYS")
    assert "secret-value" not in str(error.value) + caplog.text


def test_the_file_to_watch_is_where_the_keys_come_from(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert master_keys_files(read_environment()) == [path]
    path.write_text(f"MASTER_KEYS_FILE={tmp_path / 'keys'}\n")
    assert master_keys_files(read_environment()) == [tmp_path / "keys", path]
    monkeypatch.setenv("MASTER_KEYS", "key")
    assert master_keys_files(read_environment()) == [path]
    monkeypatch.setenv("KMS_KEY_ID", "alias/key")
    assert master_keys_files(read_environment()) == []


# --- Secrets ----------------------------------------------------------------------------------


def test_a_secret_is_taken_from_its_variable_or_its_file(tmp_path: Path) -> None:
    held = tmp_path / "secret"
    held.write_text("  of the file\n")
    assert secret(reader(NAME="value"), "NAME") == "value"
    assert secret(reader(NAME_FILE=str(held)), "NAME") == "of the file"
    assert optional_secret(reader(), "NAME") is None
    assert optional_secret(reader(NAME="", NAME_FILE=""), "NAME") is None


def test_a_secret_in_two_places_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ImproperlyConfigured, match="Both NAME and NAME_FILE are set"):
        secret(reader(NAME="a", NAME_FILE=str(tmp_path)), "NAME")


def test_a_missing_secret_says_what_to_set() -> None:
    with pytest.raises(ImproperlyConfigured, match="Set NAME or NAME_FILE"):
        secret(reader(), "NAME")


def test_a_short_secret_is_refused_and_not_shown() -> None:
    with pytest.raises(ImproperlyConfigured, match="shorter than 32 characters") as error:
        secret(reader(NAME="hunter2"), "NAME", minimum_length=32)
    assert "hunter2" not in str(error.value)


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_a_secret_file_that_cannot_be_read_is_named(tmp_path: Path, content: bytes | None) -> None:
    held = tmp_path / "secret"
    if content is not None:
        held.write_bytes(content)
    with pytest.raises(ImproperlyConfigured, match=f"NAME_FILE names {held}, which cannot be read"):
        secret(reader(NAME_FILE=str(held)), "NAME")


# --- Sizes and networks -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("1", 1),
        ("1048576", 1 << 20),
        ("512M", 512 << 20),
        ("5GiB", 5 << 30),
        ("5 gib", 5 << 30),
        ("2TB", 2 << 40),
        ("3k", 3 << 10),
        (" 7 B ", 7),
    ],
)
def test_a_size_is_read(text: str, size: int) -> None:
    assert byte_size(reader(NAME=text), "NAME", default="1") == size


def test_a_size_has_a_default() -> None:
    assert byte_size(reader(), "NAME", default="5TiB") == 5 << 40


@pytest.mark.parametrize("text", ["", "0", "-1", "1.5G", "G", "5X", "five", "1e9", "5 5", "0x10"])
def test_anything_else_is_no_size(text: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="NAME is not a size: write it like"):
        byte_size(reader(NAME=text), "NAME", default="1")


def test_networks_are_read() -> None:
    expected = [ip_network("10.0.0.0/8"), ip_network("::1")]
    assert networks(reader(NAME="10.0.0.0/8, ::1"), "NAME") == expected
    assert networks(reader(), "NAME") == []


@pytest.mark.parametrize("text", ["10.0.0.1/8", "proxy", "10.0.0.0/33"])
def test_anything_else_is_no_network(text: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="NAME is not a list of networks"):
        networks(reader(NAME=text), "NAME")


@pytest.mark.parametrize(("text", "word"), [("", "off"), (" Staff", "staff"), ("ALL", "all")])
def test_one_of_a_few_words(text: str, word: str) -> None:
    assert one_of(reader(NAME=text), "NAME", ("off", "staff", "all")) == word
    assert one_of(reader(), "NAME", ("off", "staff")) == "off"


def test_another_word_is_refused_with_the_choices() -> None:
    with pytest.raises(ImproperlyConfigured, match="NAME must be one of: off, staff, all"):
        one_of(reader(NAME="yes"), "NAME", ("off", "staff", "all"))


def test_a_number_of_at_least_one() -> None:
    assert positive(reader(), "NAME", timedelta(hours=2)) == 7200
    assert positive(reader(), "NAME", timedelta(days=3), unit="hours") == 72
    assert positive(reader(NAME="60"), "NAME", timedelta(hours=2)) == 60


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "12h", "many"])
def test_what_is_no_such_number_is_refused(text: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="NAME is a number of seconds, at least 1"):
        positive(reader(NAME=text), "NAME", timedelta(hours=2))


def test_whole_numbers_have_a_default_and_bounds() -> None:
    assert whole(reader(), "NAME", 7) == 7
    assert whole(reader(NAME=" 12 "), "NAME", 7) == 12
    assert whole(reader(NAME="0"), "NAME", 7, least=0) == 0


@pytest.mark.parametrize("text", ["0", "-1", "x", "1.5", "10000001", "9" * 5000])
def test_what_is_no_whole_number_is_refused(text: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="NAME is a whole number from 1 to"):
        whole(reader(NAME=text), "NAME", 7)


def test_days_stay_within_the_calendar() -> None:
    assert days(reader(), "NAME", 30) == 30
    assert days(reader(NAME="365000"), "NAME", 30) == 365_000
    assert days(reader(NAME="0"), "NAME", 30, least=0) == 0
    with pytest.raises(ImproperlyConfigured, match="NAME is a number of days from 1 to 365000"):
        days(reader(NAME="365001"), "NAME", 30)


@pytest.mark.parametrize("text", ["8760001", "999999999", "9" * 5000])
def test_what_takes_longer_than_the_calendar_is_refused(text: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="NAME is"):
        positive(reader(NAME=text), "NAME", timedelta(hours=72), unit="hours")


@pytest.mark.parametrize("text", ["true", " ON", "yes", "1"])
def test_yes(text: str) -> None:
    assert flag(reader(NAME=text), "NAME", default=False) is True


@pytest.mark.parametrize("text", ["false", "Off ", "no", "0"])
def test_no(text: str) -> None:
    assert flag(reader(NAME=text), "NAME", default=True) is False


def test_where_nothing_is_said_it_is_the_default() -> None:
    assert flag(reader(), "NAME", default=True)
    assert not flag(reader(NAME=" "), "NAME", default=False)


@pytest.mark.parametrize("text", ["ture", "enabled", "ja", "2", "perhaps"])
def test_another_word_is_never_taken_for_no(text: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="NAME is true or false"):
        flag(reader(NAME=text), "NAME", default=True)


def test_an_empty_folder_is_not_the_projects() -> None:
    base = configuration.BASE_DIR
    assert folder(reader(), "NAME", "var/x") == base / "var/x"
    assert folder(reader(NAME=" "), "NAME", "var/x") == base / "var/x"
    assert folder(reader(NAME="/srv/x"), "NAME", "var/x") == Path("/srv/x")


def test_a_time_zone_is_one_that_there_is() -> None:
    assert time_zone(reader(), "NAME", "UTC") == "UTC"
    assert time_zone(reader(NAME="Europe/Berlin"), "NAME", "UTC") == "Europe/Berlin"


@pytest.mark.parametrize("text", ["Mars/X", "../etc/passwd", "/etc/passwd", "Europe", "\0"])
def test_what_is_no_time_zone_is_refused(text: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="NAME is no time zone"):
        time_zone(reader(NAME=text), "NAME", "UTC")


@pytest.mark.parametrize(
    "text",
    ["bogus://host", "nothing", "smtp://user:pass/word@host:587", "smtp://[::1", "smtp://h:x"],
)
def test_what_is_no_url_of_a_service_is_refused_in_words_without_it(text: str) -> None:
    env = reader(NAME=text)
    with pytest.raises(ImproperlyConfigured, match="NAME is not a URL like smtp") as refused:
        service(env, "NAME", "consolemail://", env.email_url_config, like="smtp://host:587")
    assert refused.value.__suppress_context__
    assert "pass" not in str(refused.value).replace("password", "")


def test_a_service_that_is_not_named_is_the_default() -> None:
    env = reader()
    found = service(env, "NAME", "dbcache://table", env.cache_url_config, like="redis://host")
    assert found["LOCATION"] == "table"


def test_who_sends_is_an_address() -> None:
    assert sender(reader(), "NAME", "securestore@localhost") == "securestore@localhost"
    named = "The vault <vault@example.org>"
    assert sender(reader(NAME=named), "NAME", "x@localhost") == named


@pytest.mark.parametrize("text", ["vault", "vault@", "@example.org", "a b@example.org", "<>"])
def test_who_sends_and_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="NAME is no address"):
        sender(reader(NAME=text), "NAME", "securestore@localhost")


def test_endpoints_are_urls() -> None:
    assert endpoint(reader(), "NAME") is None
    assert endpoint(reader(NAME="http://[::1]:9000"), "NAME") == "http://[::1]:9000"


@pytest.mark.parametrize(
    "text",
    ["store", "store:9000", "ftp://store", "http://", "http://store:x", "http://a b", "http://["],
)
def test_what_is_no_endpoint_is_refused(text: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="NAME is not a URL"):
        endpoint(reader(NAME=text), "NAME")


def test_databases_are_named_by_urls() -> None:
    found = database(reader(), default="sqlite:////srv/db.sqlite3")
    assert (found["ENGINE"], found["NAME"]) == ("django.db.backends.sqlite3", "/srv/db.sqlite3")


@pytest.mark.parametrize("text", ["hunter2", "hunter2://x", "postgres://me:hunter2@host:port/name"])
def test_what_is_no_database_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="DATABASE_URL is not") as error:
        database(reader(DATABASE_URL=text), default="")
    assert "hunter2" not in str(error.value)


def test_the_time_outs_of_a_session_are_what_libpq_takes() -> None:
    assert session_options(lock=10, idle=15, statement=0) == (
        "-c jit=off -c lock_timeout=10s -c idle_in_transaction_session_timeout=15s"
        " -c statement_timeout=0s"
    )
