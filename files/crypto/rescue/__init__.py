"""Rescue: from an object and its key to the file, without Django, database or store.

    python -m files.crypto.rescue --help

Needs Python, the package `cryptography`, and the folders `files/__init__.py` and `files/crypto`.
Nothing gets a file's name before every byte of it has authenticated, unless partial recovery was
asked for. A key is never taken from the command line.
"""
