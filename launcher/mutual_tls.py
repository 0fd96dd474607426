"""How the store's servers know one another: TLS on both sides, under an authority of one start.

The authority's key signs one certificate and is forgotten: nobody, not even the launcher, can make
a second one. What is written is for this account alone, and for the next start made anew.
"""

import datetime
import ipaddress
import os
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from launcher.ports import LOOPBACK

# A store may run for years, and begin under a clock that is wrong: no end (RFC 5280, 4.1.2.5).
BEGIN = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
END = datetime.datetime(9999, 12, 31, 23, 59, 59, tzinfo=datetime.UTC)


@dataclass(frozen=True)
class Identity:
    """The files, PEM, of one certificate that serves both sides, its key and its authority."""

    folder: Path

    @property
    def authority(self) -> Path:
        return self.folder / "authority.pem"

    @property
    def certificate(self) -> Path:
        return self.folder / "certificate.pem"

    @property
    def key(self) -> Path:
        return self.folder / "key.pem"

    def renew(self) -> None:
        """Write new ones (folder 0700, files 0600). Raises `OSError`."""
        signer, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
        authority = _certificate("authority", signer, "authority", signer)
        certificate = _certificate("store", key, "authority", signer)
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        _write(self.authority, authority.public_bytes(Encoding.PEM))
        _write(self.certificate, certificate.public_bytes(Encoding.PEM))
        _write(self.key, pem)

    def is_asked_for(self, port: int) -> bool:
        """Whether what listens on that port of loopback is of this authority, and turns away
        whoever has no certificate of it.

        Raises `OSError` where nobody answers, or hangs up: a server that still starts, or one that
        does not speak TLS.
        """
        context = ssl.create_default_context(cafile=self.authority)
        # In HTTP/2, which gRPC is and the others speak too, a server is the first to say something.
        context.set_alpn_protocols(["h2"])
        with socket.create_connection((LOOPBACK, port), timeout=2) as connection:
            try:
                with context.wrap_socket(connection, server_hostname=LOOPBACK) as secure:
                    # So is its refusal, which comes after the handshake (RFC 8446, 4.4.2.4).
                    secure.recv(1)
            except ssl.SSLEOFError:
                raise
            except ssl.SSLError as error:
                return error.reason == "TLSV13_ALERT_CERTIFICATE_REQUIRED"
        return False


def _certificate(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: str,
    signer: ec.EllipticCurvePrivateKey,
) -> x509.Certificate:
    """A certificate with all that RFC 5280 (4.2.1) asks for, which strict clients look at."""
    is_authority = name == issuer
    extensions: list[tuple[x509.ExtensionType, bool]] = [
        (x509.BasicConstraints(ca=is_authority, path_length=0 if is_authority else None), True),
        (x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False),
        (x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), False),
        (_usage(signs_certificates=is_authority), True),
    ]
    if not is_authority:
        both = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        host = x509.IPAddress(ipaddress.ip_address(LOOPBACK))
        extensions += [
            (x509.ExtendedKeyUsage(both), False),
            (x509.SubjectAlternativeName([host]), False),
        ]
    builder = (
        x509.CertificateBuilder(_name(issuer), _name(name), key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(BEGIN)
        .not_valid_after(END)
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical=critical)
    return builder.sign(signer, SHA256())


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _write(path: Path, content: bytes) -> None:
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
