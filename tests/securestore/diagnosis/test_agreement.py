"""What `doctor` says of what has to agree with one another."""

from __future__ import annotations

from collections import namedtuple

import pytest
from django.contrib.auth.models import Group
from django.db import connection

from accounts.models import User
from runtime.findings import Level
from securestore.diagnosis import agreement
from tests.securestore.diagnosis.findings import one

pytestmark = pytest.mark.django_db
Usage = namedtuple("Usage", "total used free")


def test_a_trigger_that_is_missing_is_named() -> None:
    with connection.cursor() as cursor:
        cursor.execute("DROP TRIGGER audit_no_update")
    line = one(agreement.check_audit_log)
    assert (line.level, "audit_no_update" in line.said) == (Level.FAIL, True)


def test_a_trigger_of_somebody_else_is_a_failure() -> None:
    assert one(agreement.check_foreign).level == Level.OK
    with connection.cursor() as cursor:
        cursor.execute("CREATE TRIGGER quiet AFTER INSERT ON files_grant BEGIN SELECT 1; END")
    line = one(agreement.check_foreign)
    assert (line.level, "trigger quiet on files_grant" in line.said) == (Level.FAIL, True)


def test_a_power_that_no_event_gave_is_a_failure(alice: User) -> None:
    User.groups.through.objects.all().delete()
    Group.objects.all().delete()
    assert one(agreement.check_accounts).level == Level.OK
    User.objects.update(is_superuser=True)
    line = one(agreement.check_accounts)
    assert (line.level, "account" in line.said) == (Level.FAIL, True)
