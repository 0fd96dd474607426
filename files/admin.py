"""What Django's administration shows of this application; the pages are in `administration`."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.auth.models import Group

from accounts.models import User
from files.administration import files, folders, grants, people
from files.models import FileRecord, Folder, Grant

admin.site.unregister((User, Group))
admin.site.register(User, people.PeopleOfFiles)
admin.site.register(Group, people.GroupsOfFiles)
admin.site.register(FileRecord, files.FileRecordAdmin)
admin.site.register(Folder, folders.FolderAdmin)
admin.site.register(Grant, grants.GrantAdmin)
