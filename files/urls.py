"""The paths under /files/. They are a public interface: clients rely on them."""

from django.urls import path

from files.web import (
    arranging,
    details,
    downloads,
    grants,
    held_keys,
    lists,
    read_by,
    share_several,
    trash,
    undoing,
    upload_form,
    versions,
    viewing,
)

app_name = "files"
urlpatterns = [
    path("", lists.file_list, name="list"),
    path("download/", downloads.download_several, name="download_several"),
    path("share/", share_several.share_several, name="share_several"),
    path("move/", arranging.move_several, name="move_several"),
    path("delete/", trash.delete_several, name="delete_several"),
    path("restore/", trash.restore_several, name="restore_several"),
    path("undo/", undoing.undo, name="undo"),
    path("upload/", upload_form.upload, name="upload"),
    path("keys/file/", held_keys.keys_file, name="keys_file"),
    path("keys/saved/", held_keys.saved, name="keys_saved"),
    path("passphrase/", held_keys.judge_passphrase, name="judge_passphrase"),
    path("viewer/", viewing.frame, name="viewer"),
    path("<uuid:file_id>/", details.detail, name="detail"),
    path("<uuid:file_id>/view/", viewing.view, name="view"),
    path("<uuid:file_id>/download/", downloads.download, name="download"),
    path("<uuid:file_id>/unlock/", held_keys.unlock, name="unlock"),
    path("<uuid:file_id>/reencrypt/", held_keys.reencrypt, name="reencrypt"),
    path("<uuid:file_id>/key/", held_keys.show, name="key"),
    path("<uuid:file_id>/key/file/", held_keys.key_file, name="key_file"),
    path("<uuid:file_id>/key/passphrase/", held_keys.set_passphrase, name="set_passphrase"),
    path("<uuid:file_id>/versions/", versions.versions_of, name="versions"),
    path(
        "<uuid:file_id>/versions/<uuid:version>/download/",
        versions.download,
        name="version_download",
    ),
    path("<uuid:file_id>/versions/<uuid:version>/view/", versions.view, name="version_view"),
    path("<uuid:file_id>/versions/<uuid:version>/unlock/", versions.unlock, name="version_unlock"),
    path("<uuid:file_id>/history/", details.history, name="history"),
    path("<uuid:file_id>/read-by/", read_by.of_file, name="read_by"),
    path("<uuid:file_id>/grants/", grants.grants, name="grants"),
    path("<uuid:file_id>/rename/", arranging.rename_file, name="rename"),
    path("<uuid:file_id>/move/", arranging.move_file, name="move"),
    path("<uuid:file_id>/delete/", trash.delete_file, name="delete"),
    path("<uuid:file_id>/restore/", trash.restore_file, name="restore"),
]
