class StackError(Exception):
    """Something the operator can act on: the message says what is wrong and what to do.

    `exit_code` is what `huanying` leaves with: 2 for a place already taken (port, lock), 1 otherwise.
    """

    exit_code = 1


class TakenError(StackError):
    """A port or a data directory belongs to somebody else."""

    exit_code = 2
