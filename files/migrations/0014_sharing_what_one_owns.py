"""A permission to share what one owns, which means nothing in the administration. Changes no table."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("files", "0013_digests_and_modification_times")]

    operations = [
        migrations.AlterModelOptions(
            name="filerecord",
            options={
                "ordering": ["-place"],
                "permissions": (
                    ("download_filerecord", "Can download files"),
                    ("share_filerecord", "Can share files that they own or manage"),
                ),
            },
        ),
    ]
