"""Which static files the viewer's frame may have, whose origin is none: its own, and pdf.js's.

They say nothing of anybody and are the same in every installation. All others stay this site's.
"""

from __future__ import annotations

from wsgiref.headers import Headers

FOLDERS = ("/static/viewer/", "/static/vendor/pdfjs/")


def open_to_the_viewer(headers: Headers, path: str, url: str) -> None:
    """Let a frame of an opaque origin load these (Fetch, 3.2.1 and 3.6): whitenoise asks."""
    if url.startswith(FOLDERS):
        headers["Access-Control-Allow-Origin"] = "*"
        headers["Cross-Origin-Resource-Policy"] = "cross-origin"
