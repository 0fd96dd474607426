"""Folders, versions, a trash: tables, and columns that may be empty. No row is written anew here.

`0018_roots` gives each file its folder and its name there. The code of the release before goes on
beside this schema: it stores files without a folder, which a sweep takes into their owners' roots.
What a file's former versions take counts in what people store, and a statement that changes the
owner of many files changes the usage of each owner once.
"""

import django.db.models.deletion
import django.utils.timezone
import files.records.ordering
import uuid
from importlib import import_module

from django.conf import settings
from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from runtime import online, schema_changes

names_and_usage = import_module("files.migrations.0009_names_and_usage")

SQLITE_TRIGGERS = {
    "filerecord_usage_added": """
        AFTER INSERT ON files_filerecord BEGIN
            INSERT INTO files_usage (owner_id, files, bytes)
                VALUES (NEW.owner_id, 1, NEW.size + NEW.kept_bytes)
                ON CONFLICT (owner_id) DO UPDATE
                SET files = files + 1, bytes = bytes + excluded.bytes;
        END
    """,
    "filerecord_usage_changed": """
        AFTER UPDATE OF owner_id, size, kept_bytes ON files_filerecord
        WHEN NEW.owner_id <> OLD.owner_id
            OR NEW.size + NEW.kept_bytes <> OLD.size + OLD.kept_bytes
        BEGIN
            UPDATE files_usage SET files = files - 1, bytes = bytes - OLD.size - OLD.kept_bytes
                WHERE owner_id = OLD.owner_id;
            INSERT INTO files_usage (owner_id, files, bytes)
                VALUES (NEW.owner_id, 1, NEW.size + NEW.kept_bytes)
                ON CONFLICT (owner_id) DO UPDATE
                SET files = files + 1, bytes = bytes + excluded.bytes;
        END
    """,
    "filerecord_usage_removed": """
        AFTER DELETE ON files_filerecord BEGIN
            UPDATE files_usage SET files = files - 1, bytes = bytes - OLD.size - OLD.kept_bytes
                WHERE owner_id = OLD.owner_id;
        END
    """,
}
POSTGRESQL_FUNCTIONS = """
    CREATE OR REPLACE FUNCTION files_usage_added() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO files_usage AS kept (owner_id, files, bytes)
            SELECT owner_id, count(*), sum(size + kept_bytes) FROM added
            GROUP BY owner_id ORDER BY owner_id
            ON CONFLICT (owner_id) DO UPDATE
            SET files = kept.files + excluded.files, bytes = kept.bytes + excluded.bytes;
        RETURN NULL;
    END
    $$;
    CREATE OR REPLACE FUNCTION files_usage_removed() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO files_usage AS kept (owner_id, files, bytes)
            SELECT owner_id, -count(*), -sum(size + kept_bytes) FROM removed
            GROUP BY owner_id ORDER BY owner_id
            ON CONFLICT (owner_id) DO UPDATE
            SET files = kept.files + excluded.files, bytes = kept.bytes + excluded.bytes;
        RETURN NULL;
    END
    $$;
    CREATE OR REPLACE FUNCTION files_usage_moved() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO files_usage AS kept (owner_id, files, bytes)
            SELECT owner_id, sum(files), sum(bytes) FROM (
                SELECT owner_id, -1 AS files, -size - kept_bytes AS bytes FROM former
                UNION ALL SELECT owner_id, 1, size + kept_bytes FROM present
            ) AS moved
            GROUP BY owner_id HAVING sum(files) <> 0 OR sum(bytes) <> 0 ORDER BY owner_id
            ON CONFLICT (owner_id) DO UPDATE
            SET files = kept.files + excluded.files, bytes = kept.bytes + excluded.bytes;
        RETURN NULL;
    END
    $$;
"""
# Each owner once, and in the order of owners, however many files a statement changes.
POSTGRESQL_TRIGGERS = {
    "filerecord_usage_changed": (
        "AFTER UPDATE ON files_filerecord REFERENCING OLD TABLE AS former NEW TABLE AS present"
        " FOR EACH STATEMENT EXECUTE FUNCTION files_usage_moved()"
    ),
}


def install(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Make the index and the triggers, where they are missing; safe to repeat.

    A migration that alters `FileRecord` or `Grant` ends with this.
    """
    names_and_usage.install(apps, schema_editor)
    if not schema_changes.is_postgresql(schema_editor):
        for name, body in SQLITE_TRIGGERS.items():
            schema_editor.execute(f"DROP TRIGGER IF EXISTS {name}")
            schema_editor.execute(f"CREATE TRIGGER {name} {body}")
        return

    def replace() -> None:
        schema_editor.execute(POSTGRESQL_FUNCTIONS)
        for name, body in POSTGRESQL_TRIGGERS.items():
            schema_editor.execute(f"CREATE OR REPLACE TRIGGER {name} {body}")

    schema_changes.briefly(schema_editor, replace)


def uninstall(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Before the columns go: the triggers as they were, which do not know them."""
    if schema_changes.is_postgresql(schema_editor):

        def restore() -> None:
            names_and_usage.install(apps, schema_editor)
            schema_editor.execute("DROP FUNCTION IF EXISTS files_usage_moved()")

        schema_changes.briefly(schema_editor, restore)
    else:
        make_way(apps, schema_editor)


def make_way(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """SQLite makes the tables anew: triggers of one that name the other would be in the way."""
    if not schema_changes.is_postgresql(schema_editor):
        for name in names_and_usage.SQLITE_TRIGGERS:
            schema_editor.execute(f"DROP TRIGGER IF EXISTS {name}")


def install_former(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """SQLite has made the tables anew, and its triggers are gone then."""
    if not schema_changes.is_postgresql(schema_editor):
        names_and_usage.install(apps, schema_editor)


class Migration(online.Migration):

    dependencies = [
        ('auth', '0012_alter_user_first_name_max_length'),
        ('files', '0016_what_uploads_left'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        # Done last on the way back.
        online.RunPython(make_way, install_former),
        online.CreateModel(
            name='Ancestry',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('distance', models.PositiveSmallIntegerField()),
            ],
            options={
                'default_permissions': (),
            },
        ),
        online.CreateModel(
            name='Entry',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('key', models.CharField(max_length=765)),
            ],
            options={
                'default_permissions': (),
            },
        ),
        online.CreateModel(
            name='Folder',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('name', models.CharField(blank=True, max_length=255)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ('trashed_at', models.DateTimeField(blank=True, editable=False, null=True)),
            ],
        ),
        online.CreateModel(
            name='KeptVersion',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('version', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('size', models.PositiveBigIntegerField(help_text='Bytes of the original.')),
                ('content_type', models.CharField(default='application/octet-stream', max_length=255)),
                ('custody', models.CharField(max_length=8)),
                ('modified_at', models.DateTimeField(null=True)),
                ('uploaded_at', models.DateTimeField()),
                ('superseded_at', models.DateTimeField(db_index=True, default=django.utils.timezone.now)),
            ],
            options={
                'ordering': ['-superseded_at', '-id'],
                'default_permissions': (),
            },
        ),
        online.CreateModel(
            name='RecentFile',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('way', models.CharField(choices=[('added', 'added'), ('opened', 'opened'), ('given', 'given to you')], max_length=8)),
                ('at', models.DateTimeField(default=django.utils.timezone.now)),
            ],
            options={
                'default_permissions': (),
            },
        ),
        online.RemoveConstraint(
            model_name='storedobject',
            name='storedobject_live_is_sealed',
        ),
        online.RemoveConstraint(
            model_name='storedobject',
            name='storedobject_one_writing_per_file',
        ),
        online.AddField(
            model_name='filerecord',
            name='kept_bytes',
            field=models.PositiveBigIntegerField(db_default=0, default=0, editable=False, help_text='Bytes of its former versions.'),
        ),
        online.AddField(
            model_name='filerecord',
            name='trashed_at',
            field=models.DateTimeField(blank=True, editable=False, null=True),
        ),
        online.AddField(
            model_name='filerecord',
            name='trashed_by',
            field=models.ForeignKey(db_index=False, editable=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        online.AddField(
            model_name='filerecord',
            name='uploaded_by',
            field=models.ForeignKey(db_index=False, editable=False, help_text='Who uploaded the current version.', null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        online.AddField(
            model_name='storedobject',
            name='charged_to',
            field=models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        online.AddField(
            model_name='uploadsession',
            name='conflict',
            field=models.CharField(choices=[('version', 'Make it a new version'), ('rename', 'Keep both: the new one gets a number'), ('refuse', 'Refuse it')], db_default='rename', default='rename', max_length=8),
        ),
        online.AlterField(
            model_name='grant',
            name='file',
            field=models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='grants', to='files.filerecord'),
        ),
        online.AlterField(
            model_name='grant',
            name='file_place',
            field=files.records.ordering.FilePlaceField(editable=False, null=True),
        ),
        online.AlterField(
            model_name='grant',
            name='level',
            field=models.CharField(choices=[('download', 'Download'), ('add', 'Add: download, put files in and make folders'), ('manage', 'Manage: download, share and delete')], default='download', max_length=8),
        ),
        online.AlterField(
            model_name='storedobject',
            name='state',
            field=models.CharField(choices=[('writing', 'being written'), ('live', 'live'), ('kept', 'kept as a former version'), ('doomed', 'to be deleted'), ('damaged', 'damaged in the store')], default='writing', max_length=8),
        ),
        online.AddIndex(
            model_name='storedobject',
            index=models.Index(condition=models.Q(('state', 'writing')), fields=['charged_to'], name='storedobject_writing_for'),
        ),
        online.AddConstraint(
            model_name='storedobject',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('sealed', False), ('state', 'writing')), ('state', 'doomed'), models.Q(('sealed', True), ('state__in', ['live', 'kept', 'damaged'])), _connector='OR'), name='storedobject_live_is_sealed'),
        ),
        online.AddConstraint(
            model_name='storedobject',
            constraint=models.UniqueConstraint(condition=models.Q(('reencrypts', True), ('state', 'writing')), fields=('file_id',), name='storedobject_one_reencryption_per_file'),
        ),
        online.AddField(
            model_name='entry',
            name='file',
            field=models.OneToOneField(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='entry', to='files.filerecord'),
        ),
        online.AddField(
            model_name='folder',
            name='added_by',
            field=models.ForeignKey(editable=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        online.AddField(
            model_name='folder',
            name='owner',
            field=models.ForeignKey(editable=False, on_delete=django.db.models.deletion.CASCADE, related_name='folders', to=settings.AUTH_USER_MODEL),
        ),
        online.AddField(
            model_name='folder',
            name='parent',
            field=models.ForeignKey(editable=False, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='folders', to='files.folder'),
        ),
        online.AddField(
            model_name='folder',
            name='trashed_by',
            field=models.ForeignKey(db_index=False, editable=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        online.AddField(
            model_name='entry',
            name='folder',
            field=models.OneToOneField(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='entry', to='files.folder'),
        ),
        online.AddField(
            model_name='entry',
            name='parent',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='entries', to='files.folder'),
        ),
        online.AddField(
            model_name='ancestry',
            name='ancestor',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='below', to='files.folder'),
        ),
        online.AddField(
            model_name='ancestry',
            name='descendant',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='above', to='files.folder'),
        ),
        online.AddField(
            model_name='filerecord',
            name='folder',
            field=models.ForeignKey(db_index=False, editable=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='files', to='files.folder'),
        ),
        online.AddField(
            model_name='grant',
            name='folder',
            field=models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='grants', to='files.folder'),
        ),
        online.AddField(
            model_name='uploadsession',
            name='folder',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='files.folder'),
        ),
        online.AddIndex(
            model_name='filerecord',
            index=models.Index(fields=['folder', 'size', 'place'], name='filerecord_folder_size'),
        ),
        online.AddIndex(
            model_name='filerecord',
            index=models.Index(fields=['folder', 'place'], name='filerecord_folder_time'),
        ),
        online.AddIndex(
            model_name='filerecord',
            index=models.Index(condition=models.Q(('trashed_at__isnull', False)), fields=['owner', '-trashed_at', 'id'], name='filerecord_trashed'),
        ),
        online.AddIndex(
            model_name='grant',
            index=models.Index(condition=models.Q(('folder__isnull', False), ('user__isnull', False)), fields=['user', 'folder'], name='grant_user_folder'),
        ),
        online.AddIndex(
            model_name='grant',
            index=models.Index(condition=models.Q(('folder__isnull', False), ('group__isnull', False)), fields=['group', 'folder'], name='grant_group_folder'),
        ),
        online.AddIndex(
            model_name='grant',
            index=models.Index(condition=models.Q(('folder__isnull', False)), fields=['folder', '-created_at', '-id'], name='grant_folder_newest'),
        ),
        online.AddIndex(
            model_name='grant',
            index=models.Index(condition=models.Q(('revoked_at__isnull', True), ('user__isnull', False)), fields=['user', '-created_at', '-id'], name='grant_user_given'),
        ),
        online.AddIndex(
            model_name='grant',
            index=models.Index(condition=models.Q(('group__isnull', False), ('revoked_at__isnull', True)), fields=['group', '-created_at', '-id'], name='grant_group_given'),
        ),
        online.AddConstraint(
            model_name='grant',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('file__isnull', True), ('folder__isnull', False)), models.Q(('file__isnull', False), ('folder__isnull', True)), _connector='OR'), name='grant_of_file_or_folder', violation_error_message='Choose exactly one: a file or a folder.'),
        ),
        online.AddConstraint(
            model_name='grant',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('level', 'add'), _negated=True), ('folder__isnull', False), _connector='OR'), name='grant_to_add_is_of_a_folder', violation_error_message='A grant to add is for a folder: choose another level.'),
        ),
        online.AddField(
            model_name='keptversion',
            name='file',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='versions', to='files.filerecord'),
        ),
        online.AddField(
            model_name='keptversion',
            name='object',
            field=models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='kept', to='files.storedobject'),
        ),
        online.AddField(
            model_name='keptversion',
            name='uploaded_by',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        online.AddField(
            model_name='recentfile',
            name='file',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='files.filerecord'),
        ),
        online.AddField(
            model_name='recentfile',
            name='user',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        online.AddIndex(
            model_name='folder',
            index=models.Index(fields=['owner', 'trashed_at', 'id'], name='folder_trashed'),
        ),
        online.AddConstraint(
            model_name='folder',
            constraint=models.UniqueConstraint(condition=models.Q(('parent__isnull', True)), fields=('owner',), name='folder_one_root_per_owner'),
        ),
        online.AddConstraint(
            model_name='folder',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('name', ''), ('parent__isnull', True), ('trashed_at__isnull', True)), models.Q(('parent__isnull', False), models.Q(('name', ''), _negated=True)), _connector='OR'), name='folder_root_is_never_put_away'),
        ),
        online.AddIndex(
            model_name='entry',
            index=models.Index(condition=models.Q(('file__isnull', True)), fields=['parent', 'key'], name='entry_folders'),
        ),
        online.AddIndex(
            model_name='entry',
            index=models.Index(condition=models.Q(('folder__isnull', True)), fields=['parent', 'key'], name='entry_files'),
        ),
        online.AddConstraint(
            model_name='entry',
            constraint=models.UniqueConstraint(fields=('parent', 'key'), name='entry_name_once_per_folder'),
        ),
        online.AddConstraint(
            model_name='entry',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('file__isnull', True), ('folder__isnull', False)), models.Q(('file__isnull', False), ('folder__isnull', True)), _connector='OR'), name='entry_of_file_or_folder'),
        ),
        online.AddConstraint(
            model_name='ancestry',
            constraint=models.UniqueConstraint(fields=('ancestor', 'descendant'), name='ancestry_once'),
        ),
        online.AddConstraint(
            model_name='ancestry',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('ancestor', models.F('descendant')), ('distance', 0)), models.Q(('distance__gt', 0), models.Q(('ancestor', models.F('descendant')), _negated=True)), _connector='OR'), name='ancestry_no_circle'),
        ),
        online.AddConstraint(
            model_name='ancestry',
            constraint=models.CheckConstraint(condition=models.Q(('distance__lte', 32)), name='ancestry_not_too_deep'),
        ),
        online.AddIndex(
            model_name='recentfile',
            index=models.Index(fields=['user', '-at', '-id'], name='recentfile_newest'),
        ),
        online.AddConstraint(
            model_name='recentfile',
            constraint=models.UniqueConstraint(fields=('user', 'file'), name='recentfile_once'),
        ),
        online.RunPython(install, uninstall),
    ]
