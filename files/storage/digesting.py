"""Digests of a large object, taken beside its encryption and the way of its parts.

One thread of a writer's pool is never taken by a part: it digests while the writer's own encrypts.
Must never go on reading memory that its owner may change: `take` says where it has to be waited
for.
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor

from files.crypto.digests import ContentChain, Digesting, Digests, open_state, seal_state
from files.crypto.stream.keys import Context
from files.crypto.tokens import Buffer
from files.storage.progress import Progress

_WORTH_A_THREAD = 64 * 1024
"""Bytes that are digested beside their encryption; fewer are faster done at once."""

_DIGESTED_TOGETHER = 4
"""Chunks that are handed to that thread at once: to wake it takes as long as to digest some."""


class DigestsBeside:
    """The digests of what one writer takes, from what was safe `before` it.

    Of what is not the `whole`, SHA-256 is not taken: nobody can go on with it. Raises Damaged for
    a chain that does not open.
    """

    def __init__(self, dek: bytes, context: Context, before: Progress, *, whole: bool) -> None:
        self._dek = dek
        self._context = context
        self._digesting = self._begin(before, whole=whole)
        self._to_digest: list[bytes] = []
        self._digested: Future[None] | None = None

    def _begin(self, before: Progress, *, whole: bool) -> Digesting:
        if not before.offset:
            return Digesting(ContentChain(), from_the_start=whole)
        if not before.chain:
            return Digesting(None, from_the_start=False)
        state = open_state(self._dek, self._context, before.frames, before.chain)
        return Digesting(ContentChain(before.frames, state), from_the_start=False)

    def take(self, data: Buffer, pool: ThreadPoolExecutor | None) -> bool:
        """Digest the next bytes; of a large object on a thread of its `pool`.

        Whether that is still at work on memory that its owner may change: then `finish` has to be
        called before it is given back.
        """
        if pool is None or len(data) < _WORTH_A_THREAD:
            self.finish()
            self._digesting.update(data)
        elif isinstance(data, bytes):
            self._to_digest.append(data)
            if len(self._to_digest) == _DIGESTED_TOGETHER:
                together, self._to_digest = self._to_digest, []
                self._wait()
                self._digested = pool.submit(self._digest_all, together)
        else:
            self.finish()
            self._digested = pool.submit(self._digesting.update, data)
            return True
        return False

    def finish(self) -> None:
        """Digest all that was taken so far."""
        self._wait()
        self._digest_all(self._to_digest)
        self._to_digest.clear()

    def digests(self) -> Digests | None:
        """Of all that was taken so far; None where its beginning has none."""
        self.finish()
        return self._digesting.digests()

    def chain_after(self, frames: int) -> bytes:
        """The content chain of the first `frames` frames, sealed; empty where there is none."""
        self._wait()
        chain = self._digesting.chain
        if chain is None:
            return b""
        if chain.slices < frames:
            self.finish()
        return seal_state(self._dek, self._context, frames, chain.after(frames))

    def forget(self, frames: int) -> None:
        """Keep no chain of fewer than `frames` frames: these are safe."""
        if self._digesting.chain is not None:
            self._wait()
            self._digesting.chain.forget(frames)

    def _digest_all(self, chunks: list[bytes]) -> None:
        for chunk in chunks:
            self._digesting.update(chunk)

    def _wait(self) -> None:
        if self._digested is not None:
            self._digested.result()
            self._digested = None
