"""The launcher's own error, which is shown to a person as one line."""


class LaunchError(Exception):
    """Starting cannot go on. The message says what is wrong and what to do about it."""
