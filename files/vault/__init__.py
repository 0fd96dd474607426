"""Bytes in and out: storing, opening, removing, resuming, counting what was sent.

Joins rows, keys and the store. Must never publish a row whose bytes are not safe, nor give out a
byte that was not authenticated.
"""
