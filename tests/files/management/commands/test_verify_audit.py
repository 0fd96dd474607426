"""`verify_audit` and `audit_anchor`, as an operator or a timer runs them."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection

from accounts.models import User
from audit import Event, chain, record
from audit.models import AuditEvent, LastRun
from tests.audit.flush import lifted

pytestmark = pytest.mark.django_db


def run(command: str, *arguments: str, verbosity: int = 1) -> str:
    out = StringIO()
    call_command(command, *arguments, stdout=out, verbosity=verbosity)
    return out.getvalue()


def three_events() -> None:
    for number in range(3):
        record(Event.SWEPT, purged=number)


def test_a_sound_log() -> None:
    three_events()
    assert run("verify_audit").startswith("All 3 events hold. The head is 3:")


def test_an_empty_log() -> None:
    assert run("verify_audit").startswith("All 0 events hold.")


def test_silence_for_timers() -> None:
    three_events()
    assert run("verify_audit", verbosity=0) == ""


def test_a_broken_log_is_an_error_that_names_the_link() -> None:
    three_events()
    with lifted():
        AuditEvent.objects.filter(id=2).update(actor_name="somebody else")
    with pytest.raises(CommandError, match="broken at event 2") as caught:
        run("verify_audit")
    assert caught.value.returncode == 1


def test_anchors_of_several_days() -> None:
    three_events()
    first = run("audit_anchor").strip()
    three_events()
    second = run("audit_anchor").strip()
    assert run("verify_audit", "--anchor", first, "--anchor", second)
    with lifted():
        AuditEvent.objects.filter(id__gt=3).delete()
    assert run("verify_audit", "--anchor", first)
    with pytest.raises(CommandError, match="broken at event 4"):
        run("verify_audit", "--anchor", first, "--anchor", second)


def test_a_malformed_anchor_is_a_mistake_in_the_call() -> None:
    with pytest.raises(CommandError, match="an anchor is") as caught:
        run("verify_audit", "--anchor", "yesterday")
    assert caught.value.returncode == 2


# --- Anchors in a file ----------------------------------------------------------------------------


def kept(path: Path) -> Path:
    """The anchor of every event, as a collector of logs has them, with other lines between."""
    with path.open("w") as lines:
        for number, mac in AuditEvent.objects.order_by("-id").values_list("id", "mac"):
            line = {"logger": "audit", "message": "", "number": number, "mac": mac}
            lines.write(f"host granian[7]: {json.dumps(line)}\n{{}}\nnothing\n")
    return path


def test_anchors_of_the_services_log(tmp_path: Path) -> None:
    three_events()
    source = kept(tmp_path / "log")
    assert "3 anchors were passed." in run("verify_audit", "--anchors-from", str(source))
    three_events()
    source = kept(tmp_path / "log")
    with lifted():
        AuditEvent.objects.filter(id__gt=4).delete()
    assert run("verify_audit")
    with pytest.raises(CommandError, match="broken at event 5: missing; the log was cut") as caught:
        run("verify_audit", "--anchors-from", str(source))
    assert caught.value.returncode == 1
    record(Event.SWEPT)
    with pytest.raises(CommandError, match="broken at event 5: not the event that the anchor"):
        run("verify_audit", "--anchors-from", str(source))


def test_an_end_written_anew_by_whoever_has_the_key_shows(tmp_path: Path) -> None:
    three_events()
    source = kept(tmp_path / "log")
    with lifted():
        AuditEvent.objects.filter(id__gt=1).delete()
    for _ in range(5):
        record(Event.SWEPT, purged=99)
    assert run("verify_audit")
    with pytest.raises(CommandError, match="broken at event 2: not the event that the anchor"):
        run("verify_audit", "--anchors-from", str(source))


@pytest.mark.parametrize("content", ["", "nothing here\n"])
def test_a_file_without_anchors_is_a_mistake_in_the_call(tmp_path: Path, content: str) -> None:
    source = tmp_path / "log"
    source.write_text(content)
    with pytest.raises(CommandError, match="has no anchor in it") as caught:
        run("verify_audit", "--anchors-from", str(source))
    assert caught.value.returncode == 2


def test_a_file_that_is_not_there_is_told_before_the_long_part(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="cannot be read") as caught:
        run("verify_audit", "--anchors-from", str(tmp_path / "gone"))
    assert caught.value.returncode == 2
    assert not LastRun.objects.exists()


# --- For programs ---------------------------------------------------------------------------------


def test_the_outcome_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    three_events()
    head = chain.head()
    assert json.loads(run("verify_audit", "--json", "--anchor", str(head))) == {
        "ok": True,
        "events": 3,
        "head": str(head),
        "anchors": 1,
    }
    with lifted():
        AuditEvent.objects.filter(id=2).update(event="swept_not")
    out = StringIO()
    with pytest.raises(CommandError):
        call_command("verify_audit", "--json", stdout=out)
    assert json.loads(out.getvalue()) == {
        "ok": False,
        "broken_at": 2,
        "reason": "altered, or not written with this AUDIT_KEY",
    }


def test_the_outcome_is_kept_and_adds_no_event() -> None:
    three_events()
    run("verify_audit")
    good = LastRun.objects.get()
    assert (good.name, good.outcome, good.figures["events"]) == ("verify_audit", "complete", 3)
    assert AuditEvent.objects.count() == 3
    with lifted():
        AuditEvent.objects.filter(id=2).delete()
    with pytest.raises(CommandError):
        run("verify_audit")
    assert LastRun.objects.get().outcome == "broken"


def test_a_database_that_does_not_answer_is_neither_sound_nor_broken() -> None:
    def refuse(*arguments: object) -> None:
        raise OperationalError("host db.internal is down\nmore")

    with (
        connection.execute_wrapper(refuse),
        pytest.raises(CommandError, match=r"did not answer \(host db.internal is down\)") as caught,
    ):
        run("verify_audit")
    assert caught.value.returncode == 2


def test_a_copy_that_may_only_be_read_is_verified(caplog: pytest.LogCaptureFixture) -> None:
    three_events()

    def refuse(execute: object, sql: str, *arguments: object) -> object:
        if not sql.startswith("SELECT"):
            raise OperationalError("attempt to write a readonly database")
        return execute(sql, *arguments)  # type: ignore[operator]

    with connection.execute_wrapper(refuse):
        assert run("verify_audit").startswith("All 3 events hold.")
    assert "the outcome could not be kept" in caplog.text


# --- What stands beside it ---------------------------------------------------------------------


def test_what_no_event_accounts_for_is_named(alice: User) -> None:
    """Alice's membership was written past the log."""
    run_refused = pytest.raises(CommandError, match="do not follow from them")
    with run_refused as refused:
        run("verify_audit")
    assert refused.value.returncode == 1
    last = LastRun.objects.get(pk="verify_audit")
    assert (last.outcome, last.figures) == ("unaccounted", {"unaccounted": 2})


def test_the_outcome_as_json_names_them(alice: User) -> None:
    out = StringIO()
    with pytest.raises(CommandError):
        call_command("verify_audit", "--json", stdout=out)
    told = json.loads(out.getvalue())
    assert (told["ok"], told["unaccounted"]) == (False, 2)
    assert f"account {alice.pk}: no event accounts for its groups" in told["first"]


def test_a_trigger_that_drops_events_is_named(db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TRIGGER quiet BEFORE INSERT ON audit_auditevent BEGIN SELECT RAISE(IGNORE); END"
        )
    err = StringIO()
    with pytest.raises(CommandError):
        call_command("verify_audit", stderr=err)
    assert "trigger quiet on audit_auditevent is not ours" in err.getvalue()
