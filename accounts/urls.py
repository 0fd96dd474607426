"""The pages of one's own account: allauth's, and those that it does not have."""

from django.urls import include, path

from accounts import command, program_views, views

urlpatterns = [
    path("", views.own_account, name="account"),
    path("", include("allauth.account.urls")),
    path("2fa/", include("allauth.mfa.urls")),
    path("command/", command.command, name="command"),
    path("programs/authorize/", program_views.authorize, name="program_authorize"),
    path("programs/code/", program_views.enter_code, name="program_code"),
    path("programs/confirm/", program_views.confirm, name="program_confirm"),
    path("programs/begin/", program_views.begin, name="program_begin"),
    path("programs/token/", program_views.token, name="program_token"),
    path("sessions/", views.own_sessions, name="usersessions_list"),
    path("invitation/", views.invitation, name="invitation"),
    path("invitation/<str:token>/", views.invitation_link, name="invitation_link"),
]
