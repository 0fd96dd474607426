"""The paths under /files/. They are a public interface: clients rely on them."""

from django.urls import path

from files.web import held_keys, views

app_name = "files"
urlpatterns = [
    path("", views.file_list, name="list"),
    path("download/", views.download_several, name="download_several"),
    path("upload/", views.upload, name="upload"),
    path("keys/saved/", held_keys.saved, name="keys_saved"),
    path("passphrase/", held_keys.judge_passphrase, name="judge_passphrase"),
    path("<uuid:file_id>/", views.detail, name="detail"),
    path("<uuid:file_id>/download/", views.download, name="download"),
    path("<uuid:file_id>/unlock/", held_keys.unlock, name="unlock"),
    path("<uuid:file_id>/reencrypt/", held_keys.reencrypt, name="reencrypt"),
    path("<uuid:file_id>/key/", held_keys.show, name="key"),
    path("<uuid:file_id>/key/file/", held_keys.key_file, name="key_file"),
    path("<uuid:file_id>/key/passphrase/", held_keys.set_passphrase, name="set_passphrase"),
    path("<uuid:file_id>/history/", views.history, name="history"),
    path("<uuid:file_id>/grants/", views.grants, name="grants"),
    path("<uuid:file_id>/delete/", views.delete, name="delete"),
]
