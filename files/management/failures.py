"""How a command ends that could not do its work: with a sentence, never with a traceback."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import CommandError
from django.db import DatabaseError, InterfaceError

from files.crypto.errors import KeyServiceError, TooBusy
from files.errors import VaultError
from files.storage import StoreError

AGAIN = "Nothing is lost: run the command again."


@contextmanager
def told_to_the_operator() -> Iterator[None]:
    """Turn what a use case refuses, and every outage, into a CommandError that says what to do."""
    try:
        yield
    except (VaultError, ImproperlyConfigured) as error:
        raise CommandError(str(error)) from None
    except TooBusy as error:
        raise CommandError(f"Not done: {error}. {AGAIN}") from None
    except KeyServiceError as error:
        raise CommandError(f"The key service did not do it ({error}). {AGAIN}") from None
    except StoreError as error:
        raise CommandError(f"The store did not answer ({error}). {AGAIN}") from None
    except (DatabaseError, InterfaceError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise CommandError(f"The database did not answer ({reason}). {AGAIN}") from None
    except KeyboardInterrupt:
        raise CommandError(f"Stopped. {AGAIN}", returncode=130) from None
