"""Who may write to an upload, and for how long."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from django.utils import timezone

from files.errors import UploadBusy, WrongOffset
from files.models import StoredObject, UploadSession
from files.vault import upload_leases
from files.vault.continuing import Continuation
from runtime import leases
from tests.files.vault.turns import CONTENT, content_of, fresh, send

pytestmark = pytest.mark.usefixtures("impatient")


def test_the_second_writer_is_refused(session: UploadSession) -> None:
    with Continuation(session, 0) as first:
        first.write(b"x")
        with pytest.raises(UploadBusy):
            Continuation(fresh(session), 0)
        first.settle()
    with pytest.raises(WrongOffset) as caught:
        Continuation(fresh(session), 0)
    assert caught.value.offset == 1
    assert not fresh(session).object.lease


def test_head_waits_no_longer_than_its_patience(session: UploadSession) -> None:
    with Continuation(session, 0) as turn:
        turn.write(b"x")
        assert upload_leases.settled(fresh(session)).offset == 0
        turn.settle()
        assert upload_leases.settled(fresh(session)).offset == 1


def test_the_lease_of_a_process_that_is_gone_is_free(session: UploadSession) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        name = f"{leases._host()}/{other.pid}/{leases._started(other.pid)}/token"
        StoredObject.objects.update(lease=name, lease_seen_at=timezone.now())
        with pytest.raises(UploadBusy):
            send(session)
        other.kill()
        os.waitid(os.P_PID, other.pid, os.WEXITED | os.WNOWAIT)
        # Dead already, though nobody has asked for its exit code yet.
        assert content_of(send(session)) == CONTENT


def test_a_number_that_another_process_has_by_now_is_no_sign_of_life(
    session: UploadSession,
) -> None:
    name = f"{leases._host()}/{os.getpid()}/1/token"
    StoredObject.objects.update(lease=name, lease_seen_at=timezone.now())
    assert content_of(send(session)) == CONTENT


def test_of_another_machine_only_the_time_tells(session: UploadSession) -> None:
    name = "another-machine/pid:[1]/1/1/token"
    StoredObject.objects.update(lease=name, lease_seen_at=timezone.now())
    with pytest.raises(UploadBusy):
        send(session)
    StoredObject.objects.update(lease_seen_at=timezone.now() - upload_leases.LEASE)
    assert content_of(send(session)) == CONTENT
