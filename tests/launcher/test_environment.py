"""The `.env`: secret, complete, written once."""

import base64
import stat
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from launcher import environment
from launcher.environment import Environment
from launcher.errors import LaunchError


def parse(path: Path) -> dict[str, str]:
    lines = path.read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


@pytest.fixture
def written(tmp_path: Path) -> dict[str, str]:
    assert environment.create(tmp_path / ".env", root=tmp_path, data=tmp_path / "var")
    return parse(tmp_path / ".env")


def test_only_the_owner_reads_it(tmp_path: Path, written: dict[str, str]) -> None:
    assert stat.S_IMODE((tmp_path / ".env").stat().st_mode) == 0o600


def test_nothing_but_it_is_left(tmp_path: Path, written: dict[str, str]) -> None:
    assert [path.name for path in tmp_path.iterdir()] == [".env"]


def test_the_keys_are_usable(written: dict[str, str]) -> None:
    Fernet(written["MASTER_KEYS"])
    assert len(base64.urlsafe_b64decode(written["AUDIT_KEY"])) == 32
    assert len(written["SECRET_KEY"]) >= 50


def test_every_secret_is_its_own(tmp_path: Path, written: dict[str, str]) -> None:
    other = tmp_path / "other"
    environment.create(other, root=tmp_path, data=tmp_path / "var")
    names = ("SECRET_KEY", "MASTER_KEYS", "AUDIT_KEY", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    secrets = [values[name] for values in (written, parse(other)) for name in names]
    assert len(set(secrets)) == 2 * len(names)


def test_the_data_moves_with_the_folder(written: dict[str, str]) -> None:
    assert written["DATABASE_URL"] == "sqlite:///var/db.sqlite3"
    assert written["STATIC_ROOT"] == "var/static"


def test_data_elsewhere_is_named_in_full(tmp_path: Path) -> None:
    environment.create(tmp_path / "env", root=tmp_path / "project", data=tmp_path / "data")
    values = parse(tmp_path / "env")
    assert values["DATABASE_URL"] == f"sqlite:///{tmp_path}/data/db.sqlite3"
    assert values["STATIC_ROOT"] == f"{tmp_path}/data/static"


def test_an_existing_one_is_never_touched(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text("MASTER_KEYS=precious\n")
    assert not environment.create(path, root=tmp_path, data=tmp_path / "var")
    assert path.read_text() == "MASTER_KEYS=precious\n"


def test_one_that_appears_meanwhile_is_not_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / ".env"

    def someone_else_is_faster() -> int:
        path.write_text("MASTER_KEYS=theirs\n")
        return 20_000

    monkeypatch.setattr(environment, "free_port", someone_else_is_faster)
    assert not environment.create(path, root=tmp_path, data=tmp_path / "var")
    assert path.read_text() == "MASTER_KEYS=theirs\n"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("remains", ["db.sqlite3", "store"])
def test_new_keys_are_refused_beside_old_data(tmp_path: Path, remains: str) -> None:
    (tmp_path / "var" / remains).mkdir(parents=True)
    with pytest.raises(LaunchError, match=r"holds data, but .* is gone"):
        environment.create(tmp_path / ".env", root=tmp_path, data=tmp_path / "var")
    assert not (tmp_path / ".env").exists()


def test_the_launcher_reads_what_it_wrote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("S3_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "ALLOWED_HOSTS"):
        monkeypatch.delenv(name, raising=False)
    path = tmp_path / ".env"
    environment.create(path, root=tmp_path, data=tmp_path / "var")
    monkeypatch.setenv("SECURESTORE_ENV_FILE", str(path))
    found, written = environment.read(), parse(path)
    assert found.embedded_store
    assert found.endpoint_url == f"http://127.0.0.1:{found.store_port}"
    assert found.secret_key == written["AWS_SECRET_ACCESS_KEY"]
    assert found.allowed_hosts == ("localhost", "127.0.0.1", "[::1]")


def test_a_readable_file_of_secrets_is_refused_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / ".env"
    path.write_text("DEBUG=false\n")
    path.chmod(0o644)
    monkeypatch.setenv("SECURESTORE_ENV_FILE", str(path))
    with pytest.raises(LaunchError, match="chmod 600"):
        environment.read()


@pytest.mark.parametrize(
    "endpoint",
    [
        "",
        "http://127.0.0.1",
        "https://127.0.0.1:9000",
        "http://s3.example.org:9000",
        "http://127.0.0.1:port",
    ],
)
def test_an_endpoint_elsewhere_is_not_the_embedded_store(endpoint: str) -> None:
    configuration = Environment(
        embedded_store=True,
        endpoint_url=endpoint,
        access_key="a",
        secret_key="s",
        allowed_hosts=(),
    )
    with pytest.raises(LaunchError, match="EMBEDDED_STORE=false"):
        _ = configuration.store_port
