"""How the web server is run."""

import pytest

from launcher.site import Site


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:8000/"),
        ("localhost", "http://localhost:8000/"),
        ("0.0.0.0", "http://127.0.0.1:8000/"),
        ("::", "http://[::1]:8000/"),
        ("192.0.2.7", "http://192.0.2.7:8000/"),
    ],
)
def test_the_address_for_a_person_here(host: str, url: str) -> None:
    assert Site(host, 8000, ()).url == url


def test_it_is_served_over_wsgi_and_never_asgi() -> None:
    assert "--interface=wsgi" in Site("127.0.0.1", 8000, ()).command()


def test_its_environment_has_the_hosts_and_no_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", "given once")
    environment = Site("127.0.0.1", 8000, ["localhost", "vault"]).environment()
    assert environment["ALLOWED_HOSTS"] == "localhost,vault"
    assert "DJANGO_SUPERUSER_PASSWORD" not in environment
    assert environment["MALLOC_MMAP_THRESHOLD_"] == "1048576"
    assert environment["GRANIAN_BLOCKING_THREADS"] == "256"


@pytest.mark.parametrize(("host", "accepted"), [("127.0.0.1", False), ("0.0.0.0", True)])
def test_plain_http_is_accepted_where_it_was_asked_for(
    monkeypatch: pytest.MonkeyPatch, host: str, accepted: bool
) -> None:
    monkeypatch.delenv("ACCEPT_PLAIN_HTTP", raising=False)
    environment = Site(host, 8000, ["vault"]).environment()
    assert ("ACCEPT_PLAIN_HTTP" in environment) == accepted


def test_nobody_there_is_not_ready() -> None:
    from launcher.ports import free_port

    assert not Site("127.0.0.1", free_port(), ()).is_ready()
