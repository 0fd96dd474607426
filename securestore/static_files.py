"""How collected static files are named: by their content, what modules import included."""

from __future__ import annotations

from whitenoise.storage import CompressedManifestStaticFilesStorage


class StaticFiles(CompressedManifestStaticFilesStorage):  # type: ignore[misc]
    """Names every file by its content, also where a script imports it by a relative address.

    So all of them are kept by browsers for good, and a page never mixes modules of two releases.
    Imports must not go round in a circle: no name could ever be made.
    """

    support_js_module_import_aggregation = True
