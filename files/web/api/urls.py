"""The paths below /api/v1/. They are a public interface: clients rely on them."""

from __future__ import annotations

from django.urls import path, register_converter

from files.web.api import paths, schema
from files.web.api.content import views as content

register_converter(paths.Names, "names")

app_name = "api"
urlpatterns = [
    path("openapi.json", schema.openapi, name="openapi"),
    path("content/<names:path>", content.by_path, name="content"),
    path(
        "folders/<uuid:folder_id>/content/<names:path>",
        content.by_folder_and_path,
        name="folder_content",
    ),
    path("files/<uuid:file_id>/content", content.by_id, name="file_content"),
    path(
        "files/<uuid:file_id>/versions/<uuid:version>/content",
        content.by_version,
        name="version_content",
    ),
    # The library's own front page is none of ours.
    *(one for one in schema.api.urls[0] if getattr(one, "name", "") != "api-root"),
]
