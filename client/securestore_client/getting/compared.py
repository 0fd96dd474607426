"""What arrived, held against what the site has."""

from __future__ import annotations

from collections.abc import Callable

from ..api import Content
from ..errors import Different


def compare(known: Content, sha256: Callable[[], bytes], chain: bytes) -> None:
    """Raise Different where the digests of what arrived are not those of what is there."""
    if known.chain is not None:
        same = chain == known.chain
    elif known.sha256 is not None:
        same = sha256() == known.sha256
    else:
        return  # A locked file's digests are not known to the site: each frame was authenticated.
    if not same:
        raise Different("What arrived is not what the site has. Nothing was kept.")
