"""Secrets of channels at rest: sealed as those of webhooks, each bound to its channel and its use."""

import time
from typing import Literal
from uuid import NAMESPACE_URL, UUID, uuid5

from services.campaign.models import Channel
from shared.service import Runtime
from shared.webhooks.secrets import SecretBox, secret_box

Use = Literal["secret", "password"]


def seal(box: SecretBox, key: str, use: Use, secret: bytes) -> bytes:
    return box.seal(_owner(key, use), secret)


def signing_keys(channel: Channel, runtime: Runtime) -> list[bytes]:
    """The present one first; the one before while it still holds. Empty: the channel has none.

    Raises `SecretLostError`, and `Unavailable` without a key to open them by.
    """
    sealed = [channel.secret] if channel.secret is not None else []
    until = channel.previous_secret_until
    if channel.previous_secret is not None and until is not None and until.timestamp() > time.time():
        sealed.append(channel.previous_secret)
    box = secret_box(runtime) if sealed else None
    return [box.open(_owner(channel.key, "secret"), each) for each in sealed] if box is not None else []


def password(channel: Channel, runtime: Runtime) -> str | None:
    if channel.password is None:
        return None
    return secret_box(runtime).open(_owner(channel.key, "password"), channel.password).decode()


def _owner(key: str, use: Use) -> UUID:
    return uuid5(NAMESPACE_URL, f"channel/{key}/{use}")
