"""What the store's servers know one another by: never out of date, for this account alone."""

import datetime
import socket
import ssl
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from launcher.mutual_tls import Identity
from launcher.ports import LOOPBACK


@pytest.fixture
def identity(tmp_path: Path) -> Identity:
    identity = Identity(tmp_path / "store" / "identity")
    identity.renew()
    return identity


def test_it_is_for_this_account_alone(identity: Identity) -> None:
    assert stat.S_IMODE(identity.folder.stat().st_mode) == 0o700
    files = {identity.authority, identity.certificate, identity.key}
    assert set(identity.folder.iterdir()) == files
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}


def test_it_has_no_end_and_holds_under_a_wrong_clock(identity: Identity) -> None:
    """RFC 5280, 4.1.2.5: 99991231235959Z stands for no well-defined end."""
    for path in (identity.authority, identity.certificate):
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
        assert certificate.not_valid_before_utc.year == 1970
        assert certificate.not_valid_after_utc == datetime.datetime(
            9999, 12, 31, 23, 59, 59, tzinfo=datetime.UTC
        )


def test_nobody_can_sign_a_second_one(identity: Identity) -> None:
    key = load_pem_private_key(identity.key.read_bytes(), None)
    certificate = x509.load_pem_x509_certificate(identity.certificate.read_bytes())
    authority = x509.load_pem_x509_certificate(identity.authority.read_bytes())
    assert key.public_key() == certificate.public_key()
    assert key.public_key() != authority.public_key()
    certificate.verify_directly_issued_by(authority)


def test_each_start_has_a_new_one(identity: Identity) -> None:
    before = {path: path.read_bytes() for path in identity.folder.iterdir()}
    identity.renew()
    assert all(path.read_bytes() != content for path, content in before.items())


@contextmanager
def server(context: ssl.SSLContext | None, says: bytes) -> Iterator[int]:
    """Answers one connection, in TLS or not; yields its port."""

    def serve() -> None:
        connection, _ = listener.accept()
        try:
            if context is not None:
                connection = context.wrap_socket(connection, server_side=True)
            connection.sendall(says)
        except OSError:
            pass
        finally:
            connection.close()

    with socket.create_server((LOOPBACK, 0)) as listener:
        serving = Thread(target=serve)
        serving.start()
        yield listener.getsockname()[1]
        serving.join()


def serving(identity: Identity, *, asks: bool) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=identity.authority)
    context.load_cert_chain(identity.certificate, identity.key)
    context.verify_mode = ssl.CERT_REQUIRED if asks else ssl.CERT_NONE
    return context


def test_a_server_that_asks_for_it_is_told_from_those_that_do_not(
    identity: Identity, tmp_path: Path
) -> None:
    with server(serving(identity, asks=True), b"secret") as port:
        assert identity.is_asked_for(port)
    with server(serving(identity, asks=False), b"secret") as port:
        assert not identity.is_asked_for(port)
    with server(None, b"HTTP/1.1 403 Forbidden\r\n\r\n") as port:
        assert not identity.is_asked_for(port)


def test_a_server_of_another_authority_is_not_ours(identity: Identity, tmp_path: Path) -> None:
    other = Identity(tmp_path / "other")
    other.renew()
    with server(serving(other, asks=True), b"secret") as port:
        assert not identity.is_asked_for(port)


def test_where_nobody_answers_is_no_verdict(identity: Identity) -> None:
    with socket.socket() as unused:
        unused.bind((LOOPBACK, 0))
        with pytest.raises(OSError, match="refused"):
            identity.is_asked_for(unused.getsockname()[1])


def test_who_has_it_is_let_in(identity: Identity) -> None:
    """Both sides prove themselves with the one certificate, to a strict client as well."""
    client = ssl.create_default_context(cafile=identity.authority)
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    client.load_cert_chain(identity.certificate, identity.key)
    with (
        server(serving(identity, asks=True), b"welcome") as port,
        socket.create_connection((LOOPBACK, port), timeout=5) as plain,
        client.wrap_socket(plain, server_hostname=LOOPBACK) as secure,
    ):
        assert secure.recv(7) == b"welcome"
