"""One large transfer each way in a process of its own: how much memory did it take?

Usage: python -m tests.integration.transfer_memory ENDPOINT ACCESS_KEY SECRET_KEY BUCKET MEBIBYTES

Prints by how many bytes the peak of resident memory grew in each: `{"write": …, "read": …}`.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from itertools import repeat

from files.storage import EncryptedS3Storage, ObjectKey
from tests.files.storage.objects import F, write

MIB = 2**20
WARM_UP = 2 * F


def peak() -> int:
    """Bytes of resident memory, at most, so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def read(storage: EncryptedS3Storage, name: str, key: ObjectKey) -> int:
    return sum(map(len, storage.reader(name, key).chunks()))


def main(endpoint: str, access_key: str, secret_key: str, bucket: str, mebibytes: str) -> None:
    storage = EncryptedS3Storage(
        bucket_name=bucket,
        endpoint_url=endpoint,
        region_name="us-east-1",
        access_key=access_key,
        secret_key=secret_key,
    )
    chunk, size = os.urandom(F), int(mebibytes) * MIB
    # Imports, connections and caches are not part of the transfer.
    read(storage, *write(storage, [bytes(WARM_UP)]))
    before = peak()
    name, key = write(storage, repeat(chunk, size // F), size=size)
    written = peak()
    if read(storage, name, key) != size:
        raise SystemExit("the object has another size")
    sys.stdout.write(json.dumps({"write": written - before, "read": peak() - written}))
    storage.discard(name)


if __name__ == "__main__":
    main(*sys.argv[1:])
