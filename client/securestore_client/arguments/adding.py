"""How the modules beside this one add their commands."""

from __future__ import annotations

import argparse
from collections.abc import Callable

Adder = Callable[..., argparse.ArgumentParser]
"""Adds a command: its name, what runs it, what it does in a few words, and examples."""
