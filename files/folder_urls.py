"""The paths under /folders/. They are a public interface: clients rely on them."""

from django.urls import path

from files.web import arranging, asking, downloads, folders, grants, links, read_by, trash

app_name = "folders"
urlpatterns = [
    path("new/", folders.new_in_root, name="new_in_root"),
    path("path/", folders.make_path_in_root, name="path_in_root"),
    path("<uuid:folder_id>/", folders.detail, name="detail"),
    path("<uuid:folder_id>/new/", folders.new, name="new"),
    path("<uuid:folder_id>/path/", folders.make_path, name="path"),
    path("<uuid:folder_id>/grants/", grants.folder_grants, name="grants"),
    path("<uuid:folder_id>/read-by/", read_by.of_folder, name="read_by"),
    path("<uuid:folder_id>/requests/", asking.folder_requests, name="requests"),
    path("<uuid:folder_id>/requests/<int:number>/", asking.folder_request, name="request"),
    path("<uuid:folder_id>/links/", links.folder_links, name="links"),
    path("<uuid:folder_id>/rename/", arranging.rename_folder, name="rename"),
    path("<uuid:folder_id>/move/", arranging.move_folder, name="move"),
    path("<uuid:folder_id>/delete/", trash.delete_folder, name="delete"),
    path("<uuid:folder_id>/restore/", trash.restore_folder, name="restore"),
    path("<uuid:folder_id>/zip/", downloads.download_folder, name="zip"),
]
