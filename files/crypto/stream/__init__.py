"""Stream format 1: a file as a sequence of binary Fernet tokens (frames), then a trailer.

``docs/stream-format.md`` is the specification. ``layout`` has its arithmetic, ``keys`` the keys of
one stream, ``encryption`` writes it from chunks of any size, ``decryption`` opens any frame of it.
"""
