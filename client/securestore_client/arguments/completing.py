"""`completion`: for shells. What they ask, `complete`, is in no help."""

from __future__ import annotations

from .adding import Adder


def add(command: Adder) -> None:
    """Add them."""
    made = command(
        "completion",
        "completing.completion",
        "print what a shell needs to complete commands and paths",
        'eval "$(securestore completion bash)"',
        "securestore completion fish > ~/.config/fish/completions/securestore.fish",
    )
    made.add_argument("shell", choices=["bash", "zsh", "fish"])
