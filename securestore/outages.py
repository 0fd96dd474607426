"""Which failures are an outage: something is busy or away, and it is worth while to try again.

A fault of ours must never be taken for one: it would be told as somebody else's, and not be found.
"""

from __future__ import annotations

from django.db import DatabaseError, InterfaceError, InternalError, OperationalError

from accounts.limits import CounterUnavailable
from files.crypto.errors import Damaged, KeyServiceError
from files.crypto.errors import TooBusy as NotDerived
from files.errors import KeyRetired, KeysMissing, TooBusy
from files.storage import StoreError
from notices.sealing import KeyAway
from runtime import database_state
from runtime.caches import CacheUnavailable
from runtime.slots import TooBusy as NoSlot

# Locked and unreachable databases are the first; a connection lost in mid-use is the second.
# Damage gets this far only from a write, and means that the store did not keep what it was given:
# what a read finds is `FileDamaged`.
Outage = (
    OperationalError
    | InterfaceError
    | StoreError
    | KeyServiceError
    | KeysMissing
    | KeyRetired
    | TooBusy
    | NoSlot
    | NotDerived
    | KeyAway
    | Damaged
    | CacheUnavailable
    | CounterUnavailable
    | database_state.NotInService
)
# What PostgreSQL says of a server or a transaction that takes no writes, and of one that it has
# ended because nothing came for too long (Appendix A, class 25). The rest of the class are faults.
_OUTAGES_OF_CLASS_25 = frozenset({"25006", "25P03", "25P04"})

# Too much is done at once: of passwords, of keys, of digests.
Crowd = TooBusy | NoSlot | NotDerived


def outage_behind(error: BaseException | None) -> Outage | None:
    """The outage that an exception is, or that it came from, if any."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        if isinstance(error, DatabaseError) and database_state.behind(error):
            # Closed since this process has last looked.
            return database_state.NotInService(database_state.REFUSAL)
        if isinstance(error, Outage):
            return error
        if isinstance(error, InternalError) and _state_of(error) in _OUTAGES_OF_CLASS_25:
            return OperationalError(*error.args)
        seen.add(id(error))
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return None


def _state_of(error: InternalError) -> str | None:
    """SQLSTATE, where the database's library told one."""
    return getattr(error.__cause__, "sqlstate", None)
