"""Downloads by their file and by who had them, so that who has read it is counted by an index."""

from django.db import models

from runtime import online


class Migration(online.Migration):
    dependencies = [("audit", "0004_powers_stated")]

    operations = [
        online.AddIndex(
            model_name="auditevent",
            index=models.Index(
                fields=["file_id", "actor_id"],
                condition=models.Q(event="file_downloaded"),
                name="audit_read_by",
            ),
        ),
    ]
