from django.db import migrations


def forget(apps, schema_editor):
    """Sessions are found by a digest of their cookie from here on: those before would never be again.

    Their rows had the cookies themselves, and what one who steals the database could read. People
    sign in anew. One statement each, which nobody who reads waits for.
    """
    for app, model in (("usersessions", "UserSession"), ("sessions", "Session")):
        rows = apps.get_model(app, model)._base_manager.using(schema_editor.connection.alias)
        rows.all()._raw_delete(schema_editor.connection.alias)


class Migration(migrations.Migration):
    brief = True  # One statement each, which keeps no reader waiting (`runtime.forecast`).

    dependencies = [
        ('accounts', '0003_invitations'),
        ('sessions', '0001_initial'),
        ('usersessions', '0001_initial'),
    ]

    operations = [
        # The other way, too: code before this one looks for the cookie, and finds digests.
        migrations.RunPython(forget, forget),
    ]
