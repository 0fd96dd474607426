"""The database's clock, as the vault's rows go by it: `runtime.clock`."""

from runtime.clock import Now, now

__all__ = ["Now", "now"]
