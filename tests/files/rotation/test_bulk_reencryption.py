"""A run over many files: it can be stopped, and never works on what it need not."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import User
from files.models import FileRecord, StoredObject
from files.rotation import bulk_reencryption
from files.rotation.bulk_reencryption import Run, Selection, survey
from files.vault import stored_objects
from tests.files.conftest import CONTENT, Store
from tests.files.vault.faults import read

State = StoredObject.State


@pytest.fixture
def four(store: Store, alice: User) -> Selection:
    """Four files, all of them selected."""
    for _ in range(4):
        store(alice)
    return Selection(encrypted_before=timezone.now() + timedelta(minutes=1))


def test_a_run_that_is_stopped_gives_up_the_file_it_is_at(four: Selection) -> None:
    told: list[float] = []

    def stop_in_the_second(count: float) -> None:
        told.append(count)
        if StoredObject.objects.filter(state=State.DOOMED).exists():
            run.stop()

    run = Run(four, progress=stop_in_the_second)
    done = run.start()
    assert done.reencrypted == 1
    assert sorted(StoredObject.objects.values_list("state", flat=True)) == ["doomed"] + 4 * ["live"]
    assert all(read(record) == CONTENT for record in FileRecord.objects.all())


@pytest.mark.parametrize("page", [1, 3, 4, 500])
def test_every_file_is_done_whatever_the_page(
    four: Selection, page: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk_reencryption, "PAGE", page)
    told: list[float] = []
    assert Run(four, progress=told.append).start().reencrypted == 4
    assert sum(told) == 4 * len(CONTENT)


def test_a_survey_counts_what_will_be_left_alone(four: Selection) -> None:
    held, damaged = FileRecord.objects.all()[:2]
    FileRecord.objects.filter(pk=held.pk).update(custody="held")
    StoredObject.objects.filter(pk=damaged.current_id).update(state=State.DAMAGED)
    work = survey(four)
    assert (work.files, work.bytes, work.held) == (2, 2 * len(CONTENT), 1)
    assert work.damaged == [damaged.pk]


def test_what_a_killed_run_had_begun_is_taken_away_first(four: Selection) -> None:
    record = FileRecord.objects.all()[0]
    row = stored_objects.begin_object(record.pk, bytes(32), creator=None)
    silent = timezone.now() - stored_objects.REENCRYPTION_EXPIRY - timedelta(minutes=1)
    StoredObject.objects.filter(pk=row.pk).update(
        reencrypts=True, lease="another-machine/pid:[1]/1/1/token", state_changed_at=silent
    )
    assert Run(four).start().reencrypted == 4
    assert not StoredObject.objects.filter(state=State.WRITING).exists()
