"""English: the administration writes the time as all other pages do, and not as `3:22 p.m.`."""

from __future__ import annotations

from typing import Final

DATETIME_FORMAT: Final = "j M Y, H:i"
TIME_FORMAT: Final = "H:i"
