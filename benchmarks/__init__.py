"""Measurements of a whole site, each against a peer in the same run (`python -m benchmarks`)."""
