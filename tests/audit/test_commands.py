"""A command's run is an event when it starts and when it ends, however it ends."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import OperationalError

import audit
from audit import chain, context
from audit.commands import MAX_FIGURES
from audit.models import AuditEvent, LastRun

pytestmark = pytest.mark.django_db


def told() -> list[dict[str, Any]]:
    return [
        {"by": event.actor_name, "event": event.event, **event.data}
        for event in AuditEvent.objects.order_by("id")
    ]


def test_a_command_is_named_as_the_actor() -> None:
    with audit.command("sweep"):
        assert context.current() == context.Context(actor_name="command:sweep")
    assert context.current() == context.Context()


def test_a_command_may_be_decorated() -> None:
    @audit.command("sweep")
    def handle() -> str:
        return context.current().actor_name

    assert [handle(), handle()] == ["command:sweep", "command:sweep"]
    assert len(told()) == 4


def test_start_and_end_are_events() -> None:
    with audit.command("sweep", dry_run=False) as run:
        run.tell(purged=3)
    run_of = {"by": "command:sweep", "event": "command_run"}
    assert told() == [
        {**run_of, "phase": "started", "dry_run": False},
        {**run_of, "phase": "ended", "outcome": "complete", "seconds": 0, "purged": 3},
    ]


def test_the_last_run_is_kept() -> None:
    with audit.command("sweep") as run:
        assert LastRun.objects.get().outcome == "running"
        run.tell(purged=3)
    good = LastRun.objects.get()
    assert (good.name, good.outcome, good.figures) == ("sweep", "complete", {"purged": 3})
    assert good.ended_at is not None
    assert good.started_at <= good.ended_at == good.succeeded_at
    with pytest.raises(ZeroDivisionError), audit.command("sweep"):
        raise ZeroDivisionError
    bad = LastRun.objects.get()
    assert (bad.outcome, bad.succeeded_at) == ("failed", good.succeeded_at)


@pytest.mark.parametrize(
    ("error", "outcome"), [(ValueError("x"), "failed"), (KeyboardInterrupt(), "stopped")]
)
def test_a_failure_is_the_outcome_and_goes_on(error: BaseException, outcome: str) -> None:
    with pytest.raises(type(error)), audit.command("sweep"):
        raise error
    assert told()[-1]["outcome"] == outcome
    assert told()[-1]["error"] == type(error).__name__


def test_a_killed_command_has_no_end() -> None:
    """As far as a test can kill: what comes after the start never runs."""
    with audit.command("sweep"):
        assert [event["phase"] for event in told()] == ["started"]


def test_what_cannot_be_recorded_does_not_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object, **details: object) -> None:
        raise OperationalError("locked")

    monkeypatch.setattr(chain, "record", refuse)
    with pytest.raises(OperationalError), audit.command("sweep"):
        pytest.fail("it began")
    assert not LastRun.objects.exists()


def test_the_first_trouble_is_what_is_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*arguments: object, **details: object) -> None:
        raise OperationalError("locked")

    with pytest.raises(ValueError, match="what went wrong"), audit.command("sweep"):
        monkeypatch.setattr(chain, "record", refuse)
        raise ValueError("what went wrong")
    assert "the end of sweep could not be recorded: locked" in caplog.text


def test_figures_are_few() -> None:
    figures: Any = {f"n{number}": number for number in range(MAX_FIGURES + 1)}
    with pytest.raises(ValueError, match="figures"), audit.command("sweep") as run:
        run.tell(**figures)


def test_a_check_adds_nothing_to_the_log() -> None:
    audit.note_run("verify_audit", "complete", events=7)
    audit.note_run("verify_audit", "broken", broken_at=3)
    run = LastRun.objects.get()
    assert (run.outcome, run.figures) == ("broken", {"broken_at": 3})
    assert run.succeeded_at is not None
    assert run.ended_at is not None
    assert run.succeeded_at < run.ended_at
    assert told() == []
