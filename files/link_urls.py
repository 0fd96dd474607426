"""The paths under /l/, for people outside. They are a public interface: links stay in mails."""

from django.urls import path

from files.web.outside import links

app_name = "links"
urlpatterns = [
    path("<str:token>/", links.door, name="door"),
    path("<str:token>/download/", links.download, name="download"),
    path("<str:token>/zip/", links.download_all, name="zip"),
    path("<str:token>/folders/<slug:folder_id>/", links.folder, name="folder"),
    path("<str:token>/files/<slug:file_id>/", links.file, name="file"),
    path("<str:token>/files/<slug:file_id>/download/", links.download_file, name="file_download"),
]
