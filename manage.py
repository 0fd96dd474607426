#!/usr/bin/env python
"""Django's command line for Securestore."""

import gc
import os
import sys


def main() -> None:
    # Nothing of what is loaded is garbage: to look for some took a tenth of a command's start.
    gc.disable()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "securestore.settings")
    import django
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line
    from django.db import DatabaseError

    from audit import context
    from runtime import database_state

    name = sys.argv[1] if len(sys.argv) > 1 else ""
    try:
        django.setup()
        gc.freeze()
        gc.enable()
        # No command works on a database that was moved, or is being moved.
        database_state.refuse_command(sys.argv)
        # Whatever a command changes, `createsuperuser` and `shell` too, the log says that it did.
        with context.active(context.Context(actor_name=f"command:{name}"[:150])):
            execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        # An operator reads this: the message says what to do, a traceback would hide it.
        sys.exit(f"Configuration error: {error}")
    except database_state.NotInService as error:
        sys.exit(str(error))
    except DatabaseError as error:
        # Closed while the command was at work.
        if not database_state.behind(error):
            raise
        state = database_state.read()
        sys.exit(state.words if state else str(error))
    except KeyboardInterrupt:
        sys.stderr.write("\nStopped. What was done stays: run the command again.\n")
        sys.exit(130)


if __name__ == "__main__":
    main()
