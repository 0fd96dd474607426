"""What is known of an object that is written: whole and verified, or safe as far as it goes.

Values only. Must never hold a byte of plaintext, or a key.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from files.crypto.digests import Digests


@dataclass(frozen=True, slots=True)
class SealedObject:
    """A complete, verified object: plaintext and object bytes, the store's ETag, commitment.

    And the digests of its plaintext, as far as its writer has seen all of it.
    """

    name: str
    size: int
    object_size: int
    etag: str
    commitment: bytes
    digests: Digests | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Tail:
    """An object of `frames` whole frames that wait for the rest of their part."""

    name: str
    frames: int


@dataclass(frozen=True, slots=True)
class Progress:
    """What of an unfinished object is safe in the store; all that a continuation needs.

    `etags` are those of the confirmed parts, in order; `part_frames` the frames of each. Then
    follow the tails, then the sealed `carry`. `offset` counts the plaintext bytes of them all.
    `chain` is the content chain of the parts and the tails, sealed; empty where it is not known.
    """

    part_frames: int
    multipart_id: str = ""
    etags: tuple[str, ...] = ()
    tails: tuple[Tail, ...] = ()
    carry: bytes = field(default=b"", repr=False)
    offset: int = 0
    chain: bytes = field(default=b"", repr=False)

    @property
    def waiting_frames(self) -> int:
        """Frames in the tails."""
        return sum(tail.frames for tail in self.tails)

    @property
    def frames(self) -> int:
        """Frames in the confirmed parts and the tails."""
        return len(self.etags) * self.part_frames + self.waiting_frames
