"""A run over many objects: shared with others, gone on with after a kill, and never fooled."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.utils import timezone

from accounts.models import User
from files.models import FileRecord, StoredObject, VerificationClaim, VerificationRun
from files.upkeep import bulk_verification, verification, verification_queue
from files.upkeep.bulk_verification import NONE_THERE, Done, NoSuchFiles, Run, Selection
from files.upkeep.verification import Finding, Outcome
from files.vault import removing, stored_objects, storing
from tests.files.conftest import CONTENT, Store
from tests.files.rotation.test_reencryption import holding
from tests.files.vault.faults import StoreTrouble, flip

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

State = StoredObject.State
EVERYTHING = Selection(name="all")
DEAD = "another-machine/pid:[1]/1/1/token"


@pytest.fixture
def four(store: Store, alice: User) -> list[FileRecord]:
    """Four files, oldest first."""
    return [store(alice) for _ in range(4)]


@pytest.fixture
def looked_at(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The objects that were examined, in their order."""
    seen: list[int] = []
    real = verification.examine

    def noting(row: StoredObject, **options: Any) -> Finding:
        seen.append(row.pk)
        return real(row, **options)

    monkeypatch.setattr(verification, "examine", noting)
    return seen


def objects(records: list[FileRecord]) -> list[int]:
    return [record.current.pk for record in records]


def run(selection: Selection = EVERYTHING, **options: Any) -> Done:
    return Run(selection, **options).start()


def lose(s3: S3Client, records: list[FileRecord]) -> None:
    for record in records:
        name = record.current.object_name
        s3.delete_object(Bucket=stored_objects.storage().bucket_name, Key=name)


@pytest.mark.parametrize("page", [1, 3, 4, 64])
def test_every_object_is_read_once_whatever_the_page(
    four: list[FileRecord], page: int, monkeypatch: pytest.MonkeyPatch, looked_at: list[int]
) -> None:
    monkeypatch.setattr(verification_queue, "PAGE", page)
    told: list[int] = []
    work = Run(EVERYTHING, progress=told.append)
    assert work.total == 4 * len(CONTENT)
    done = work.start()
    assert done.all_well
    assert done.counts == {Outcome.OK: 4}
    assert (done.bytes, sum(told)) == (4 * len(CONTENT), 4 * len(CONTENT))
    assert sorted(looked_at) == objects(four)
    assert not VerificationClaim.objects.exists()
    assert not VerificationRun.objects.exists()


def test_pages_end_by_bytes_too(
    four: list[FileRecord], monkeypatch: pytest.MonkeyPatch, looked_at: list[int]
) -> None:
    monkeypatch.setattr(verification_queue, "PAGE_BYTES", len(CONTENT) + 1)
    claimed: list[int] = []
    real = verification.examine

    def counting(row: StoredObject, **options: Any) -> Finding:
        claimed.append(VerificationClaim.objects.count())
        return real(row, **options)

    monkeypatch.setattr(verification, "examine", counting)
    assert run().counts == {Outcome.OK: 4}
    assert claimed == [1, 1, 1, 1]


def test_the_least_recently_verified_comes_first(
    four: list[FileRecord], looked_at: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verification_queue, "PAGE", 1)
    now = timezone.now()
    for record, days in zip(four, (3, None, 9, 9), strict=True):
        at = None if days is None else now - timedelta(days=days)
        StoredObject.objects.filter(pk=record.current.pk).update(verified_at=at)
    run()
    one, two, three, other = objects(four)
    assert looked_at == [two, three, other, one]


def test_only_what_was_not_verified_for_long(four: list[FileRecord], looked_at: list[int]) -> None:
    StoredObject.objects.filter(pk__in=objects(four)[:2]).update(verified_at=timezone.now())
    run(Selection(not_verified_since=timezone.now() - timedelta(days=1)))
    assert looked_at == objects(four)[2:]


def test_only_what_was_written_since(four: list[FileRecord], looked_at: list[int]) -> None:
    long_ago = timezone.now() - timedelta(days=40)
    StoredObject.objects.filter(pk__in=objects(four)[1:]).update(created_at=long_ago)
    run(Selection(written_since=timezone.now() - timedelta(days=30)))
    assert looked_at == objects(four)[:1]


def test_only_named_files(four: list[FileRecord], looked_at: list[int]) -> None:
    work = Run(Selection(files=(four[1].pk, four[3].pk)))
    assert work.total == 2 * len(CONTENT)
    work.start()
    assert sorted(looked_at) == [objects(four)[1], objects(four)[3]]
    assert not VerificationRun.objects.exists()


def test_a_file_that_does_not_exist_is_named(four: list[FileRecord]) -> None:
    nobody = uuid.uuid4()
    with pytest.raises(NoSuchFiles, match=str(nobody)):
        Run(Selection(files=(four[0].pk, nobody)))


@pytest.mark.parametrize(("sample", "number"), [(1, 1), (3, 3), (99, 4), (0.3, 2), (1.0, 4)])
def test_a_sample_is_drawn_by_chance(
    four: list[FileRecord], sample: float | int, number: int, looked_at: list[int]
) -> None:
    assert run(Selection(sample=sample)).counts == {Outcome.OK: number}
    assert len(set(looked_at)) == number


def test_uploads_and_doomed_objects_are_nobodys_damage(
    four: list[FileRecord], alice: User, s3: S3Client
) -> None:
    storing.Upload(alice, name="a").write(b"begun")
    removing.doom(StoredObject.objects.filter(pk=four[0].current.pk))
    lose(s3, four[:1])
    assert run().counts == {Outcome.OK: 3}


def test_what_is_wrong_is_counted_and_named(
    four: list[FileRecord],
    s3: S3Client,
    settings: Any,
    events: Callable[[str], list[dict[str, Any]]],
) -> None:
    lose(s3, four[:1])
    flip(s3, settings.S3_BUCKET, four[1].current.object_name, 100)
    holding(four[2])
    done = run()
    assert done.counts == {
        Outcome.MISSING: 1,
        Outcome.DAMAGED: 1,
        Outcome.HELD: 1,
        Outcome.OK: 1,
    }
    assert {(bad.file_id, bad.outcome, bad.marked) for bad in done.bad} == {
        (four[0].pk, Outcome.MISSING, True),
        (four[1].pk, Outcome.DAMAGED, True),
    }
    assert not done.all_well
    assert not done.only_unreachable
    [told] = events("files_verified")
    assert (told["well"], told["damaged"], told["complete"]) == (2, 2, True)


def test_of_very_many_findings_the_first_are_named(
    four: list[FileRecord], s3: S3Client, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk_verification, "LISTED", 2)
    for record in four:
        flip(s3, settings.S3_BUCKET, record.current.object_name, 100)
    done = run()
    assert (len(done.bad), done.unlisted, done.counts[Outcome.DAMAGED]) == (2, 2, 4)


# --- Killed, and run again -----------------------------------------------------------------------


def killed_after(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that dies once so many objects were examined, as far as its process could tell."""
    monkeypatch.setattr(verification_queue, "PAGE", 1)
    real = verification.examine
    left = [count]

    def dying(row: StoredObject, **options: Any) -> Finding:
        if not left[0]:
            raise KeyboardInterrupt
        left[0] -= 1
        return real(row, **options)

    with monkeypatch.context() as patch:
        patch.setattr(verification, "examine", dying)
        with pytest.raises(KeyboardInterrupt):
            run()


def test_a_killed_run_goes_on(
    four: list[FileRecord], monkeypatch: pytest.MonkeyPatch, looked_at: list[int]
) -> None:
    killed_after(3, monkeypatch)
    looked_at.clear()
    done = run()
    assert (done.resumed, done.beside) == (True, False)
    assert looked_at == objects(four)[3:]
    looked_at.clear()
    assert not run().resumed
    assert len(looked_at) == 4


def test_a_restart_reads_all_of_it(
    four: list[FileRecord], monkeypatch: pytest.MonkeyPatch, looked_at: list[int]
) -> None:
    killed_after(3, monkeypatch)
    looked_at.clear()
    assert not run(restart=True).resumed
    assert len(looked_at) == 4


def test_a_run_that_was_interrupted_long_ago_is_begun_anew(
    four: list[FileRecord], monkeypatch: pytest.MonkeyPatch, looked_at: list[int]
) -> None:
    killed_after(3, monkeypatch)
    looked_at.clear()
    VerificationRun.objects.update(started_at=timezone.now() - timedelta(days=31))
    assert not run().resumed
    assert len(looked_at) == 4


def test_what_the_killed_part_found_is_found_again(
    four: list[FileRecord], s3: S3Client, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    flip(s3, settings.S3_BUCKET, four[0].current.object_name, 100)
    killed_after(3, monkeypatch)
    done = run()
    assert [(bad.file_id, bad.offset) for bad in done.bad] == [(four[0].pk, 0)]
    assert not done.all_well


def test_a_run_that_is_stopped_gives_up_the_object_it_is_at(four: list[FileRecord]) -> None:
    def stop(count: int) -> None:
        if count:
            work.stop()

    work = Run(EVERYTHING, progress=stop)
    work.start()
    assert work.done.counts.total() <= 1
    assert VerificationRun.objects.exists()
    assert not VerificationClaim.objects.exists()
    assert run().resumed


# --- Beside others -------------------------------------------------------------------------------


def test_two_runs_share_the_work(
    four: list[FileRecord], monkeypatch: pytest.MonkeyPatch, looked_at: list[int]
) -> None:
    monkeypatch.setattr(verification_queue, "PAGE", 1)
    inner: list[Done] = []
    real = verification.verify

    def meanwhile(row: StoredObject, **options: Any) -> Finding:
        finding = real(row, **options)
        if not inner:
            # Another run that is never done with waiting for this page: stopped when it waits.
            other = Run(EVERYTHING)
            monkeypatch.setattr(other._stopping, "wait", lambda seconds: other.stop())
            inner.append(other.done)
            other.start()
        return finding

    monkeypatch.setattr(verification, "verify", meanwhile)
    outer = run()
    assert (inner[0].resumed, inner[0].beside) == (True, True)
    assert inner[0].counts == {Outcome.OK: 3}
    assert outer.counts == {Outcome.OK: 1}
    assert sorted(looked_at) == objects(four)


def test_what_another_run_found_bad_is_found_by_both(
    four: list[FileRecord], s3: S3Client, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both end with an error: neither may say that all is well."""
    monkeypatch.setattr(verification_queue, "PAGE", 1)
    flip(s3, settings.S3_BUCKET, four[0].current.object_name, 100)
    [claim] = VerificationClaim.objects.bulk_create(
        [VerificationClaim(stored_object_id=four[0].current.pk, lease=DEAD)]
    )
    work = Run(EVERYTHING)
    # The other one, on another machine, is done with it while we wait.
    monkeypatch.setattr(work._stopping, "wait", lambda seconds: claim.delete())
    done = work.start()
    assert done.counts == {Outcome.OK: 3, Outcome.DAMAGED: 1}


@pytest.mark.parametrize("verified", [False, True])
def test_a_claim_that_nobody_keeps_up_is_taken_over(four: list[FileRecord], verified: bool) -> None:
    silent = timezone.now() - timedelta(minutes=6)
    VerificationClaim.objects.create(
        stored_object_id=four[0].current.pk, lease=DEAD, seen_at=silent
    )
    assert run().counts == {Outcome.OK: 4}


def test_a_worker_shows_that_it_lives(
    four: list[FileRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verification_queue, "BEAT", -1)
    seen: list[bool] = []
    real = verification.examine

    def aging(row: StoredObject, *, each: Callable[[int], object]) -> Finding:
        long_ago = timezone.now() - timedelta(hours=1)
        VerificationClaim.objects.update(seen_at=long_ago)
        finding = real(row, each=each)
        seen.append(not VerificationClaim.objects.filter(seen_at=long_ago).exists())
        return finding

    monkeypatch.setattr(verification, "examine", aging)
    run()
    assert seen == [True] * 4


# --- The store -----------------------------------------------------------------------------------


def test_a_store_that_is_down_is_no_damage(
    four: list[FileRecord], monkeypatch: pytest.MonkeyPatch, s3: S3Client, looked_at: list[int]
) -> None:
    trouble = StoreTrouble(monkeypatch, s3).begin()
    done = run()
    assert looked_at == []
    assert done.stopped
    assert done.only_unreachable
    trouble.end()
    # Nothing was done that the next one could go on with.
    assert not VerificationRun.objects.exists()
    assert run().all_well


def test_a_store_that_goes_down_ends_the_run(
    four: list[FileRecord], monkeypatch: pytest.MonkeyPatch, s3: S3Client, looked_at: list[int]
) -> None:
    StoreTrouble(monkeypatch, s3).begin("GetObject")
    done = run()
    assert len(looked_at) == bulk_verification.PATIENCE
    assert done.counts == {Outcome.UNREACHABLE: 3}
    assert done.only_unreachable
    assert set(StoredObject.objects.values_list("state", flat=True)) == {State.LIVE}


def test_what_was_not_reached_is_tried_once_more(
    four: list[FileRecord], monkeypatch: pytest.MonkeyPatch, s3: S3Client
) -> None:
    real = verification.examine
    failed: list[int] = []

    def failing(row: StoredObject, **options: Any) -> Finding:
        if row.pk in objects(four)[:2] and failed.count(row.pk) < 1 + (row.pk == objects(four)[1]):
            failed.append(row.pk)
            return Finding(row.file_id, row.object_name, Outcome.UNREACHABLE, "busy")
        return real(row, **options)

    monkeypatch.setattr(verification, "examine", failing)
    done = run()
    assert done.counts == {Outcome.OK: 3, Outcome.UNREACHABLE: 1}
    assert [bad.file_id for bad in done.bad] == [four[1].pk]
    assert done.only_unreachable
    assert not done.stopped


def test_in_a_wrong_bucket_nothing_is_marked(
    store: Store, alice: User, s3: S3Client, events: Callable[..., list[dict[str, Any]]]
) -> None:
    records = [store(alice, b"") for _ in range(NONE_THERE + 1)]
    lose(s3, records)
    done = run()
    assert done.wrong_bucket
    assert done.counts == {Outcome.MISSING: NONE_THERE + 1}
    assert not done.all_well
    assert events("damage_found") == []


def test_where_one_is_there_the_missing_are_marked(
    store: Store, alice: User, s3: S3Client, events: Callable[..., list[dict[str, Any]]]
) -> None:
    records = [store(alice, b"") for _ in range(NONE_THERE + 2)]
    lose(s3, records[:-1])
    done = run()
    assert not done.wrong_bucket
    assert done.counts == {Outcome.MISSING: NONE_THERE + 1, Outcome.OK: 1}
    assert len(events("damage_found")) == NONE_THERE + 1


def test_one_that_was_verified_before_tells_the_bucket_too(
    store: Store, alice: User, s3: S3Client
) -> None:
    records = [store(alice, b"") for _ in range(NONE_THERE + 2)]
    run(Selection(files=(records[-1].pk,)))
    lose(s3, records[:-1])
    done = run(Selection(not_verified_since=timezone.now() - timedelta(days=1)))
    assert not done.wrong_bucket
    assert all(bad.marked for bad in done.bad)


def test_unmarking_is_for_what_reads_and_for_held_ones_by_name(
    four: list[FileRecord], s3: S3Client
) -> None:
    holding(four[1])
    StoredObject.objects.filter(pk__in=objects(four)[:2]).update(state=State.DAMAGED)
    assert run().counts == {Outcome.OK: 2, Outcome.STILL_MARKED: 2}
    done = run(unmark=True)
    assert [one.file_id for one in done.unmarked] == [four[0].pk]
    assert done.counts == {Outcome.OK: 3, Outcome.STILL_MARKED: 1}
    done = run(Selection(files=(four[1].pk,)), unmark=True)
    assert [one.file_id for one in done.unmarked] == [four[1].pk]
    assert run().all_well
