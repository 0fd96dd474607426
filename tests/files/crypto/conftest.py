"""Fixtures of the cryptography's tests."""

from tests.files.crypto.ways import each_way

__all__ = ["each_way"]
