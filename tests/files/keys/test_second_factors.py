"""Seeds of second factors: opened by their own master key alone, counted, rewrapped, never lost."""

from __future__ import annotations

import base64

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret

from accounts.models import User
from files.crypto.errors import Damaged
from files.crypto.fernetkey import generate_master_key
from files.crypto.masterkey import LocalMasterKey
from files.errors import KeysMissing
from files.keys import master_keys, second_factors

OLD, NEW = generate_master_key(), generate_master_key()
OLD_ID, NEW_ID = LocalMasterKey(OLD).id, LocalMasterKey(NEW).id
SEED = "JBSWY3DPEHPK3PXP"


@pytest.fixture(autouse=True)
def _old_key(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, OLD)


def use(monkeypatch: pytest.MonkeyPatch, *keys: str) -> None:
    monkeypatch.setenv("MASTER_KEYS", ",".join(keys))
    monkeypatch.setattr(master_keys, "_watched", master_keys.WatchedKeyring())


@pytest.fixture
def factors(alice: User, bob: User) -> list[Authenticator]:
    """Two seeds of Alice's, one of Bob's, and a passkey, which has none."""
    secret = generate_totp_secret()
    Authenticator.objects.create(user=bob, type="webauthn", data={"name": "k", "credential": {}})
    return [
        TOTP.activate(alice, secret).instance,
        RecoveryCodes.activate(alice).instance,
        TOTP.activate(bob, secret).instance,
    ]


def test_a_seed_comes_back_and_the_database_has_no_trace_of_it(alice: User) -> None:
    row = TOTP.activate(alice, SEED).instance
    kept = Authenticator.objects.get(pk=row.pk).data["secret"]
    assert kept.startswith(f"k1:{OLD_ID}:")
    assert SEED not in kept
    assert SEED.encode() not in base64.urlsafe_b64decode(kept.split(":")[2])
    assert second_factors.decrypt(kept) == SEED
    assert second_factors.encrypt(SEED) != kept


@pytest.mark.parametrize("text", [SEED, "", "k1:", "k1:id:", "k1:id:!", "k1:id:A", "k2:id:AAAA"])
def test_what_is_not_wrapped_is_no_seed(text: str) -> None:
    with pytest.raises(Damaged):
        second_factors.decrypt(text)


@pytest.mark.django_db
def test_altered_text_is_refused() -> None:
    head, _, token = second_factors.encrypt(SEED).rpartition(":")
    raw = bytearray(base64.urlsafe_b64decode(token))
    raw[40] ^= 1
    with pytest.raises(Damaged):
        second_factors.decrypt(f"{head}:{base64.urlsafe_b64encode(raw).decode()}")


@pytest.mark.django_db
def test_a_missing_master_key_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    text = second_factors.encrypt(SEED)
    use(monkeypatch, NEW)
    with pytest.raises(KeysMissing, match=OLD_ID):
        second_factors.decrypt(text)


def test_seeds_are_counted_and_rewrapped(
    factors: list[Authenticator], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = [row.wrap() for row in factors]
    codes = before[1].generate_codes()
    assert second_factors.secrets_by_key() == {OLD_ID: 3}
    use(monkeypatch, NEW, OLD)
    steps: list[int] = []
    assert second_factors.rewrap_secrets(dry_run=True, progress=steps.append) == (3, 0)
    assert second_factors.secrets_by_key() == {OLD_ID: sum(steps)}
    assert second_factors.rewrap_secrets() == (3, 0)
    assert second_factors.secrets_by_key() == {NEW_ID: 3}
    assert second_factors.rewrap_secrets(progress=steps.append) == (0, 0)
    assert sum(steps) == 3
    use(monkeypatch, NEW)
    assert Authenticator.objects.get(pk=factors[1].pk).wrap().generate_codes() == codes


def test_a_run_that_was_killed_goes_on(
    factors: list[Authenticator], monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, NEW, OLD)

    def killed(count: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        second_factors.rewrap_secrets(progress=killed)
    assert second_factors.secrets_by_key() == {NEW_ID: 1, OLD_ID: 2}
    assert second_factors.rewrap_secrets() == (2, 0)


def test_a_seed_that_does_not_open_is_left_and_told(
    factors: list[Authenticator], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    Authenticator.objects.filter(pk=factors[0].pk).update(data={"secret": SEED})
    use(monkeypatch, NEW, OLD)
    assert second_factors.rewrap_secrets() == (2, 1)
    assert Authenticator.objects.get(pk=factors[0].pk).data == {"secret": SEED}
    assert f"second factor {factors[0].pk}" in caplog.text
    assert SEED not in caplog.text


def test_a_row_that_changed_meanwhile_keeps_its_change(
    factors: list[Authenticator], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A recovery code is used while its row is rewrapped: it stays used."""
    codes = factors[1].wrap()
    code = codes.generate_codes()[0]
    use(monkeypatch, NEW, OLD)
    wrap = master_keys.keyring().rewrap_secret

    def used_meanwhile(*arguments: object) -> object:
        codes.validate_code(code)
        return wrap(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(master_keys.keyring(), "rewrap_secret", used_meanwhile)
    assert second_factors.rewrap_secrets() == (3, 0)
    assert code not in Authenticator.objects.get(pk=factors[1].pk).wrap().get_unused_codes()
