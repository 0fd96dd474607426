"""Who watches over the site asks it by its address, and not by a name that people know.

A supervisor, a load balancer and Prometheus ask each server itself, as `127.0.0.1:8000`, which is
in nobody's ALLOWED_HOSTS. That check protects links that are made from the name, and against pages
whose name leads here (DNS rebinding). Neither concerns these three, as long as it is so:

- `/metrics`: with the right token, any host; a page of elsewhere has no token;
- `/healthz` and `/readyz`: an IP address, which cannot be anybody else's name.
"""

from __future__ import annotations

from ipaddress import ip_address

from django.http import HttpRequest, HttpResponsePermanentRedirect
from django.http.request import split_domain_port
from django.middleware.common import CommonMiddleware as DjangoCommonMiddleware

from securestore.metrics import is_authorised


def may_use_any_host(request: HttpRequest) -> bool:
    """Whether the request is answered whatever its `Host` says."""
    if request.path_info == "/metrics":
        return is_authorised(request)
    return request.path_info in {"/healthz", "/readyz"} and _is_address(
        request.META.get("HTTP_HOST", "")
    )


def _is_address(host: str) -> bool:
    domain, _ = split_domain_port(host)
    try:
        ip_address(domain.removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    return True


class CommonMiddleware(DjangoCommonMiddleware):
    """As Django's, which checks the `Host`, but for those who watch over the site."""

    def process_request(self, request: HttpRequest) -> HttpResponsePermanentRedirect | None:
        return None if may_use_any_host(request) else super().process_request(request)
