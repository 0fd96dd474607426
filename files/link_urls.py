"""The paths under /l/, for people outside. They are a public interface: links stay in mails."""

from django.urls import path

from files.web.outside.links import door, pages, sending

app_name = "links"
urlpatterns = [
    path("<str:token>/", door.door, name="door"),
    path("<str:token>/download/", sending.download, name="download"),
    path("<str:token>/zip/", sending.download_all, name="zip"),
    path("<str:token>/folders/<slug:folder_id>/", pages.folder, name="folder"),
    path("<str:token>/files/<slug:file_id>/", pages.file, name="file"),
    path("<str:token>/files/<slug:file_id>/download/", sending.download_file, name="file_download"),
]
