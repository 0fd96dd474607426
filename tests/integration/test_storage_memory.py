"""A transfer's memory does not depend on the size of the file."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests.conftest import Weed

ROOT = Path(__file__).parents[2]
BUCKET = "storage-memory"
MIB = 2**20


def test_a_large_stream_takes_little_memory(
    weed: Weed, record_property: Callable[[str, object], None]
) -> None:
    weed.client().create_bucket(Bucket=BUCKET)
    done = subprocess.run(
        [
            *(sys.executable, "-m", "tests.integration.transfer_memory"),
            *(weed.endpoint_url, weed.access_key, weed.secret_key, BUCKET, "256"),
        ],
        cwd=ROOT,
        env={"DJANGO_SETTINGS_MODULE": "tests.settings"},
        capture_output=True,
        check=False,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    grown = json.loads(done.stdout)
    record_property("peak_growth_in_bytes", grown)
    # Two parts of 8 MiB and what the client copies; a file held whole would take 256 MiB.
    assert grown["write"] + grown["read"] <= 48 * MIB
