"""An index of the folders that were put away, which nearly every question asks for."""

from django.db import models

from runtime import online


class Migration(online.Migration):
    dependencies = [("files", "0024_programs")]

    operations = [
        online.AddIndex(
            model_name="folder",
            index=models.Index(
                fields=["id"],
                condition=models.Q(trashed_at__isnull=False),
                name="folder_put_away",
            ),
        ),
    ]
