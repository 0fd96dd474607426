"""`verify_audit` and `audit_anchor`, as an operator or a timer runs them."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from audit import Event, record
from audit.models import AuditEvent
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
