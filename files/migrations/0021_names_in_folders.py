"""What a folder's lists by name are read from: of what an entry is, not of what it is not.

SQLite takes `file_id IS NULL` for one row, whatever there is, since the column is unique: it would
look at every folder of the vault, and sort.
"""

from django.db import models

from runtime import online


class Migration(online.Migration):
    dependencies = [("files", "0020_versions")]

    operations = [
        online.RemoveIndex(model_name="entry", name="entry_folders"),
        online.RemoveIndex(model_name="entry", name="entry_files"),
        online.AddIndex(
            model_name="entry",
            index=models.Index(
                fields=["parent", "key"],
                condition=models.Q(folder__isnull=False),
                name="entry_folder_names",
            ),
        ),
        online.AddIndex(
            model_name="entry",
            index=models.Index(
                fields=["parent", "key"],
                condition=models.Q(file__isnull=False),
                name="entry_file_names",
            ),
        ),
    ]
