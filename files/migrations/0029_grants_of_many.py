"""Indexes for what thousands are let into: its groups without its people, its ended grants without
all that still count."""

from django.db import models
from django.db.models import Q

from runtime import online

MAY_BE_OVER = Q(revoked_at__isnull=False) | Q(expires_at__isnull=False)


def index(name: str, *fields: str, condition: Q) -> online.AddIndex:
    return online.AddIndex(
        model_name="grant",
        index=models.Index(fields=list(fields), condition=condition, name=name),
    )


class Migration(online.Migration):
    dependencies = [("files", "0028_access_requests")]

    operations = [
        index(
            "grant_folder_groups",
            *("folder", "group"),
            condition=Q(folder__isnull=False, group__isnull=False, revoked_at__isnull=True),
        ),
        index(
            "grant_file_over",
            *("file", "-created_at", "-id"),
            condition=Q(file__isnull=False) & MAY_BE_OVER,
        ),
        index(
            "grant_folder_over",
            *("folder", "-created_at", "-id"),
            condition=Q(folder__isnull=False) & MAY_BE_OVER,
        ),
    ]
