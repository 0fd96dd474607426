"""Shares by their end, so that the front page of the administration finds those that end soon.

With what the administration calls files and shares, which changes no table.
"""

from django.db import migrations, models

from runtime import online


class Migration(online.Migration):
    dependencies = [("files", "0022_plain_names")]

    operations = [
        online.AddIndex(
            model_name="grant",
            index=models.Index(
                fields=["expires_at"],
                condition=models.Q(revoked_at__isnull=True, expires_at__isnull=False),
                name="grant_ending",
            ),
        ),
        migrations.AlterModelOptions(
            name="filerecord",
            options={
                "ordering": ["-place"],
                "permissions": (
                    ("download_filerecord", "Can download files"),
                    ("share_filerecord", "Can share files that they own or manage"),
                ),
                "verbose_name": "file",
                "verbose_name_plural": "files",
            },
        ),
        migrations.AlterModelOptions(
            name="grant",
            options={
                "ordering": ["-created_at", "-id"],
                "verbose_name": "share",
                "verbose_name_plural": "shares",
            },
        ),
    ]
