"""Every path of the site. The public ones are listed in docs/architecture.md and never change."""

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path, re_path
from django.views.generic import RedirectView

from files.web import access_requests, lists, own_links, people, tokens, uploads
from files.web.outside import asked, asked_transfers
from securestore import health, metrics, scripts
from securestore.errors import closed

# What stands in each application's `admin` module; only pages need it (`securestore.apps`).
admin.autodiscover()

urlpatterns: list[URLPattern | URLResolver] = [
    path("", RedirectView.as_view(pattern_name="files:list"), name="home"),
    path("files/", include("files.urls")),
    path("folders/", include("files.folder_urls")),
    path("l/", include("files.link_urls")),
    path("shared/", lists.shared_with_me, name="shared"),
    path("recent/", lists.recent_files, name="recent"),
    path("trash/", lists.trash_list, name="trash"),
    path("notices/", include("notices.urls")),
    path("links/", own_links.own_links, name="own_links"),
    path("asked/", access_requests.asked, name="access_requests"),
    path("asked/new/", access_requests.ask, name="ask_for_access"),
    path("asked/<int:number>/", access_requests.answer, name="access_request"),
    path("people/suggest/", people.suggest, name="suggest_people"),
    path("api/v1/", include("files.web.api.urls")),
    path("uploads/", uploads.collection, name="uploads"),
    path("uploads/<uuid:upload_id>", uploads.member, name="upload"),
    # Requests, for people without an account: the token is the whole right to come here.
    path("r/<str:token>/", asked.landing, name="asked"),
    path("r/<str:token>/send/", asked_transfers.send, name="asked_send"),
    path("r/<str:token>/receipt/", asked.receipt, name="asked_receipt"),
    path("r/<str:token>/uploads/", asked_transfers.uploads, name="asked_uploads"),
    path("r/<str:token>/uploads/<uuid:upload_id>", asked_transfers.upload, name="asked_upload"),
    # Django's redirect to "view on site" would tell any staff which ids exist.
    re_path("^admin/r/", closed, name="closed"),
    # Of one's account, and for folders: what accounts do not know.
    path("accounts/tokens/", tokens.own_tokens, name="tokens"),
    path("accounts/tokens/new/", tokens.new_token, name="token_new"),
    path("accounts/tokens/revoke/", tokens.revoke_token, name="token_revoke"),
    path("accounts/", include("accounts.urls")),
    path("admin/", admin.site.urls),
    # The words of scripts; docs/architecture.md has the paths that clients rely on.
    path("jsi18n/<slug:language>/", scripts.words, name="jsi18n"),
    path("healthz", health.alive, name="healthz"),
    path("readyz", health.ready, name="readyz"),
    path("metrics", metrics.metrics, name="metrics"),
]

handler400 = "securestore.errors.bad_request"
handler403 = "securestore.errors.permission_denied"
handler404 = "securestore.errors.not_found"
handler429 = "securestore.errors.too_many_requests"  # Asked for by allauth's limits.
handler500 = "securestore.errors.server_error"
