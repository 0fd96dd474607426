"""The audit log as it is stored.

Rows are only ever added, by `audit.chain.record`. Triggers in the database refuse every update
and deletion (migration 0002), and each row carries a MAC over itself and the row before it. There
are no foreign keys: an event outlives the people, files and grants that it names.
"""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _


class AuditEvent(models.Model):
    """One thing that happened."""

    # The place in the chain: 1, 2, 3 ... without gaps, so that a missing row shows.
    id = models.BigIntegerField(_("number"), primary_key=True)
    at = models.DateTimeField(db_index=True)
    event = models.CharField(max_length=40)
    # Empty for nobody in particular; `command:<name>` for a management command.
    actor_id = models.BigIntegerField(_("user id"), null=True)
    actor_name = models.CharField(_("by"), max_length=150)
    address = models.CharField(max_length=45)
    user_agent = models.CharField(max_length=255)
    request_id = models.CharField(_("request"), max_length=32)
    file_id = models.UUIDField(_("file"), null=True)
    grant_id = models.BigIntegerField(_("grant"), null=True)
    data: models.JSONField[dict[str, Any], dict[str, Any]] = models.JSONField(_("details"))
    # Lower-case hex. Unique: a row has one successor, so the chain cannot fork.
    previous_mac = models.CharField(max_length=64, unique=True)
    mac = models.CharField(max_length=64)

    objects: ClassVar[models.Manager[AuditEvent]]

    class Meta:
        ordering = ("-id",)
        verbose_name = _("event")
        indexes = (
            models.Index(fields=["event", "id"], name="audit_event"),
            models.Index(fields=["actor_id", "id"], name="audit_actor"),
            models.Index(fields=["file_id", "id"], name="audit_file"),
            # Who has read it.
            models.Index(
                fields=["file_id", "actor_id"],
                condition=models.Q(event="file_downloaded"),
                name="audit_read_by",
            ),
        )
        default_permissions = ("view",)

    def __str__(self) -> str:
        return f"{self.id} {self.event}"


class LastRun(models.Model):
    """The last run of a management command: when, and what it came to. Events are the history."""

    name = models.CharField(max_length=64, primary_key=True)
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    succeeded_at = models.DateTimeField(null=True)
    # `running` until it ends, and for ever where it was killed.
    outcome = models.CharField(max_length=16)
    seconds = models.PositiveIntegerField(null=True)
    figures: models.JSONField[dict[str, Any], dict[str, Any]] = models.JSONField(default=dict)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.name}: {self.outcome}"
