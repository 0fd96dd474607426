"""A passkey's registration, as a browser sends it: enough of one to be read again."""

from __future__ import annotations

import json
from typing import Any

from fido2 import cbor
from fido2.cose import ES256
from fido2.utils import websafe_encode
from fido2.webauthn import AttestedCredentialData, AuthenticatorData

FLAGS = AuthenticatorData.FLAG.UP | AuthenticatorData.FLAG.UV | AuthenticatorData.FLAG.AT


def _credential() -> dict[str, Any]:
    public_key = ES256({1: 2, 3: -7, -1: 1, -2: bytes(32), -3: bytes(32)})
    attested = AttestedCredentialData.create(bytes(16), b"credential-id", public_key)
    data = AuthenticatorData.create(bytes(32), FLAGS, 0, attested)
    client_data = {"type": "webauthn.create", "challenge": "AA", "origin": "http://localhost"}
    identifier = websafe_encode(b"credential-id")
    return {
        "id": identifier,
        "rawId": identifier,
        "type": "public-key",
        "clientExtensionResults": {"credProps": {"rk": True}},
        "response": {
            "clientDataJSON": websafe_encode(json.dumps(client_data).encode()),
            "attestationObject": websafe_encode(
                cbor.encode({"fmt": "none", "attStmt": {}, "authData": bytes(data)})
            ),
        },
    }


CREDENTIAL = _credential()
