"""Tokens of the local issuer, for the users of a demonstration."""

from deploy.embedded.errors import StackError
from deploy.embedded.keyring import Keyring
from shared.auth import DEMO_USERS, Role


def demo_token(keyring: Keyring, user: str, *, minutes: float = 480) -> str:
    """Raise `StackError` naming the known users when `user` is none of them."""
    for known in DEMO_USERS:
        if known.id == user:
            return keyring.issuer.token(
                known.id,
                roles=list(known.roles),
                org=known.org,
                name=known.name,
                staff=known.staff,
                minutes=minutes,
            )
    names = ", ".join(known.id for known in DEMO_USERS)
    raise StackError(
        f"{user} is no demo user ({names}). For a member of staff give --roles and --org, e.g. "
        f"--user {user} --roles {Role.manager} --org hq.sh.pudong"
    )
