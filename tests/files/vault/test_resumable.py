"""An upload that is given up leaves nothing; a complete one's session is kept for a while."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.utils import timezone

from accounts.models import User
from files.crypto.stream.layout import FRAME_PAYLOAD
from files.errors import UploadLost
from files.models import UploadSession
from files.upkeep import sweeping
from files.vault import continuing, opening, resumable
from files.vault.continuing import Continuation
from tests.files.vault.faults import PART
from tests.files.vault.turns import CONTENT, SIZE, fresh

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

Nothing = Callable[[], bool]

pytestmark = pytest.mark.usefixtures("impatient", "moto_as_s3")


@pytest.mark.parametrize("written", [100, 2 * FRAME_PAYLOAD, PART + FRAME_PAYLOAD, SIZE])
def test_an_upload_given_up_while_it_is_written_leaves_nothing(
    session: UploadSession, written: int, nothing_left: Nothing
) -> None:
    with pytest.raises(UploadLost), Continuation(session, 0) as turn:
        turn.write(CONTENT[: written // 2])
        resumable.terminate(fresh(session))
        turn.write(CONTENT[written // 2 : written])
        turn.settle()
    assert nothing_left()


def test_a_sweep_forgets_the_session_of_a_complete_upload(alice: User, s3: S3Client) -> None:
    session = resumable.create(alice, name="a", length=1)
    with continuing.Continuation(session, 0) as turn:
        turn.write(b"x")
        record = turn.settle()
    assert record is not None
    sweeping.sweep()
    assert UploadSession.objects.filter(pk=session.pk).exists()
    sweeping.sweep(now=timezone.now() + timedelta(days=8))
    assert not UploadSession.objects.exists()
    assert b"".join(opening.open_file(record).chunks()) == b"x"
