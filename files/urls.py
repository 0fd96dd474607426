"""The paths under /files/. They are a public interface: clients rely on them."""

from django.urls import path

from files import views

app_name = "files"
urlpatterns = [
    path("", views.file_list, name="list"),
    path("download/", views.download_several, name="download_several"),
    path("upload/", views.upload, name="upload"),
    path("<uuid:file_id>/", views.detail, name="detail"),
    path("<uuid:file_id>/download/", views.download, name="download"),
    path("<uuid:file_id>/grants/", views.grants, name="grants"),
    path("<uuid:file_id>/delete/", views.delete, name="delete"),
]
