"""A row that is written to find out whether the database takes writes. A new table: nobody waits."""

import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = (("files", "0011_past_master_keys"),)

    operations = (
        migrations.CreateModel(
            name="Pulse",
            fields=[
                ("id", models.PositiveSmallIntegerField(primary_key=True, serialize=False)),
                (
                    "at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(),
                    ),
                ),
            ],
            options={"default_permissions": ()},
        ),
    )
