"""Where an upload stands, in the headers of an answer; and of a complete one, which file it is.

Must never tell who is outside, or who may not have the bytes, more than they have sent.
"""

from __future__ import annotations

from urllib.parse import quote

from django.http import Http404, HttpResponse
from django.utils.http import http_date

from files.access import rule
from files.access.permissions import Permission
from files.access.principals import Person
from files.models import FileRecord, KeptVersion, UploadSession
from files.vault import held, upload_state, versions
from files.web.transfers import structured
from files.web.transfers.tus import headers
from files.web.transfers.tus.protocol import CHAIN


def state(
    session: UploadSession, stored: FileRecord | None, *, status: int, chain: bytes | None
) -> HttpResponse:
    """How far the upload is, and until when; with the key of a held file that was just made."""
    response = HttpResponse(status=status)
    response["Upload-Offset"] = str(session.offset)
    if chain is not None:
        response[CHAIN] = structured.byte_sequence(chain)
    response["Upload-Expires"] = http_date(session.expires_at.timestamp())
    # Who is outside sees nothing, not even where it is.
    if stored is not None and session.sender_id is None:
        _tell_place(response, session, stored)
        # Also to a client that asks again: the answer that completed the upload may be lost.
        if stored.is_held and (key := held.just_made(stored, actor=session.owner)):
            response["Securestore-Key"] = key
            response["Securestore-Key-File"] = quote(stored.key_file_name, safe="")
    return response


def _tell_place(response: HttpResponse, session: UploadSession, stored: FileRecord) -> None:
    """Which file it is; its name and its folder, where they are not what the client asked for."""
    response["Securestore-File"] = str(stored.pk)
    if stored.name != session.name:
        response["Securestore-Name"] = quote(stored.name, safe="")
    told = headers.parse_metadata(session.metadata)
    meant = told.get("folder") or told.get("path")
    if meant and stored.folder_id not in {None, session.folder_id}:
        response["Securestore-Folder"] = str(stored.folder_id)


def chain_of(session: UploadSession) -> bytes | None:
    """The content chain to tell; of a complete upload to those alone who may have its bytes.

    And to who sent them from outside, whose upload it is: it says nothing that they did not send.
    """
    own = session.sender_id is not None
    if session.completed_at and not own and not session.owner.has_perm(Permission.DOWNLOAD):
        return None
    return upload_state.chain_of(session)


def file_of(session: UploadSession) -> FileRecord | None:
    """The file of a complete upload; as it was then, where a newer version has come since."""
    if not session.completed_at or session.sender_id is not None:
        return None
    files = rule.visible_to(Person(session.owner))
    file = files.filter(current=session.object_id).first()
    if file is not None:
        return file
    former = KeptVersion.objects.filter(object=session.object_id, file__in=files.values("pk"))
    kept = former.select_related("file", "object", "uploaded_by").first()
    if kept is None:
        raise Http404
    return versions.as_it_was(kept)
