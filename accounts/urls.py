"""The pages of one's own account: allauth's, and those that it does not have."""

from django.urls import include, path

from accounts import command, views

urlpatterns = [
    path("", views.own_account, name="account"),
    path("", include("allauth.account.urls")),
    path("2fa/", include("allauth.mfa.urls")),
    path("command/", command.command, name="command"),
    path("sessions/", views.own_sessions, name="usersessions_list"),
    path("invitation/", views.invitation, name="invitation"),
    path("invitation/<str:token>/", views.invitation_link, name="invitation_link"),
]
