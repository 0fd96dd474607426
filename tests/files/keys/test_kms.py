"""Master keys in AWS KMS (moto): the way there and back, and what its failures are taken for."""

from __future__ import annotations

import json
from collections.abc import Callable
from io import StringIO
from typing import Any

import boto3
import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.test import Client

from accounts.models import User
from files import checks
from files.crypto.errors import Damaged, KeyServiceRefused, KeyServiceUnavailable
from files.crypto.fernetkey import generate_master_key
from files.crypto.masterkey import LocalMasterKey
from files.errors import FileDamaged
from files.keys import kms, master_keys, second_factors, wrapping
from files.keys.custody import UserKey
from files.keys.master_keys import keyring, read_keyring
from files.models import FileRecord, StoredObject
from files.vault import storing
from tests.files.conftest import CONTENT, KEY, Store, UseKeys
from tests.files.rotation.test_reencryption import holding
from tests.files.vault.faults import read

LOCAL = generate_master_key()
LOCAL_ID = LocalMasterKey(LOCAL).id
UseKms = Callable[..., None]


@pytest.fixture
def service(aws: None) -> Any:
    return boto3.client("kms", region_name="us-east-1")


@pytest.fixture
def new_key(service: Any) -> Callable[[], str]:
    """Makes a key and returns its ARN."""
    return lambda: str(service.create_key()["KeyMetadata"]["Arn"])


@pytest.fixture
def use_kms(monkeypatch: pytest.MonkeyPatch, use_keys: UseKeys) -> UseKms:
    """Configures keys of KMS, and local ones beside them."""

    def use(*names: str, local: tuple[str, ...] = (), first: str = "") -> None:
        use_keys(*local)
        if not local:
            monkeypatch.delenv("MASTER_KEYS")
        monkeypatch.setenv("KMS_KEY_ID", ",".join(names))
        monkeypatch.setenv("PRIMARY_MASTER_KEY", first) if first else monkeypatch.delenv(
            "PRIMARY_MASTER_KEY", raising=False
        )
        monkeypatch.setattr(master_keys, "_watched", master_keys.WatchedKeyring())

    return use


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Callable[[Exception], None]:
    """From now on every call to KMS fails with that."""

    def fail_with(error: Exception) -> None:
        class Broken:
            def __getattr__(self, name: str) -> Any:
                def call(**arguments: Any) -> Any:
                    raise error

                return call

        monkeypatch.setattr(kms.AwsKms, "_client", Broken())

    return fail_with


def answer(code: str, status: int = 400) -> ClientError:
    return ClientError(
        {"Error": {"Code": code, "Message": "m"}, "ResponseMetadata": {"HTTPStatusCode": status}},  # type: ignore[typeddict-item]
        "Decrypt",
    )


def under() -> set[str]:
    return set(StoredObject.objects.values_list("master_key_id", flat=True))


# --- Configuration --------------------------------------------------------------------------------


def test_kms_comes_first_unless_it_is_said_otherwise(
    use_kms: UseKms, new_key: Callable[[], str]
) -> None:
    one, two = new_key(), new_key()
    use_kms(one, two, local=(LOCAL,))
    assert keyring().ids == (one, two, LOCAL_ID)
    use_kms(one, two, local=(LOCAL,), first="local")
    assert keyring().ids == (LOCAL_ID, one, two)
    use_kms(one)
    assert keyring().ids == (one,)


def test_ids_and_aliases_are_known_by_their_arn(
    use_kms: UseKms, new_key: Callable[[], str], service: Any
) -> None:
    arn = new_key()
    service.create_alias(AliasName="alias/vault", TargetKeyId=arn)
    of_alias = arn.rpartition(":")[0] + ":alias/vault"
    for name in (arn.rpartition("/")[2], "alias/vault", of_alias):
        use_kms(name)
        assert keyring().primary_id == arn


@pytest.mark.parametrize(
    ("first", "message"), [("local", "set MASTER_KEYS as well"), ("kme", "neither kms nor local")]
)
def test_what_makes_no_sense_is_refused(
    use_kms: UseKms, new_key: Callable[[], str], first: str, message: str
) -> None:
    use_kms(new_key(), first=first)
    with pytest.raises(ImproperlyConfigured, match=message):
        read_keyring()


def test_a_malformed_arn_is_refused(use_kms: UseKms) -> None:
    use_kms("arn:aws:kms:us-east-1:1:kee/x")
    with pytest.raises(ImproperlyConfigured, match="is not the ARN of a KMS key"):
        read_keyring()


def test_an_arn_costs_no_request(use_kms: UseKms, failing: Callable[[Exception], None]) -> None:
    failing(answer("AccessDeniedException"))
    use_kms("arn:aws:kms:eu-central-1:123456789012:key/mrk-0123456789abcdef0123456789abcdef")
    assert len(keyring().ids) == 1


def test_the_check_tells_a_refusal_from_an_outage(
    use_kms: UseKms, failing: Callable[[Exception], None]
) -> None:
    use_kms("alias/vault")
    failing(answer("AccessDeniedException"))
    assert [message.id for message in checks.master_keys()] == ["files.E003"]
    failing(EndpointConnectionError(endpoint_url="https://kms.invalid"))
    assert [message.id for message in checks.master_keys()] == ["files.W002"]


# --- There and back -------------------------------------------------------------------------------


def test_files_are_stored_and_read_with_a_key_of_kms_alone(
    store: Store, alice: User, use_kms: UseKms, new_key: Callable[[], str]
) -> None:
    arn = new_key()
    use_kms(arn)
    record = store(alice)
    assert under() == {arn}
    assert read(record) == CONTENT


def test_held_files_are_unlocked_with_a_key_of_kms(
    client: Client,
    store: Store,
    alice: User,
    use_kms: UseKms,
    new_key: Callable[[], str],
    failing: Callable[[Exception], None],
) -> None:
    use_kms(new_key())
    record = store(alice, key=UserKey(KEY))
    client.force_login(alice)
    base = f"/files/{record.pk}/"
    assert KEY in client.get(f"{base}key/").text
    assert client.post(f"{base}unlock/", {"key": KEY}).status_code == 302
    answer: Any = client.get(f"{base}download/", headers={"Range": "bytes=4-8"})
    assert (answer.status_code, b"".join(answer.streaming_content)) == (206, CONTENT[4:9])
    # An outage is no lock, and costs nobody the file.
    failing(EndpointConnectionError(endpoint_url="https://kms"))
    for path in ("", "download/"):
        assert client.get(base + path).status_code == 503


def test_everything_moves_to_kms_between_its_keys_and_back(
    store: Store,
    alice: User,
    bob: User,
    use_keys: UseKeys,
    use_kms: UseKms,
    new_key: Callable[[], str],
) -> None:
    use_keys(LOCAL)
    record, held = store(alice), holding(store(bob))
    begun = storing.Upload(alice, name="in progress")
    begun.write(CONTENT)
    TOTP.activate(alice, generate_totp_secret())
    seed = second_factors.decrypt(Authenticator.objects.get().data["secret"])
    one, two = new_key(), new_key()
    for names, local, first, primary in (
        ((one,), (LOCAL,), "", one),
        ((two, one), (), "", two),
        ((two,), (LOCAL,), "local", LOCAL_ID),
    ):
        use_kms(*names, local=local, first=first)
        said = StringIO()
        call_command("rotate_master_key", "--json", stdout=said)
        outcome = json.loads(said.getvalue())
        assert (outcome["rewrapped"], outcome["secrets"], outcome["left"]) == (3, 2, 0)
        assert under() == {primary}
        assert read(record) == CONTENT
        assert second_factors.secrets_by_key() == {primary: 1}
    assert second_factors.decrypt(Authenticator.objects.get().data["secret"]) == seed
    begun.finish()
    [late] = storing.publish([begun])
    assert read(late) == CONTENT
    assert FileRecord.objects.get(pk=held.pk).current.custody == "held"


def test_a_wrapped_key_moved_to_another_row_is_damage(
    store: Store, alice: User, use_kms: UseKms, new_key: Callable[[], str]
) -> None:
    use_kms(new_key())
    one, two = store(alice), store(alice)
    token = bytes(one.current.wrapped_key)
    StoredObject.objects.filter(pk=two.current_id).update(wrapped_key=token)
    with pytest.raises(FileDamaged):
        read(two)
    assert read(one) == CONTENT
    # The row is wrong, not the object.
    assert StoredObject.objects.get(pk=two.current_id).state == StoredObject.State.LIVE


# --- Failures -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (answer("InvalidCiphertextException"), Damaged),
        (answer("IncorrectKeyException"), Damaged),
        (answer("AccessDeniedException"), KeyServiceRefused),
        (answer("DisabledException"), KeyServiceRefused),
        (answer("NotFoundException"), KeyServiceRefused),
        (answer("KMSInvalidStateException"), KeyServiceRefused),
        (NoCredentialsError(), KeyServiceRefused),
        (answer("ThrottlingException"), KeyServiceUnavailable),
        (answer("KeyUnavailableException", 500), KeyServiceUnavailable),
        (answer("InternalFailure", 500), KeyServiceUnavailable),
        (EndpointConnectionError(endpoint_url="https://kms.invalid"), KeyServiceUnavailable),
        (TimeoutError(), KeyServiceUnavailable),
    ],
)
def test_each_failure_is_taken_for_what_it_is(error: Exception, kind: type[Exception]) -> None:
    with pytest.raises(kind) as caught, kms.kms_errors("decrypt"):
        raise error
    assert type(caught.value) is kind


TROUBLES = [
    answer("ThrottlingException"),
    answer("AccessDeniedException"),
    EndpointConnectionError(endpoint_url="https://kms.invalid"),
]


@pytest.mark.parametrize("trouble", TROUBLES)
def test_people_get_503_and_nothing_is_harmed(
    store: Store,
    alice: User,
    client: Client,
    use_kms: UseKms,
    new_key: Callable[[], str],
    failing: Callable[[Exception], None],
    trouble: Exception,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    arn = new_key()
    use_kms(arn)
    record = store(alice)
    client.force_login(alice)
    with monkeypatch.context() as patch:
        real = kms.AwsKms._client
        failing(trouble)
        # Another process, which has nothing in memory.
        use_kms(arn)
        for response in (
            client.get(f"/files/{record.pk}/download/"),
            client.post(
                "/uploads/",
                HTTP_TUS_RESUMABLE="1.0.0",
                HTTP_UPLOAD_LENGTH="5",
                data=b"",
                content_type="application/offset+octet-stream",
            ),
        ):
            assert response.status_code == 503
            assert response["Retry-After"] == "5"
        ready = client.get("/readyz")
        assert (ready.status_code, ready.json()["keyring"]) == (503, "failed")
        patch.setattr(kms.AwsKms, "_client", real)
    monkeypatch.setattr(kms.AwsKms, "_client", real)
    assert StoredObject.objects.get().state == StoredObject.State.LIVE
    assert client.get("/readyz").json()["keyring"] == "ok"
    assert read(record) == CONTENT


@pytest.mark.parametrize("trouble", TROUBLES)
@pytest.mark.parametrize(
    "command",
    [
        ["rotate_master_key"],
        ["rotate_master_key", "--dry-run"],
        ["key_report", "--check"],
        ["rotate_file_keys", "--older-than=0d"],
    ],
)
def test_commands_end_with_a_sentence_and_change_nothing(
    store: Store,
    alice: User,
    use_keys: UseKeys,
    use_kms: UseKms,
    new_key: Callable[[], str],
    failing: Callable[[Exception], None],
    trouble: Exception,
    command: list[str],
) -> None:
    use_keys(LOCAL)
    store(alice)
    arn = new_key()
    use_kms(arn)
    store(alice)
    use_kms(arn, local=(LOCAL,))
    before = list(StoredObject.objects.order_by("pk").values())
    failing(trouble)
    with pytest.raises(CommandError, match=r"The key service did not do it \(.*Nothing is lost"):
        call_command(*command, stdout=StringIO())
    assert list(StoredObject.objects.order_by("pk").values()) == before


def test_a_disabled_key_is_not_ready_and_no_damage(
    store: Store,
    alice: User,
    use_kms: UseKms,
    new_key: Callable[[], str],
    service: Any,
    client: Client,
) -> None:
    arn = new_key()
    use_kms(arn)
    store(alice)
    service.disable_key(KeyId=arn.rpartition("/")[2])
    with pytest.raises(KeyServiceRefused, match="is not enabled"):
        wrapping.check_keyring()
    assert client.get("/readyz").json()["keyring"] == "failed"
    service.enable_key(KeyId=arn.rpartition("/")[2])
    wrapping.check_keyring()


def test_a_change_that_kms_does_not_let_happen_is_tried_again(
    tmp_path: Any,
    monkeypatch: pytest.MonkeyPatch,
    service: Any,
    new_key: Callable[[], str],
    failing: Callable[[Exception], None],
    caplog: pytest.LogCaptureFixture,
) -> None:
    env_file = tmp_path / "env"
    env_file.write_text(f"MASTER_KEYS={LOCAL}\n")
    env_file.chmod(0o600)
    monkeypatch.delenv("MASTER_KEYS")
    monkeypatch.setenv("SECURESTORE_ENV_FILE", str(env_file))
    watched = master_keys.WatchedKeyring()
    assert watched.get().primary_id == LOCAL_ID
    arn = new_key()
    service.create_alias(AliasName="alias/later", TargetKeyId=arn)
    env_file.write_text(f"MASTER_KEYS={LOCAL}\nKMS_KEY_ID=alias/later\n")
    real = kms.AwsKms._client
    failing(answer("ThrottlingException"))
    assert watched.get().primary_id == LOCAL_ID
    assert "are not used yet" in caplog.text
    monkeypatch.setattr(kms.AwsKms, "_client", real)
    assert watched.get().primary_id == LOCAL_ID
    monkeypatch.setattr("files.keys.master_keys.time.monotonic", lambda: 1e12)
    assert watched.get().primary_id == arn
