"""What Django's administration shows of this application; the pages are in `administration`."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.auth.models import Group

from accounts.models import Token, User
from audit.models import AuditEvent
from files.administration import (
    access_requests,
    events,
    files,
    folders,
    grants,
    links,
    mails,
    master_keys,  # noqa: F401  registers itself
    people,
    requests,
    tokens,
)
from files.models import AccessRequest, FileRecord, FileRequest, Folder, Grant, Link
from notices.models import Mail

admin.site.unregister((User, Group, AuditEvent, Token))
admin.site.register(AuditEvent, events.EventsOfFiles)
admin.site.register(User, people.PeopleOfFiles)
admin.site.register(Group, people.GroupsOfFiles)
admin.site.register(Token, tokens.TokensOfFiles)
admin.site.register(FileRecord, files.FileRecordAdmin)
admin.site.register(Folder, folders.FolderAdmin)
admin.site.register(Grant, grants.GrantAdmin)
admin.site.register(Link, links.LinkAdmin)
admin.site.register(FileRequest, requests.FileRequestAdmin)
admin.site.register(Mail, mails.MailAdmin)
admin.site.register(AccessRequest, access_requests.AccessRequestAdmin)
