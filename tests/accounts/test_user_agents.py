"""People recognise their browsers, whatever these say before they come to their own name."""

from __future__ import annotations

import pytest

from accounts.user_agents import in_words, shortened

_MOZILLA = "Mozilla/5.0"
_WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"
_WINDOWS = f"{_MOZILLA} (Windows NT 10.0; Win64; x64) {_WEBKIT}"
_PHONE = f"{_MOZILLA} (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML)"


@pytest.mark.parametrize(
    ("agent", "words"),
    [
        (
            f"{_MOZILLA} (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0",
            "Firefox 133 on Linux",
        ),
        (f"{_WINDOWS} Chrome/131.0.0.0 Safari/537.36", "Chrome 131 on Windows"),
        (f"{_WINDOWS} Chrome/131.0.0.0 Safari/537.36 Edg/131.0.0.0", "Edge 131 on Windows"),
        (f"{_WINDOWS} Chrome/130.0.0.0 Safari/537.36 OPR/115.0.0.0", "Opera 115 on Windows"),
        (f"{_PHONE} Version/18.1 Mobile/15E148 Safari/604.1", "Safari 18 on iPhone"),
        (f"{_PHONE} CriOS/131.0.6778.73 Mobile/15E148 Safari/604.1", "Chrome 131 on iPhone"),
        (f"{_PHONE} FxiOS/133.0 Mobile/15E148 Safari/605.1.15", "Firefox 133 on iPhone"),
        (
            f"{_MOZILLA} (Macintosh; Intel Mac OS X 10_15_7) {_WEBKIT} Version/17 Safari/605.1.15",
            "Safari 17 on macOS",
        ),
        (
            f"{_MOZILLA} (Linux; Android 14; SM-S921B) {_WEBKIT} SamsungBrowser/26.0 "
            "Chrome/122.0.0.0 Mobile Safari/537.36",
            "Samsung Internet 26 on Android",
        ),
        (
            f"{_MOZILLA} (X11; CrOS x86_64 14541.0.0) {_WEBKIT} Chrome/131.0.0.0",
            "Chrome 131 on ChromeOS",
        ),
        ("curl/8.5.0", "curl 8"),
        ("Firefox", "Firefox"),
        ("my own client", "my own client"),
        ("", "unknown"),
    ],
)
def test_a_browser_and_its_system_in_words(agent: str, words: str) -> None:
    assert in_words(agent) == words


def test_what_is_too_long_keeps_both_its_ends() -> None:
    long = f"{_WINDOWS.replace('x64', 'x64; ' + 'add-on ' * 90)} Chrome/131.0.0.0 Edg/131.0.0.0"
    for length in (200, 81):
        assert len(shortened(long, length)) <= length
        assert in_words(shortened(long, length)) == "Edge 131 on Windows"
    assert len(in_words("x" * 500)) <= 80
    assert shortened("short", 200) == "short"
