"""Verifications under way. Must never say that an object is well: that is the object's own row."""

from __future__ import annotations

from django.db import models
from django.utils import timezone


class VerificationRun(models.Model):
    """A verification that has begun and not come to its end: one that is killed goes on from here.

    Everything whose `verified_at` is not before `started_at` is done.
    """

    selection = models.CharField(max_length=64, primary_key=True)
    started_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"verification of {self.selection} since {self.started_at}"


class VerificationClaim(models.Model):
    """That a process is verifying an object at the moment, so that another one takes others.

    No foreign key: an object may be deleted meanwhile, and must not wait for this.
    """

    stored_object_id = models.BigIntegerField(primary_key=True)
    lease = models.CharField(max_length=255, db_index=True)
    seen_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"verification of object {self.stored_object_id}"
