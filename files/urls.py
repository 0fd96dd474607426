"""The paths under /files/. They are a public interface: clients rely on them."""

from django.urls import path

from files import keys, views

app_name = "files"
urlpatterns = [
    path("", views.file_list, name="list"),
    path("download/", views.download_several, name="download_several"),
    path("upload/", views.upload, name="upload"),
    path("keys/saved/", keys.saved, name="keys_saved"),
    path("passphrase/", keys.judge_passphrase, name="judge_passphrase"),
    path("<uuid:file_id>/", views.detail, name="detail"),
    path("<uuid:file_id>/download/", views.download, name="download"),
    path("<uuid:file_id>/unlock/", keys.unlock, name="unlock"),
    path("<uuid:file_id>/reencrypt/", keys.reencrypt, name="reencrypt"),
    path("<uuid:file_id>/key/", keys.show, name="key"),
    path("<uuid:file_id>/key/file/", keys.key_file, name="key_file"),
    path("<uuid:file_id>/key/passphrase/", keys.set_passphrase, name="set_passphrase"),
    path("<uuid:file_id>/history/", views.history, name="history"),
    path("<uuid:file_id>/grants/", views.grants, name="grants"),
    path("<uuid:file_id>/delete/", views.delete, name="delete"),
]
