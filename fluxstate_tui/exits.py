"""Exit codes, the same for every command (facts: restic's precedent; documented in the README)."""

from enum import IntEnum


class ExitCode(IntEnum):
    """What the process tells the shell."""

    OK = 0
    FAILURE = 1
    USAGE = 2
    NO_CONNECTION = 3
    NOT_FOUND = 4
    REFUSED = 5
    VERIFICATION = 6
    LOCKED = 7
    UNKNOWN = 8
    INTERRUPTED = 130
