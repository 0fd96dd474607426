"""What lies here of a file is compared before it is believed."""

from __future__ import annotations

import json
from pathlib import Path

from tests.client.conftest import MIB, Run, content
from tests.client.small_site import SmallSite

LARGE = 5 * MIB + 12_345


def test_what_lies_here_is_compared_before_it_is_believed(
    run: Run, small_site: SmallSite, at_home: Path
) -> None:
    kept = small_site.add("a.bin", content(LARGE))
    (at_home / ".a.bin.securestore").write_bytes(content(LARGE, seed=1))
    (at_home / ".a.bin.securestore-note").write_text(
        json.dumps({"etag": kept.etag, "size": LARGE}) + f"\n0 {LARGE}\n"
    )
    assert run("get", "a.bin") == 0
    assert (at_home / "a.bin").read_bytes() == content(LARGE)


def test_what_lies_here_of_another_version_is_not_used(
    run: Run, small_site: SmallSite, at_home: Path
) -> None:
    small_site.add("a.bin", content(LARGE))
    (at_home / ".a.bin.securestore").write_bytes(content(LARGE, seed=1))
    (at_home / ".a.bin.securestore-note").write_text(
        json.dumps({"etag": '"another"', "size": LARGE}) + f"\n0 {LARGE}\n"
    )
    assert run("get", "a.bin") == 0
    assert (at_home / "a.bin").read_bytes() == content(LARGE)
